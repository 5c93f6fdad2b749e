//! Session neighbours measured as the literature does it: every prefix of a session predicts the
//! next item, and nothing but the next item counts.
//!
//! Settings are chosen on validation sessions alone; test sessions are asked about once, with the
//! settings that were chosen.

mod grid;
mod log;
mod reference;

use std::collections::BTreeMap;

use feature_store::Event;
use rayon::prelude::*;
use retrieval::{SessionSettings, Sessions};

use crate::Error;
use crate::bootstrap::{self, Bounds};
use crate::metrics::{hit, real, reciprocal_rank};

pub use grid::{AXES, Axis, Tuned, most_tried, tune};
pub use log::Log;
pub use reference::VmisKnn;

/// What a method scored on one session.
#[derive(Copy, Clone, Debug, Default, PartialEq)]
pub struct SessionScore {
    pub predictions: usize,
    /// Sums over the predictions.
    pub hits: f64,
    pub reciprocal_ranks: f64,
}

/// What a method scored, session by session in the order of their names.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Score {
    pub k: usize,
    pub sessions: Vec<SessionScore>,
}

impl Score {
    #[must_use]
    pub fn predictions(&self) -> usize {
        self.sessions.iter().map(|one| one.predictions).sum()
    }

    #[must_use]
    pub fn hit_rate(&self) -> f64 {
        self.mean(|one| one.hits)
    }

    #[must_use]
    pub fn mrr(&self) -> f64 {
        self.mean(|one| one.reciprocal_ranks)
    }

    /// How much MRR this has over `other` on the same sessions, each session drawn as one.
    #[must_use]
    pub fn minus(&self, other: &Self) -> Bounds {
        let pairs = self.sessions.iter().zip(&other.sessions);
        let clusters: Vec<([f64; 1], usize)> = pairs
            .map(|(a, b)| ([a.reciprocal_ranks - b.reciprocal_ranks], a.predictions))
            .collect();
        let found = bootstrap::paired(&clusters);
        found.map(|[mrr]| mrr).unwrap_or_default()
    }

    fn mean(&self, of: impl Fn(&SessionScore) -> f64) -> f64 {
        let sum: f64 = self.sessions.iter().map(of).sum();
        sum / real(self.predictions().max(1))
    }
}

/// Asks about every prefix of at most `longest` items of each session. `next` gets what came
/// before, newest first, and answers at most k items, best first.
pub fn score(
    log: &Log,
    k: usize,
    longest: usize,
    next: impl Fn(&[u32], usize) -> Vec<u32> + Sync,
) -> Score {
    let of_session = |items: &Vec<u32>| {
        let newest_first: Vec<u32> = items.iter().rev().copied().collect();
        let mut found = SessionScore::default();
        for at in 1..items.len().min(longest.saturating_add(1)) {
            let ranked = next(&newest_first[items.len() - at..], k);
            found.predictions += 1;
            found.hits += hit(&ranked, &items[at..=at], k);
            found.reciprocal_ranks += reciprocal_rank(&ranked, &items[at..=at], k);
        }
        found
    };
    let sessions = log.sessions.par_iter().map(of_session).collect();
    Score { k, sessions }
}

/// [`score`] of session neighbours.
pub fn score_sessions(sessions: &Sessions, log: &Log, k: usize, longest: usize) -> Score {
    score(log, k, longest, |newest_first, k| {
        let ranked = sessions.next(newest_first, k);
        ranked.into_iter().map(|(item, _)| item).collect()
    })
}

/// What was measured on the test sessions, and how it came to be measured so.
#[derive(Clone, Debug, PartialEq)]
pub struct NextItemReport {
    pub score: Score,
    pub settings: SessionSettings,
    /// The objective on the validation sessions, when there were any.
    pub tuned: Option<Tuned>,
    /// VMIS-kNN as published, on the same test sessions.
    pub reference: Score,
    /// The difference of MRR to it.
    pub difference: Bounds,
}

impl NextItemReport {
    /// `hr@20`, `mrr@20` and `predictions`, of these settings and of the reference.
    #[must_use]
    pub fn metrics(&self) -> BTreeMap<String, f64> {
        let k = self.score.k;
        BTreeMap::from([
            (format!("hr@{k}"), self.score.hit_rate()),
            (format!("mrr@{k}"), self.score.mrr()),
            ("predictions".to_owned(), real(self.score.predictions())),
            (format!("vmis_hr@{k}"), self.reference.hit_rate()),
            (format!("vmis_mrr@{k}"), self.reference.mrr()),
            (format!("mrr@{k}_minus_vmis"), self.difference.mean),
            (format!("mrr@{k}_minus_vmis_low"), self.difference.low),
            (format!("mrr@{k}_minus_vmis_high"), self.difference.high),
        ])
    }
}

/// Learns from `train`, chooses settings on `valid` (without it the defaults stay), and asks about
/// `test`. Events are taken as they are, with ties of time in the order given. `told` hears how
/// many settings were tried so far.
///
/// # Errors
/// When `train` names no item.
pub fn evaluate_next_item(
    train: &[Event],
    valid: Option<&[Event]>,
    test: &[Event],
    k: usize,
    told: &mut dyn FnMut(usize),
) -> Result<NextItemReport, Error> {
    let names = log::names(train);
    if names.is_empty() {
        let refused = "none of them names an item".to_owned();
        return Err(Error::NoEvents {
            events: train.len(),
            refused,
        });
    }
    let past = Log::new(train, &names);
    let test = Log::new(test, &names);
    let settings = SessionSettings::default();
    let sessions = Sessions::new(past.table(), names.len(), settings)?;
    let tuned = match valid {
        Some(valid) => Some(tune(&sessions, &Log::new(valid, &names), k, told)?),
        None => None,
    };
    let settings = tuned.as_ref().map_or(settings, |tuned| tuned.settings);
    let score_ours = score_sessions(&sessions.with_settings(settings)?, &test, k, usize::MAX);
    let vmis = VmisKnn::published(&past, names.len());
    let reference = score(&test, k, usize::MAX, |newest_first, k| {
        vmis.next(newest_first, k)
    });
    Ok(NextItemReport {
        difference: score_ours.minus(&reference),
        score: score_ours,
        settings,
        tuned,
        reference,
    })
}
