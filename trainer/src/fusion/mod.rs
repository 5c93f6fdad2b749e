//! The weights of the sources, fitted to moments that the models have not seen.
//!
//! What each source says at each moment is collected once; then weight, normalisation and share of
//! earlier visits of one source after the other, and what the item dealt with last keeps of
//! revisit, are moved over a grid to where MRR@20 of the next
//! item plus recall@20 of the rest of the session is greatest (of baskets, whose order says
//! nothing, nDCG@20 plus recall@20), until a round moves none. A source only moves for a gain that
//! is worth it, so that one that makes no difference keeps its default. The walk starts from the
//! defaults and from the best source alone, so that what is found is no worse than any source on
//! the moments that it is found on.

mod case;
mod table;
#[cfg(test)]
mod tests;

use feature_store::{Event, ShopperView};
use retrieval::{FusionWeights, Model, Query, Source};

use crate::Error;
use crate::moments::{Moment, moments, thinned};
use crate::ranker::CANDIDATES;
use crate::ranker::scene::question;
use crate::sessions::{GAP, sessions};
use crate::views::views;
use table::Table;

/// Moments that weights are fitted to, at most and at least.
const MOST: usize = 1_000;
const FEWEST: usize = 50;
/// A move has to gain this part of the objective.
const WORTH: f64 = 0.002;
/// Bands that are tried with the weights found.
const PRICE_BANDS: u32 = 4;

/// What was learned, and what it gained on the moments that it was learned from.
#[derive(Clone, Debug)]
pub(crate) struct LearnedFusion {
    pub(crate) weights: FusionWeights,
    pub(crate) moments: usize,
    /// The objective with the defaults and with the weights.
    pub(crate) before: f64,
    pub(crate) after: f64,
}

impl LearnedFusion {
    /// A sentence for people.
    pub(crate) fn describe(&self) -> String {
        let Self {
            weights,
            moments,
            before,
            after,
        } = self;
        if *moments < FEWEST {
            return format!("keeps its defaults: {moments} moments are too few to learn from");
        }
        format!(
            "{}: the objective on {moments} moments {before:.4} → {after:.4}",
            weights.describe()
        )
    }

    /// Takes what is found from a start, where that is worth it.
    fn try_from(&mut self, table: &Table, start: &FusionWeights) {
        let (weights, after) = table.ascend(start);
        if after > self.after * (1.0 + WORTH) {
            (self.weights, self.after) = (weights, after);
        }
    }
}

/// A question with its right answers.
#[derive(Clone, Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) query: Query,
    /// What came next, where there is an order; `None` of a basket.
    pub(crate) next: Option<&'a str>,
    /// All that is wanted, each once.
    pub(crate) wanted: Vec<&'a str>,
}

impl<'a> Asked<'a> {
    fn of(moment: &Moment<'a>, view: &ShopperView) -> Self {
        Self {
            query: question(view, Vec::new(), CANDIDATES),
            next: Some(&moment.next.item_id),
            wanted: moment.rest.clone(),
        }
    }
}

/// Fits the weights to events in the order of time that `model` has not seen; `past` came before
/// them.
pub(crate) fn learn(model: &Model, past: &[Event], fit: &[Event]) -> Result<LearnedFusion, Error> {
    let sessions = sessions(fit, GAP);
    let moments = thinned(moments(&sessions), MOST);
    let views = views(&[past, fit], &moments);
    let asked = moments.iter().zip(&views);
    let asked: Vec<Asked<'_>> = asked
        .map(|(moment, view)| Asked::of(moment, view))
        .collect();
    learn_from(model, &asked)
}

/// Fits the weights to questions about what `model` has not seen.
pub(crate) fn learn_from(model: &Model, moments: &[Asked<'_>]) -> Result<LearnedFusion, Error> {
    let mut best = LearnedFusion {
        weights: FusionWeights::default(),
        moments: moments.len(),
        before: 0.0,
        after: 0.0,
    };
    if moments.len() < FEWEST {
        return Ok(best);
    }
    let table = Table::collect(model, &best.weights, moments)?;
    best.before = table.objective(&best.weights);
    best.after = best.before;
    best.try_from(&table, &best.weights.clone());
    best.try_from(&table, &table.best_alone(&best.weights));
    let banded = FusionWeights {
        price_bands: PRICE_BANDS,
        ..best.weights.clone()
    };
    let table = Table::collect(model, &banded, moments)?;
    best.try_from(&table, &banded);
    Ok(best)
}

/// The same settings with one source alone of several.
fn alone(source: Source, of: &[Source], weights: &FusionWeights) -> FusionWeights {
    let mut alone = weights.clone();
    for other in of {
        alone.sources[*other as usize].weight = 0.0;
    }
    alone.sources[source as usize].weight = 1.0;
    alone
}
