//! What is sent: one module per scenario. Each makes a request from its number, calls, and checks
//! the answer.

mod day;
mod decide;
mod events;
mod features;
mod freshness;
mod retrieve;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use tonic::{Request, Status};

use crate::engine::Operation;
use crate::measured::{Answer, Failure};
use crate::population::Population;
use crate::targets::{Role, Targets};

/// A built-in scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Features,
    Retrieve,
    Decide { commit: bool },
    Events,
    Mixed,
    Freshness,
}

/// What all requests of a run share.
#[derive(Clone, Debug)]
pub(crate) struct Shop {
    pub(crate) targets: Targets,
    pub(crate) population: Arc<Population>,
    pub(crate) seed: u64,
    /// Told apart from all other runs, since events and committed decisions have to be new.
    pub(crate) run: String,
    pub(crate) timeout: Duration,
    /// Candidates asked for.
    pub(crate) k: u32,
    /// Shoppers read by one `GetFeatures`.
    pub(crate) entities: usize,
    /// Events in one `PushEvents`.
    pub(crate) batch: usize,
    /// Generation that requests are pinned to; empty for the live one.
    pub(crate) generation: String,
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "scenario is {0:?}, allowed are features, retrieve, decide, decide-commit, events, mixed and freshness, each with an own rate if wanted: decide@1500"
)]
pub(crate) struct UnknownScenario(String);

impl FromStr for Kind {
    type Err = UnknownScenario;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text {
            "features" => Self::Features,
            "retrieve" => Self::Retrieve,
            "decide" => Self::Decide { commit: false },
            "decide-commit" => Self::Decide { commit: true },
            "events" => Self::Events,
            "mixed" => Self::Mixed,
            "freshness" => Self::Freshness,
            _ => return Err(UnknownScenario(text.to_owned())),
        })
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Features => "features",
            Self::Retrieve => "retrieve",
            Self::Decide { commit: false } => "decide",
            Self::Decide { commit: true } => "decide-commit",
            Self::Events => "events",
            Self::Mixed => "mixed",
            Self::Freshness => "freshness",
        })
    }
}

impl Kind {
    /// Servers that the scenario talks to.
    pub(crate) fn needs(self) -> &'static [Role] {
        match self {
            Self::Features | Self::Events | Self::Freshness => &[Role::Features],
            Self::Retrieve => &[Role::Candidates],
            Self::Decide { .. } | Self::Mixed => &[Role::Features, Role::Recovery],
        }
    }

    /// Whether the shoppers have to be in the store before it starts.
    pub(crate) fn needs_population(self) -> bool {
        match self {
            Self::Features | Self::Decide { .. } | Self::Mixed => true,
            Self::Retrieve | Self::Events | Self::Freshness => false,
        }
    }
}

/// A scenario ready to run.
#[derive(Debug)]
pub(crate) enum Scenario {
    Features(features::Reads),
    Retrieve(retrieve::Candidates),
    Decide(decide::Decisions),
    Events(events::Pushes),
    Mixed(day::Day),
    Freshness(freshness::Freshness),
}

impl Scenario {
    pub(crate) fn new(kind: Kind, shop: &Arc<Shop>) -> anyhow::Result<Self> {
        Ok(match kind {
            Kind::Features => Self::Features(features::Reads::new(shop)?),
            Kind::Retrieve => Self::Retrieve(retrieve::Candidates::new(shop)?),
            Kind::Decide { commit } => Self::Decide(decide::Decisions::new(shop, commit)?),
            Kind::Events => Self::Events(events::Pushes::new(shop)?),
            Kind::Mixed => Self::Mixed(day::Day::new(shop)?),
            Kind::Freshness => Self::Freshness(freshness::Freshness::new(shop)?),
        })
    }
}

impl Operation for Scenario {
    async fn call(&self, request: u64) -> Answer {
        match self {
            Self::Features(features) => features.call(request).await,
            Self::Retrieve(retrieve) => retrieve.call(request).await,
            Self::Decide(decide) => decide.call(request).await,
            Self::Events(events) => events.call(request).await,
            Self::Mixed(mixed) => mixed.call(request).await,
            Self::Freshness(freshness) => freshness.call(request).await,
        }
    }
}

impl Shop {
    /// The same shop with a run id of the scenario's own: its events and decisions are new even
    /// when another scenario of the same command sent some under the same numbers.
    pub(crate) fn for_scenario(&self, position: usize) -> Arc<Self> {
        Arc::new(Self {
            run: format!("{}-{position}", self.run),
            ..self.clone()
        })
    }

    /// A request with its deadline, which the server is told too.
    fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.set_timeout(self.timeout);
        request
    }
}

/// An answer without degradation or generation, by how its check went.
fn plain(operation: &'static str, checked: Result<(), Failure>) -> Answer {
    Answer {
        operation,
        failure: checked.err(),
        degraded: false,
        generation: String::new(),
    }
}

fn failed(operation: &'static str, status: &Status) -> Answer {
    plain(operation, Err(Failure::from(status)))
}
