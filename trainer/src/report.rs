//! What is told while training, and at its end.

use std::collections::BTreeMap;
use std::fmt;

use snapshot::Snapshot;

/// What training does, in order.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Stage {
    Cleaning,
    Past,
    Fit,
    Judge,
    Factorisation,
    Risk,
    Index,
    Golden,
}

impl Stage {
    pub const ALL: [Self; 8] = [
        Self::Cleaning,
        Self::Past,
        Self::Fit,
        Self::Judge,
        Self::Factorisation,
        Self::Risk,
        Self::Index,
        Self::Golden,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Cleaning => "cleaning",
            Self::Past => "models of the past",
            Self::Fit => "learning their use",
            Self::Judge => "leaderboard on held-out events",
            Self::Factorisation => "factorisation",
            Self::Risk => "risk",
            Self::Index => "index",
            Self::Golden => "golden requests",
        }
    }
}

/// Where training is.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    pub stage: Stage,
    /// A figure worth showing, such as the loss; may be empty.
    pub detail: String,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (number, of) = (self.stage as usize + 1, Stage::ALL.len());
        write!(f, "{number}/{of} {}", self.stage.name())?;
        if self.detail.is_empty() {
            Ok(())
        } else {
            write!(f, ": {}", self.detail)
        }
    }
}

/// What came of a training run.
#[derive(Debug)]
pub struct TrainReport {
    pub snapshot: Snapshot,
    /// The factorisation's objective after each iteration.
    pub als_loss: Vec<f64>,
    /// The risk model in a sentence.
    pub risk: String,
    /// The ranker in a sentence.
    pub ranker: String,
    /// What a user of the snapshot should know, also in its manifest.
    pub notes: Vec<String>,
    /// Measured figures by name, also in the manifest.
    pub quality: BTreeMap<String, f64>,
    /// What serving would have accepted, and what not.
    pub counts: Counts,
}

/// Cleaning: every event given is one of these.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub accepted: u64,
    pub duplicates: u64,
    /// By reason, as serving names it: `too_late`, `too_early`, `invalid`, `bot_rate`.
    pub rejected: BTreeMap<String, u64>,
}

impl Counts {
    pub fn rejected_in_all(&self) -> u64 {
        self.rejected.values().sum()
    }
}
