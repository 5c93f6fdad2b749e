//! What is sent: one module per operation. Each makes a request from its number, calls, and checks
//! the answer. A scenario is one operation, or several in proportions.

mod decide;
mod events;
mod features;
mod freshness;
pub(crate) mod health;
mod parts;
mod rank;
mod replayed;
mod retrieve;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use tonic::{Request, Status};

use crate::engine::Operation;
use crate::measured::{Answer, Failure};
use crate::plan::{Plan, Share};
use crate::population::Population;
use crate::random::Random;
use crate::replay::Replay;
use crate::server_timing::{self, ServerTiming};
use crate::targets::{Role, Targets};
use crate::trace::Tracing;
use parts::Part;
use replayed::Replayed;

/// An operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Features,
    Retrieve,
    Rank,
    Decide {
        commit: bool,
    },
    Events,
    Freshness,
    /// The empty call, to measure the path itself.
    Health,
}

/// What all requests of a run share.
#[derive(Clone, Debug)]
pub(crate) struct Shop {
    pub(crate) targets: Targets,
    pub(crate) population: Arc<Population>,
    pub(crate) seed: u64,
    /// Told apart from all other runs, since events and committed decisions have to be new.
    pub(crate) run: String,
    pub(crate) tracing: Tracing,
    /// Whether servers are asked what their time went to.
    pub(crate) ask_timing: bool,
    pub(crate) timeout: Duration,
    /// Candidates asked for, and items to be ranked.
    pub(crate) k: u32,
    /// Shoppers read by one `GetFeatures`.
    pub(crate) entities: usize,
    /// Events in one `PushEvents`.
    pub(crate) batch: usize,
    /// Generation that requests are pinned to; empty for the live one.
    pub(crate) generation: String,
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("operation is {0:?}, allowed are {names}", names = Kind::NAMES.join(", "))]
pub(crate) struct UnknownOperation(pub(crate) String);

impl FromStr for Kind {
    type Err = UnknownOperation;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text {
            "features" => Self::Features,
            "retrieve" => Self::Retrieve,
            "rank" => Self::Rank,
            "decide" => Self::Decide { commit: false },
            "decide-commit" => Self::Decide { commit: true },
            "events" => Self::Events,
            "freshness" => Self::Freshness,
            "health" => Self::Health,
            _ => return Err(UnknownOperation(text.to_owned())),
        })
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Features => "features",
            Self::Retrieve => "retrieve",
            Self::Rank => "rank",
            Self::Decide { commit: false } => "decide",
            Self::Decide { commit: true } => "decide-commit",
            Self::Events => "events",
            Self::Freshness => "freshness",
            Self::Health => "health",
        })
    }
}

impl Kind {
    pub(crate) const NAMES: [&str; 8] = [
        "features",
        "retrieve",
        "rank",
        "decide",
        "decide-commit",
        "events",
        "freshness",
        "health",
    ];

    /// Servers that the operation talks to; the first is the one that is measured.
    pub(crate) fn needs(self) -> &'static [Role] {
        match self {
            Self::Features | Self::Events | Self::Freshness | Self::Health => &[Role::Features],
            Self::Retrieve => &[Role::Candidates],
            Self::Rank | Self::Decide { .. } => &[Role::Recovery, Role::Features],
        }
    }

    /// Whether the shoppers have to be in the store before it starts.
    pub(crate) fn needs_population(self) -> bool {
        match self {
            Self::Features | Self::Rank | Self::Decide { .. } => true,
            Self::Retrieve | Self::Events | Self::Freshness | Self::Health => false,
        }
    }
}

/// A scenario ready to run.
#[derive(Debug)]
pub(crate) struct Scenario {
    /// Each with the sum of the shares up to it.
    parts: Vec<(f64, Part)>,
    seed: u64,
}

/// Keeps the choice between parts apart from what each draws for the same request.
const CHOICE: u64 = 0x6461_7900;

impl Scenario {
    pub(crate) fn new(plan: &Plan, shop: &Arc<Shop>) -> anyhow::Result<Self> {
        let mut parts = Vec::with_capacity(plan.mix.len());
        let mut sum = 0.0;
        for (position, share) in plan.mix.iter().enumerate() {
            sum += share.weight;
            let part = Part::new(share.kind, &shop.for_part(position, share))?;
            parts.push((sum, part));
        }
        Ok(Self {
            parts: parts.into_iter().map(|(at, p)| (at / sum, p)).collect(),
            seed: shop.seed,
        })
    }

    /// The events of a file, and a decision where it leaves a cart, instead of made-up ones.
    pub(crate) fn replayed(replay: &Arc<Replay>, shop: &Arc<Shop>) -> anyhow::Result<Self> {
        let part = Part::Replayed(Replayed::new(replay, shop)?);
        Ok(Self {
            parts: vec![(1.0, part)],
            seed: shop.seed,
        })
    }

    fn part(&self, request: u64) -> Option<&Part> {
        if let [(_, only)] = self.parts.as_slice() {
            return Some(only);
        }
        let at = Random::of(self.seed ^ CHOICE, request).unit();
        let chosen = self.parts.iter().find(|(up_to, _)| at < *up_to);
        chosen.or(self.parts.last()).map(|(_, part)| part)
    }
}

impl Operation for Scenario {
    async fn call(&self, request: u64) -> Answer {
        match self.part(request) {
            Some(part) => part.call(request).await,
            None => plain("nothing", Err(Failure::wrong("scenario", "it is empty"))),
        }
    }
}

impl Shop {
    /// The same shop with a run id of the scenario's own: its events and decisions are new even
    /// when another scenario of the same command sent some under the same numbers.
    pub(crate) fn for_scenario(&self, position: usize, sampled: f64) -> Arc<Self> {
        let run = format!("{}-{position}", self.run);
        Arc::new(Self {
            tracing: Tracing::of(&run, sampled),
            run,
            ..self.clone()
        })
    }

    /// The same for one part of a scenario, with the sizes that the part asks for.
    fn for_part(&self, position: usize, share: &Share) -> Arc<Self> {
        let size = |own: Option<u32>, of_all: usize| {
            own.and_then(|own| usize::try_from(own).ok())
                .unwrap_or(of_all)
        };
        Arc::new(Self {
            run: format!("{}-{position}", self.run),
            k: share.k.unwrap_or(self.k),
            entities: size(share.entities, self.entities),
            batch: size(share.batch, self.batch),
            ..self.clone()
        })
    }

    /// A message with its deadline, which the server is told too, and the request's trace.
    fn request<T>(&self, request: u64, message: T) -> Request<T> {
        let mut message = Request::new(message);
        message.set_timeout(self.timeout);
        let metadata = message.metadata_mut();
        if let Some(header) = self.tracing.traceparent(request) {
            metadata.insert("traceparent", header);
        }
        if self.ask_timing {
            metadata.insert(server_timing::ASK, server_timing::ask());
        }
        message
    }
}

/// An answer without degradation or generation, by how its check went.
fn plain(operation: &'static str, checked: Result<(), Failure>) -> Answer {
    Answer {
        operation,
        failure: checked.err(),
        degraded: false,
        generation: String::new(),
        timing: ServerTiming::Unsaid,
    }
}

fn failed(operation: &'static str, status: &Status) -> Answer {
    plain(operation, Err(Failure::from(status)))
}

impl Answer {
    fn timed(self, timing: ServerTiming) -> Self {
        Self { timing, ..self }
    }

    fn by(self, generation: String) -> Self {
        Self { generation, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_read_as_they_are_written() {
        for name in Kind::NAMES {
            assert_eq!(name.parse::<Kind>().unwrap().to_string(), name);
        }
        let error = "swap".parse::<Kind>().unwrap_err().to_string();
        assert!(error.contains("allowed are features, retrieve"), "{error}");
    }
}
