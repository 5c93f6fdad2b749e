//! The stages, each with its fallback. None of them fails: what is missing is noted.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use kit::Deadline;
use ranking::Standing;
use retrieval::Query;

use super::candidates::{self, Candidate, CandidatesClient, Found};
use super::features::FeaturesClient;
use super::miss::Miss;
use super::notes::{Notes, Stage};
use super::rank::{self, Moment, Ranked};
use crate::generation::Generation;
use crate::items::Items;
use crate::metrics::Metrics;
use crate::shopper::Shopper;

/// Share of the time left that reading features may take.
const FEATURES_SHARE: f64 = 0.45;
/// Share of the time then left that finding candidates may take; the rest is for what runs in this
/// process, and for the way back.
const CANDIDATES_SHARE: f64 = 0.65;
/// What a stage may take however much time there is: an answer comes in a few milliseconds, and one
/// that has not come by then hardly will.
const LONGEST_STAGE: Duration = Duration::from_millis(250);

/// What the stages work with, besides the generation.
#[derive(Clone, Debug)]
pub(crate) struct Stages {
    pub(crate) items: Items,
    pub(crate) features: FeaturesClient,
    pub(crate) candidates: CandidatesClient,
    pub(crate) metrics: Metrics,
}

impl Stages {
    /// Reads shoppers, each as of a time of its own: one call for all that share a time.
    pub(crate) async fn read(
        &self,
        wanted: &[(&str, i64)],
        generation: &Generation,
        deadline: Deadline,
    ) -> Vec<Result<Shopper, Miss>> {
        let stage = deadline
            .share(FEATURES_SHARE)
            .at_most(self.features.patience(LONGEST_STAGE));
        let mut moments: BTreeMap<i64, Vec<(usize, &str)>> = BTreeMap::new();
        for (at, (shopper, now_ms)) in wanted.iter().enumerate() {
            moments.entry(*now_ms).or_default().push((at, shopper));
        }
        let calls = moments
            .into_iter()
            .map(|(now_ms, asked)| self.read_at(now_ms, asked, generation, stage));
        let mut rows: Vec<_> = futures::future::join_all(calls)
            .await
            .into_iter()
            .flatten()
            .collect();
        rows.sort_by_key(|(at, _)| *at);
        rows.into_iter().map(|(_, row)| row).collect()
    }

    /// Shoppers with their places in the question, as of one time.
    async fn read_at(
        &self,
        now_ms: i64,
        asked: Vec<(usize, &str)>,
        generation: &Generation,
        stage: Deadline,
    ) -> Vec<(usize, Result<Shopper, Miss>)> {
        let (places, shoppers): (Vec<usize>, Vec<&str>) = asked.into_iter().unzip();
        let names = generation.features().names();
        let rows = match self.features.read(&shoppers, names, now_ms, stage).await {
            Ok(rows) => rows.into_iter().map(Ok).collect(),
            Err(miss) => vec![Err(miss); places.len()],
        };
        places.into_iter().zip(rows).collect()
    }

    /// Items that may be shown: from the candidates role, else from our own tables; and how the cart
    /// stands against them, which only the role's sources can say. A role that holds other
    /// generations is the caller's to deal with.
    pub(crate) async fn find(
        &self,
        query: &Query,
        generation: &Generation,
        now_ms: i64,
        deadline: Deadline,
        notes: &mut Notes,
    ) -> Result<(Found, Standing), Miss> {
        let started = Instant::now();
        let stage = deadline
            .share(CANDIDATES_SHARE)
            .at_most(self.candidates.patience(LONGEST_STAGE));
        let mut standing = Standing::default();
        let answer = if query.recent.is_empty() {
            // Nothing to go by is no question for the role: what is popular is known here too.
            candidates::from_own_tables(query, generation)
        } else {
            let answer = self
                .candidates
                .retrieve(query, generation, now_ms, stage)
                .await;
            if let Ok(found) = &answer {
                standing = found.standing();
            }
            answer
        };
        let found = match answer {
            Err(miss) if miss.held().is_some() => {
                notes.took(Stage::Candidates, started);
                return Err(miss);
            }
            Err(miss) => self.fall_back(&miss, query, generation, notes),
            Ok(found) => self.showable(found, query),
        };
        notes.took(Stage::Candidates, started);
        Ok((found, standing))
    }

    /// From our own tables, because the candidates role did not help.
    pub(crate) fn fall_back(
        &self,
        miss: &Miss,
        query: &Query,
        generation: &Generation,
        notes: &mut Notes,
    ) -> Found {
        let (found, instead) = match candidates::from_own_tables(query, generation) {
            Ok(found) => (found, "co-visitation and popularity instead".to_owned()),
            Err(miss) => (Found::default(), format!("and here: {miss}")),
        };
        notes.degrade(
            Stage::Candidates,
            miss.reason(),
            &format!("{miss}; {instead}"),
            &self.metrics,
        );
        self.showable(found, query)
    }

    /// A source may lag behind the item table, or answer oddly: what is shown is checked here.
    fn showable(&self, mut found: Found, query: &Query) -> Found {
        let shown = &mut found.candidates;
        shown.retain(|one| !query.exclude.contains(&one.item_id));
        shown.retain(|one| !self.items.is_blocked(&one.item_id));
        shown.truncate(query.k);
        found
    }

    /// Puts the candidates in order; nothing to do without any.
    pub(crate) fn rank(
        &self,
        generation: &Generation,
        moment: Moment<'_>,
        candidates: Vec<Candidate>,
        deadline: Deadline,
        notes: &mut Notes,
    ) -> Vec<Ranked> {
        if candidates.is_empty() {
            return Vec::new();
        }
        let started = Instant::now();
        kit::trace::note("candidates", candidates.len());
        let stage = tracing::info_span!(
            target: kit::trace::STAGE, "rank", candidates = candidates.len());
        let _rank = stage.entered();
        let (ranked, why) = if deadline.expired() {
            rank::unranked(generation, &self.items, candidates)
        } else {
            rank::rank(generation, &self.items, moment, candidates)
        };
        if let Some((reason, why)) = why {
            notes.degrade(Stage::Rank, reason, &why, &self.metrics);
        }
        notes.took(Stage::Rank, started);
        ranked
    }
}
