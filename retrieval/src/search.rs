//! Asking the sources of a model.

use ann_index::{Plan, SearchReport};

use crate::filters::Rules;
use crate::interests::{Interest, with_earlier};
use crate::model::Model;
use crate::scratch::{Scratch, keep_best};
use crate::sources::{Asking, rebuy, revisit};
use crate::{Error, PlanKind, Source, weights};

/// The interests to find for, and how many.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Task<'a> {
    pub(crate) interests: &'a [Interest],
    pub(crate) k: usize,
    /// Candidates to answer at most.
    pub(crate) keep: usize,
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
        let _filter = tracing::info_span!(target: crate::STAGE, "filter").entered();
        let Scratch { allowed, part, .. } = scratch;
        self.filters.apply(&self.catalogue, rules, allowed, part);
        allowed.count()
    }

    /// Asks every source.
    pub(crate) fn search(&self, task: Task<'_>, scratch: &mut Scratch) -> Found {
        self.ask_tables(task, scratch);
        let depth = task.depth();
        let mut found = Found::default();
        if let Some(source) = &self.collaborative {
            let Scratch {
                allowed,
                lists,
                asked,
                ..
            } = scratch;
            let near = lists.of_mut(Source::Collaborative);
            let seen = with_earlier(
                task.interests,
                self.fusion.of(Source::Collaborative).earlier,
            );
            let outcome = source.find((&seen, &self.catalogue), allowed, depth, asked, near);
            found.note(Source::Collaborative, outcome);
        }
        self.search_content(task, depth, true, scratch, &mut found);
        found
    }

    /// Asks the sources that look up and do not search.
    fn ask_tables(&self, task: Task<'_>, scratch: &mut Scratch) {
        let _sources = tracing::info_span!(target: crate::STAGE, "sources").entered();
        let how = &self.fusion;
        let seen_by = |source| with_earlier(task.interests, how.of(source).earlier);
        let depth = task.depth();
        let Scratch {
            allowed,
            sums,
            sessions,
            lists,
            asked,
            ..
        } = scratch;
        revisit(&seen_by(Source::Revisit), how.newest, sums);
        asked.note_sums(Source::Revisit, sums);
        sums.drain_best(allowed, depth, lists.of_mut(Source::Revisit));
        rebuy(task.interests, sums);
        asked.note_sums(Source::Rebuy, sums);
        sums.drain_best(allowed, depth, lists.of_mut(Source::Rebuy));
        if let Some(source) = &self.sessions {
            let seen = seen_by(Source::Sessions);
            source.gather(sessions, seen.iter().map(|item| item.ordinal), sums);
            let may_stay = |id| source.may_name(sessions, id);
            asked.note(Source::Sessions, |id| {
                if may_stay(id) { sums.of(id) } else { 0.0 }
            });
            let out = lists.of_mut(Source::Sessions);
            sums.drain_where(|id| allowed.contains(id) && may_stay(id), out);
            keep_best(out, depth);
        }
        self.covisitation
            .gather(&seen_by(Source::Covisitation), sums);
        asked.note_sums(Source::Covisitation, sums);
        sums.drain_best(allowed, depth, lists.of_mut(Source::Covisitation));
        let popular = lists.of_mut(Source::Popularity);
        let seen = seen_by(Source::Popularity);
        self.popularity
            .in_categories(&seen, allowed, depth, sums, asked, popular);
    }

    fn search_content(
        &self,
        task: Task<'_>,
        depth: usize,
        is_shopper: bool,
        scratch: &mut Scratch,
        found: &mut Found,
    ) {
        if let Some(source) = &self.content {
            let seen = with_earlier(task.interests, self.fusion.of(Source::Content).earlier);
            let asking = Asking {
                interests: &seen,
                weights: &self.fusion,
                shopper: is_shopper.then_some(&*self.catalogue),
            };
            let outcome = source.find(asking, depth, scratch);
            found.note(Source::Content, outcome);
        }
    }

    /// Asks the source that knows what is near an item, or the one that knows next best.
    pub(crate) fn search_near(&self, ordinal: u32, task: Task<'_>, scratch: &mut Scratch) -> Found {
        let Task { interests, k, .. } = task;
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
        let mut found = Found::default();
        let near = lists.of_mut(Source::Collaborative);
        if let Some(source) = &self.collaborative {
            let outcome = source.near(ordinal, allowed, k, near);
            found.note(Source::Collaborative, outcome);
        }
        let mut named = near.len();
        if named == 0 {
            self.covisitation.gather(interests, sums);
            let shared = lists.of_mut(Source::Covisitation);
            sums.drain_best(allowed, k, shared);
            named = shared.len();
        }
        if named < k {
            self.search_content(task, k, false, scratch, &mut found);
        }
        found
    }
}

/// How the vectors were searched, if they were.
#[derive(Debug, Default)]
pub(crate) struct Found {
    approximate: bool,
    /// Of the search that probed most.
    pub(crate) lists_probed: u32,
    pub(crate) failures: Vec<String>,
}

impl Found {
    /// A search that fails costs its source and not the answer.
    fn note(&mut self, source: Source, outcome: Result<Option<SearchReport>, Error>) {
        match outcome {
            Ok(None) => {}
            Ok(Some(report)) => {
                self.approximate |= report.plan == Plan::Approximate;
                self.lists_probed = self.lists_probed.max(report.lists_probed);
            }
            Err(error) => self.failures.push(format!("{}: {error}", source.as_str())),
        }
    }

    pub(crate) fn kind(&self) -> PlanKind {
        if self.approximate {
            PlanKind::Approximate
        } else {
            PlanKind::Exact
        }
    }
}
