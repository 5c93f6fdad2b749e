//! What happened on the way to an answer.

use std::time::{Duration, Instant};

use crate::metrics::Metrics;

/// A part of the work with a time, and a fallback, of its own.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Features,
    Candidates,
    Rank,
    Policy,
    Commit,
}

impl Stage {
    /// The name in answers and metrics.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Features => "features",
            Self::Candidates => "candidates",
            Self::Rank => "rank",
            Self::Policy => "policy",
            Self::Commit => "commit",
        }
    }
}

/// Times of the stages, and which of them answered from a fallback.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Notes {
    /// Each `stage: why`.
    pub(crate) degraded: Vec<String>,
    pub(crate) stages: Vec<(Stage, Duration)>,
}

impl Notes {
    /// Notes the time since `started` for a stage.
    pub(crate) fn took(&mut self, stage: Stage, started: Instant, metrics: &Metrics) {
        let time = started.elapsed();
        metrics.took(stage, time);
        self.stages.push((stage, time));
    }

    /// Notes that a stage answered from a fallback, and why.
    pub(crate) fn degrade(&mut self, stage: Stage, why: &str, metrics: &Metrics) {
        metrics.degraded(stage);
        self.degraded.push(format!("{}: {why}", stage.as_str()));
    }
}
