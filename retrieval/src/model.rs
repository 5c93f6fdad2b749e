use std::sync::Arc;

use snapshot::{Catalogue, Snapshot};

use crate::filters::{FilterIndex, Rules};
use crate::interests::Interest;
use crate::query::check_k;
use crate::scratch::Scratch;
use crate::search::{Found, Task};
use crate::sessions::Sessions;
use crate::sources::{Collaborative, Covisitation, Popularity};
use crate::{
    Answer, AnswerPlan, Error, Filter, Gate, Kind, PlanKind, Query, SessionSettings, fusion,
    interests, scratch,
};

/// What [`Answer::degraded`] says when the generation has vectors and they were not searched.
pub const COLLABORATIVE_DOWN: &str = "collaborative: vectors are not searched here";

/// A loaded generation: everything that candidates are found from. Read-only, and used from any
/// number of threads.
#[derive(Debug)]
pub struct Model {
    pub(crate) catalogue: Arc<Catalogue>,
    pub(crate) filters: FilterIndex,
    pub(crate) sessions: Option<Sessions>,
    pub(crate) covisitation: Covisitation,
    pub(crate) popularity: Popularity,
    pub(crate) collaborative: Option<Collaborative>,
    degraded: Vec<String>,
}

impl Model {
    /// Loads every source of the snapshot.
    ///
    /// # Errors
    /// A file that is absent, unreadable or does not fit the catalogue.
    pub fn load(snapshot: &Snapshot) -> Result<Self, Error> {
        let mut model = Self::load_tables(snapshot)?;
        model.collaborative = Collaborative::load(snapshot, model.catalogue.len())?;
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
        Ok(Self {
            filters: FilterIndex::new(&catalogue),
            sessions: load_sessions(snapshot, catalogue.len())?,
            covisitation: Covisitation::load(snapshot, catalogue.len())?,
            popularity: Popularity::load(snapshot, &catalogue)?,
            collaborative: None,
            degraded: Vec::new(),
            catalogue,
        })
    }

    #[must_use]
    pub fn catalogue(&self) -> &Arc<Catalogue> {
        &self.catalogue
    }

    /// Up to k items for what the shopper did lately: never an excluded or blocked one, never one
    /// outside the filter, and never one that was bought unless the query allows it. Fewer than k
    /// only when no more are eligible.
    ///
    /// # Errors
    /// A query outside its limits, or a gate made for another generation.
    pub fn retrieve(&self, query: &Query, gate: &Gate) -> Result<Answer, Error> {
        query.validate()?;
        self.check_gate(gate)?;
        let (interests, unknown) = interests::of(query, &self.catalogue);
        let task = Task {
            interests: &interests,
            k: query.k,
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
            let mut answer = self.answer(task, found, eligible, &query.score, scratch);
            answer.unknown = unknown;
            Ok(answer)
        })
    }

    /// Up to k items near one item, itself left out: by the angle between their vectors, else by
    /// shared sessions, then popular ones of its category.
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
            newest: Kind::View,
            bought: false,
            rebuy: 0.0,
        }];
        let task = Task {
            interests: &interests,
            k,
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
        let lists_probed = found.report.map_or(0, |report| report.lists_probed);
        let mut degraded = self.degraded.clone();
        degraded.extend(found.failure);
        let plan = AnswerPlan {
            kind,
            eligible,
            lists_probed,
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
