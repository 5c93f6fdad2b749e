//! `mixed`: a shop's day, events and decisions in the proportions of real data.

use std::sync::Arc;

use super::Shop;
use super::decide::Decisions;
use super::events::Pushes;
use crate::measured::Answer;
use crate::random::Random;

#[derive(Debug)]
pub(crate) struct Day {
    events: Pushes,
    decisions: Decisions,
    seed: u64,
}

/// One decision for each of the 111 carts among 17,434 events of the REES46 shop.
const DECISIONS: f64 = 111.0 / (111.0 + 17_434.0);
/// Keeps the choice between the two apart from what each draws for the same request.
const CHOICE: u64 = 0x6461_7900;

impl Day {
    pub(super) fn new(shop: &Arc<Shop>) -> anyhow::Result<Self> {
        Ok(Self {
            events: Pushes::one_by_one(shop)?,
            decisions: Decisions::new(shop, false)?,
            seed: shop.seed,
        })
    }

    pub(super) async fn call(&self, request: u64) -> Answer {
        if Random::of(self.seed ^ CHOICE, request).unit() < DECISIONS {
            self.decisions.call(request).await
        } else {
            self.events.call(request).await
        }
    }
}
