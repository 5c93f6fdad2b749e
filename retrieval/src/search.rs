//! Asking the sources of a model.

use ann_index::{Plan, SearchReport};

use crate::filters::Rules;
use crate::interests::Interest;
use crate::model::Model;
use crate::scratch::Scratch;
use crate::sources::{rebuy, revisit};
use crate::{Error, PlanKind, Source, weights};

/// The interests to find for, and how many.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Task<'a> {
    pub(crate) interests: &'a [Interest],
    pub(crate) k: usize,
}

impl Task<'_> {
    /// Items that each source names.
    pub(crate) fn depth(&self) -> usize {
        self.k.max(weights::DEPTH)
    }
}

impl Model {
    /// Sets the scratch's allowed items and counts them.
    pub(crate) fn admit(&self, rules: &Rules<'_>, scratch: &mut Scratch) -> u64 {
        let Scratch { allowed, part, .. } = scratch;
        self.filters.apply(&self.catalogue, rules, allowed, part);
        allowed.count()
    }

    /// Asks every source.
    pub(crate) fn search(&self, task: Task<'_>, scratch: &mut Scratch) -> Found {
        let Task { interests, .. } = task;
        let depth = task.depth();
        let Scratch {
            allowed,
            sums,
            sessions,
            lists,
            asked,
            ..
        } = scratch;
        revisit(interests, sums);
        asked.note_sums(Source::Revisit, sums);
        sums.drain_best(allowed, depth, lists.of_mut(Source::Revisit));
        rebuy(interests, sums);
        asked.note_sums(Source::Rebuy, sums);
        sums.drain_best(allowed, depth, lists.of_mut(Source::Rebuy));
        if let Some(source) = &self.sessions {
            let recent = interests.iter().map(|item| item.ordinal);
            source.gather(sessions, recent, sums);
            let may_stay = |id| source.may_name(sessions, id);
            asked.note(Source::Sessions, |id| {
                if may_stay(id) { sums.of(id) } else { 0.0 }
            });
            let out = lists.of_mut(Source::Sessions);
            sums.drain_where(|id| allowed.contains(id) && may_stay(id), out);
            crate::scratch::keep_best(out, depth);
        }
        self.covisitation.gather(interests, sums);
        asked.note_sums(Source::Covisitation, sums);
        sums.drain_best(allowed, depth, lists.of_mut(Source::Covisitation));
        let popular = lists.of_mut(Source::Popularity);
        self.popularity
            .in_categories(interests, allowed, depth, sums, asked, popular);
        let near = lists.of_mut(Source::Collaborative);
        Found::of(
            self.collaborative
                .as_ref()
                .map(|source| source.find(interests, allowed, depth, asked, near)),
        )
    }

    /// Asks the source that knows what is near an item, or the one that knows next best.
    pub(crate) fn search_near(&self, ordinal: u32, task: Task<'_>, scratch: &mut Scratch) -> Found {
        let Task { interests, k } = task;
        let Scratch {
            allowed,
            sums,
            lists,
            asked,
            ..
        } = scratch;
        let popular = lists.of_mut(Source::Popularity);
        self.popularity
            .in_categories(interests, allowed, k, sums, asked, popular);
        let near = lists.of_mut(Source::Collaborative);
        let found = Found::of(
            self.collaborative
                .as_ref()
                .map(|source| source.near(ordinal, allowed, k, near)),
        );
        if near.is_empty() {
            self.covisitation.gather(interests, sums);
            sums.drain_best(allowed, k, lists.of_mut(Source::Covisitation));
        }
        found
    }
}

/// How the vectors were searched, if they were.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) report: Option<SearchReport>,
    pub(crate) failure: Option<String>,
}

impl Found {
    /// A search that fails costs its source and not the answer.
    fn of(outcome: Option<Result<Option<SearchReport>, Error>>) -> Self {
        match outcome {
            None => Self::default(),
            Some(Ok(report)) => Self {
                report,
                failure: None,
            },
            Some(Err(error)) => Self {
                report: None,
                failure: Some(format!("collaborative: {error}")),
            },
        }
    }

    pub(crate) fn kind(&self) -> PlanKind {
        match self.report.map(|report| report.plan) {
            Some(Plan::Approximate) => PlanKind::Approximate,
            Some(Plan::Exact) | None => PlanKind::Exact,
        }
    }
}
