//! One operation of a scenario: what a request does.

use std::sync::Arc;

use super::decide::Decisions;
use super::events::Pushes;
use super::features::Reads;
use super::freshness::Freshness;
use super::health::Health;
use super::rank::Ranks;
use super::replayed::Replayed;
use super::retrieve::Candidates;
use super::{Kind, Shop};
use crate::engine::Operation as _;
use crate::measured::Answer;
use crate::targets::Role;

/// An operation ready to be called.
#[derive(Debug)]
pub(super) enum Part {
    Features(Reads),
    Retrieve(Candidates),
    Rank(Ranks),
    Decide(Decisions),
    Events(Pushes),
    Freshness(Freshness),
    Health(Health),
    Replayed(Replayed),
}

impl Part {
    pub(super) fn new(kind: Kind, shop: &Arc<Shop>) -> anyhow::Result<Self> {
        Ok(match kind {
            Kind::Features => Self::Features(Reads::new(shop)?),
            Kind::Retrieve => Self::Retrieve(Candidates::new(shop)?),
            Kind::Rank => Self::Rank(Ranks::new(shop)?),
            Kind::Decide { commit } => Self::Decide(Decisions::new(shop, commit)?),
            Kind::Events => Self::Events(Pushes::new(shop)?),
            Kind::Freshness => Self::Freshness(Freshness::new(shop)?),
            Kind::Health => Self::Health(Health::new(shop.targets.need(Role::Features)?)),
        })
    }

    pub(super) async fn call(&self, request: u64) -> Answer {
        match self {
            Self::Features(features) => features.call(request).await,
            Self::Retrieve(retrieve) => retrieve.call(request).await,
            Self::Rank(rank) => rank.call(request).await,
            Self::Decide(decide) => decide.call(request).await,
            Self::Events(events) => events.call(request).await,
            Self::Freshness(freshness) => freshness.call(request).await,
            Self::Health(health) => health.call(request).await,
            Self::Replayed(replayed) => replayed.call(request).await,
        }
    }
}
