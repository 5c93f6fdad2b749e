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

/// Why a stage answered from a fallback. A closed set, for metrics; the words of the answer say more.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// The other role was not asked: it has not answered for a while.
    Open,
    /// The other role was not asked: it takes longer than there was time.
    Unaffordable,
    /// No answer within the stage's share of the deadline.
    Late,
    /// Nothing listens there, or what it needs is gone.
    Unreachable,
    /// The other role has more to do than it can.
    Overloaded,
    /// The other role refused.
    Refused,
    /// The other role answered from another generation.
    OtherGeneration,
    /// The answer does not fit the question.
    OddAnswer,
    /// There was no time left for it.
    NoTime,
    /// The generation has no model for it.
    NoModel,
    /// The model failed.
    ModelFailed,
    /// Lines of the cart are in another currency and count without a price.
    OtherCurrency,
}

impl Reason {
    pub(crate) const ALL: [Self; 12] = [
        Self::Open,
        Self::Unaffordable,
        Self::Late,
        Self::Unreachable,
        Self::Overloaded,
        Self::Refused,
        Self::OtherGeneration,
        Self::OddAnswer,
        Self::NoTime,
        Self::NoModel,
        Self::ModelFailed,
        Self::OtherCurrency,
    ];

    /// The name in metrics.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Unaffordable => "unaffordable",
            Self::Late => "late",
            Self::Unreachable => "unreachable",
            Self::Overloaded => "overloaded",
            Self::Refused => "refused",
            Self::OtherGeneration => "other_generation",
            Self::OddAnswer => "odd_answer",
            Self::NoTime => "no_time",
            Self::NoModel => "no_model",
            Self::ModelFailed => "model_failed",
            Self::OtherCurrency => "other_currency",
        }
    }
}

impl Stage {
    pub(crate) const ALL: [Self; 5] = [
        Self::Features,
        Self::Candidates,
        Self::Rank,
        Self::Policy,
        Self::Commit,
    ];

    /// The name in answers and metrics.
    pub(crate) const fn as_str(self) -> &'static str {
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
    pub(crate) fn took(&mut self, stage: Stage, started: Instant) {
        self.stages.push((stage, started.elapsed()));
    }

    /// Notes that a stage answered from a fallback, and why.
    pub(crate) fn degrade(&mut self, stage: Stage, reason: Reason, why: &str, metrics: &Metrics) {
        metrics.degraded(stage, reason);
        let stage = stage.as_str();
        let why = format!("{stage}: {why}");
        if reason == Reason::Refused {
            // It is in the words of another role, which may have named the shopper in them.
            kit::trace::degraded(&format!("{stage}: refused"));
        } else {
            kit::trace::degraded(&why);
        }
        self.degraded.push(why);
    }
}
