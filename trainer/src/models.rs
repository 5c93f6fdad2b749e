//! The models that candidates come from, trained on one list of events, and their files.

use std::path::Path;
use std::time::Duration;

use feature_store::{Event, Item};
use retrieval::files::{
    Embeddings, write_covisitation, write_embeddings, write_popularity, write_sessions, write_space,
};
use retrieval::{SessionSettings, SessionTable};
use snapshot::{Builder, Catalogue, Manifest, Snapshot, files};

use crate::als::{self, Settings, factorise};
use crate::clean::Numbering;
use crate::covisitation::{Covisits, covisitation, half_life};
use crate::options::Options;
use crate::popularity::popularity;
use crate::ratings::Ratings;
use crate::sessions::{GAP, sessions};
use crate::text::text_space;
use crate::{Error, catalogue, past_sessions, strength, text};

/// All that retrieval needs, in memory.
#[derive(Clone, Debug)]
pub struct Models {
    pub catalogue: Catalogue,
    pub embeddings: Embeddings,
    pub covisitation: Covisits,
    /// Different shoppers below which what they did together was left out.
    pub min_people: u32,
    /// Items without a vector, because too few people dealt with them.
    pub rare_items: u64,
    /// Of a session's weight in co-visitation; `None` when all count alike.
    pub half_life: Option<Duration>,
    /// Past sessions, and how they are to be asked.
    pub past: SessionTable,
    pub settings: SessionSettings,
    pub popularity: Vec<f32>,
    /// Spaces of content: text, where items share words, and what was given.
    pub spaces: Vec<ItemSpace>,
    /// The factorisation's objective after each iteration.
    pub loss: Vec<f64>,
}

/// Vectors of what is known of items beside events: rows of length 1, or zeros, by ordinal.
#[derive(Clone, Debug, PartialEq)]
pub struct ItemSpace {
    pub name: String,
    pub vectors: Vec<f32>,
    pub dimension: usize,
}

impl ItemSpace {
    /// A sentence for people.
    pub(crate) fn describe(&self) -> String {
        let rows = self.vectors.chunks_exact(self.dimension);
        let (all, empty) = (rows.len(), rows.filter(|row| row.iter().all(|&x| x == 0.0)));
        format!(
            "space {}: {} of {all} items have a vector of {} dimensions",
            self.name,
            all - empty.count(),
            self.dimension
        )
    }
}

impl Models {
    /// Trains on events that are clean and in the order of time.
    pub fn train(
        events: &[Event],
        items: &[Item],
        options: &Options,
        progress: &mut dyn FnMut(usize, f64),
    ) -> Result<Self, Error> {
        let catalogue = catalogue::assemble(events, items)?;
        let few = options.min_people;
        let (ratings, rare_items) = ratings(events, &catalogue).without_rare(few);
        let settings = Settings {
            dimension: dimension(options, &ratings),
            iterations: options.iterations,
            regularisation: options.regularisation,
            alpha: options.alpha,
            seed: options.seed,
        };
        let factors = factorise(&ratings, &settings, progress);
        let visits = sessions(events, GAP);
        let past = past_sessions::table(&visits, &catalogue, &options.people);
        let half_life = half_life(&visits, &catalogue, few);
        Ok(Self {
            covisitation: covisitation(&visits, &catalogue, half_life, few),
            min_people: few,
            rare_items,
            half_life,
            spaces: spaces(&catalogue, options),
            settings: past_sessions::settings(&past, catalogue.len())?,
            past,
            popularity: popularity(events, &catalogue),
            catalogue,
            embeddings: Embeddings {
                vectors: factors.items,
                dimension: factors.dimension,
                alpha: als::narrow(options.alpha),
                regularisation: als::narrow(options.regularisation),
            },
            loss: factors.loss,
        })
    }

    /// Writes everything but the index, which needs held-out carts. Returns the manifest's entries
    /// for the spaces, the factorisation's first.
    pub(crate) fn write(&self, builder: &mut Builder) -> Result<Vec<snapshot::Space>, Error> {
        builder.write(files::ITEMS, &self.catalogue.to_jsonl()?)?;
        write_covisitation(builder, &self.covisitation.rows)?;
        write_sessions(builder, &self.past, self.settings)?;
        write_popularity(builder, &self.popularity)?;
        let mut spaces = vec![write_embeddings(builder, &self.embeddings)?];
        for space in &self.spaces {
            let (vectors, dimension) = (&space.vectors, space.dimension);
            spaces.push(write_space(builder, &space.name, vectors, dimension)?);
        }
        Ok(spaces)
    }

    /// A snapshot of these models alone in `folder`, to retrieve from while training.
    pub(crate) fn draft(&self, folder: &Path) -> Result<Snapshot, Error> {
        let mut builder = Builder::new(folder)?;
        let spaces = self.write(&mut builder)?;
        Ok(builder.finish(Manifest {
            spaces,
            ..Manifest::default()
        })?)
    }
}

/// Text first, then what was given, in its order.
fn spaces(catalogue: &Catalogue, options: &Options) -> Vec<ItemSpace> {
    let text = text_space(catalogue, options.seed).map(|space| ItemSpace {
        name: text::SPACE.to_owned(),
        vectors: space.vectors,
        dimension: space.dimension,
    });
    let given = options.vectors.iter().map(|given| ItemSpace {
        name: given.name().to_owned(),
        vectors: given.table(catalogue),
        dimension: given.dimension(),
    });
    text.into_iter().chain(given).collect()
}

/// Strengths of shoppers (in the order of their first event) with items (by ordinal).
fn ratings(events: &[Event], catalogue: &Catalogue) -> Ratings {
    let mut shoppers = Numbering::default();
    let mut cells = Vec::with_capacity(events.len());
    for event in events {
        let weight = strength::of_kind(event.kind);
        if let Some(ordinal) = catalogue.ordinal(&event.item_id).filter(|_| weight > 0.0) {
            cells.push((shoppers.number(&event.shopper_id), ordinal, weight));
        }
    }
    Ratings::new(shoppers.len(), catalogue.len(), &cells).map(strength::damped)
}

/// At least three shoppers and three items a dimension, so that a factor is shared by some: with
/// as many factors as items nothing is generalised.
fn dimension(options: &Options, ratings: &Ratings) -> usize {
    let supported = ratings.rows().min(ratings.columns()) / 3;
    options.dimension.min(supported.max(2))
}
