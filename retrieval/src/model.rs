use std::sync::Arc;

use snapshot::{Catalogue, Snapshot};

use crate::files::read_fusion;
use crate::filters::{FilterIndex, Rules};
use crate::interests::Interest;
use crate::query::check_k;
use crate::scratch::Scratch;
use crate::search::{Found, Task};
use crate::sessions::Sessions;
use crate::sources::{Collaborative, Content, Covisitation, Popularity};
use crate::{
    Answer, AnswerPlan, Error, Filter, FusionWeights, Gate, Kind, PlanKind, Query, SessionSettings,
    Source, fusion, interests, scratch,
};

/// What [`Answer::degraded`] says when the generation has vectors and they were not searched.
pub const COLLABORATIVE_DOWN: &str = "collaborative: vectors are not searched here";

/// A loaded generation: everything that candidates are found from. Read-only, and used from any
/// number of threads.
#[derive(Clone, Debug)]
pub struct Model {
    pub(crate) catalogue: Arc<Catalogue>,
    pub(crate) filters: Arc<FilterIndex>,
    pub(crate) sessions: Option<Sessions>,
    pub(crate) covisitation: Arc<Covisitation>,
    pub(crate) popularity: Arc<Popularity>,
    pub(crate) collaborative: Option<Arc<Collaborative>>,
    pub(crate) content: Option<Arc<Content>>,
    pub(crate) fusion: FusionWeights,
    degraded: Vec<String>,
}

impl Model {
    /// Loads every source of the snapshot.
    ///
    /// # Errors
    /// A file that is absent, unreadable or does not fit the catalogue.
    pub fn load(snapshot: &Snapshot) -> Result<Self, Error> {
        let mut model = Self::load_tables(snapshot)?;
        let items = model.catalogue.len();
        model.sessions = load_sessions(snapshot, items)?;
        model.collaborative = Collaborative::load(snapshot, items)?.map(Arc::new);
        model.content = Content::load(snapshot, items)?.map(Arc::new);
        Ok(model)
    }

    /// Co-visitation and popularity only: a small part of the memory, for whoever needs an answer
    /// when the one with the vectors is out of reach. Answers say so in `degraded` when the
    /// snapshot has vectors.
    ///
    /// # Errors
    /// As [`Model::load`].
    pub fn load_without_index(snapshot: &Snapshot) -> Result<Self, Error> {
        let mut model = Self::load_tables(snapshot)?;
        if !snapshot.manifest().spaces.is_empty() {
            model.degraded.push(COLLABORATIVE_DOWN.to_owned());
        }
        Ok(model)
    }

    fn load_tables(snapshot: &Snapshot) -> Result<Self, Error> {
        let catalogue = Arc::new(Catalogue::load(snapshot)?);
        let fusion = read_fusion(snapshot)?;
        let popularity = Popularity::load(snapshot, &catalogue, fusion.price_bands)?;
        Ok(Self {
            filters: Arc::new(FilterIndex::new(&catalogue)),
            sessions: None,
            covisitation: Arc::new(Covisitation::load(snapshot, catalogue.len())?),
            popularity: Arc::new(popularity),
            collaborative: None,
            content: None,
            fusion,
            degraded: Vec::new(),
            catalogue,
        })
    }

    #[must_use]
    pub fn catalogue(&self) -> &Arc<Catalogue> {
        &self.catalogue
    }

    /// The same sources, with their lists made one in another way. Shares all that is large.
    ///
    /// # Errors
    /// Weights outside their limits.
    pub fn with_fusion(&self, fusion: FusionWeights) -> Result<Self, Error> {
        fusion.validate()?;
        let bands = fusion.price_bands;
        Ok(Self {
            popularity: Arc::new(self.popularity.with_bands(&self.catalogue, bands)),
            fusion,
            ..self.clone()
        })
    }

    /// The past sessions that candidates come from, if there are any.
    #[must_use]
    pub fn sessions(&self) -> Option<&Sessions> {
        self.sessions.as_ref()
    }

    /// The same sources with these past sessions. Shares all else.
    #[must_use]
    pub fn with_sessions(&self, sessions: Sessions) -> Self {
        let mut model = self.clone();
        model.sessions = Some(sessions);
        model.degraded.retain(|said| !is_of_sessions(said));
        model
    }

    /// The same sources without past sessions, for a reason that every answer tells in `degraded`.
    #[must_use]
    pub fn without_sessions(&self, why: &str) -> Self {
        let mut model = self.clone();
        model.sessions = None;
        model.degraded.retain(|said| !is_of_sessions(said));
        let source = Source::Sessions.as_str();
        model.degraded.push(format!("{source}: {why}"));
        model
    }

    #[must_use]
    pub fn fusion(&self) -> &FusionWeights {
        &self.fusion
    }

    /// Up to k items for what the shopper did lately: never an excluded or blocked one, never one
    /// outside the filter, and never one that was bought unless the query allows it. Fewer than k
    /// only when no more are eligible.
    ///
    /// # Errors
    /// A query outside its limits, or a gate made for another generation.
    pub fn retrieve(&self, query: &Query, gate: &Gate) -> Result<Answer, Error> {
        self.ask(query, gate, query.k)
    }

    /// As [`Model::retrieve`], with every item that any source named for `query.k` among the
    /// candidates: what the weights of the sources are learned from.
    ///
    /// # Errors
    /// As [`Model::retrieve`].
    pub fn named(&self, query: &Query, gate: &Gate) -> Result<Answer, Error> {
        self.ask(query, gate, usize::MAX)
    }

    fn ask(&self, query: &Query, gate: &Gate, keep: usize) -> Result<Answer, Error> {
        query.validate()?;
        self.check_gate(gate)?;
        let (interests, unknown) = interests::of(query, &self.catalogue);
        let task = Task {
            interests: &interests,
            k: query.k,
            keep,
        };
        let rules = Rules {
            filter: &query.filter,
            gate,
            exclude: &query.exclude,
            interests: &interests,
            rebuy: query.rebuy,
        };
        scratch::with(self.catalogue.len(), |scratch| {
            scratch.asked.set(&query.score, &self.catalogue);
            let eligible = self.admit(&rules, scratch);
            let found = self.search(task, scratch);
            let _fuse = tracing::info_span!(target: crate::STAGE, "fuse").entered();
            let mut answer = self.answer(task, found, eligible, &query.score, scratch);
            answer.unknown = unknown;
            Ok(answer)
        })
    }

    /// Up to k items near one item, itself left out: by the angle between their vectors, else by
    /// shared sessions; where those are too few also by what is said of them; then popular ones of
    /// its category.
    ///
    /// # Errors
    /// An item that the generation does not know, a bad k or filter, a gate made for another
    /// generation.
    pub fn similar(
        &self,
        item_id: &str,
        k: usize,
        filter: &Filter,
        gate: &Gate,
    ) -> Result<Answer, Error> {
        check_k(k)?;
        filter.validate()?;
        self.check_gate(gate)?;
        let unknown = || Error::UnknownItem {
            item_id: item_id.to_owned(),
        };
        let ordinal = self.catalogue.ordinal(item_id).ok_or_else(unknown)?;
        let interests = [Interest {
            ordinal,
            weight: 1.0,
            earlier: false,
            newest: Kind::View,
            bought: false,
            rebuy: 0.0,
        }];
        let task = Task {
            interests: &interests,
            k,
            keep: k,
        };
        let exclude = [item_id.to_owned()];
        let rules = Rules {
            filter,
            gate,
            exclude: &exclude,
            interests: &interests,
            rebuy: false,
        };
        scratch::with(self.catalogue.len(), |scratch| {
            scratch.asked.set(&[], &self.catalogue);
            let eligible = self.admit(&rules, scratch);
            let found = self.search_near(ordinal, task, scratch);
            Ok(self.answer(task, found, eligible, &[], scratch))
        })
    }

    fn answer(
        &self,
        task: Task<'_>,
        found: Found,
        eligible: u64,
        score: &[String],
        scratch: &mut Scratch,
    ) -> Answer {
        let (candidates, scored) = fusion::fuse(scratch, self, task, score);
        let kind = if eligible < task.k as u64 {
            PlanKind::Short
        } else {
            found.kind()
        };
        let mut degraded = self.degraded.clone();
        degraded.extend(found.failures);
        let plan = AnswerPlan {
            kind,
            eligible,
            lists_probed: found.lists_probed,
        };
        Answer {
            candidates,
            scored,
            plan,
            unknown: Vec::new(),
            degraded,
        }
    }

    fn check_gate(&self, gate: &Gate) -> Result<(), Error> {
        if gate.len() == self.catalogue.len() {
            return Ok(());
        }
        Err(Error::Invalid {
            field: "gate",
            value: format!("made for {} items", gate.len()),
            allowed: format!("this generation has {}", self.catalogue.len()),
        })
    }
}

fn is_of_sessions(said: &str) -> bool {
    said.split(':').next() == Some(Source::Sessions.as_str())
}

/// Going back is a source of its own here, which knows what was bought.
fn load_sessions(snapshot: &Snapshot, items: usize) -> Result<Option<Sessions>, Error> {
    let Some(sessions) = Sessions::load(snapshot, items)? else {
        return Ok(None);
    };
    let settings = SessionSettings {
        revisit: 0.0,
        stay: 0.0,
        ..*sessions.settings()
    };
    sessions.with_settings(settings).map(Some)
}
