//! What is told while training, and at its end.

use std::collections::BTreeMap;
use std::fmt;

use snapshot::Snapshot;

/// Where training is.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// 1 to `of`.
    pub number: u32,
    pub of: u32,
    pub name: &'static str,
    /// A figure worth showing, such as the loss; may be empty.
    pub detail: String,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{} {}", self.number, self.of, self.name)?;
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
