//! Handing out: an action that was decided is checked against the person's value as it is now, made
//! part of it as sent, and only then leaves. Whoever commits first wins, an order or the message.

mod answering;
mod feed;
mod guard;
mod handing;
mod issuing;
mod redeeming;
mod webhook;

use std::sync::Arc;
use std::time::Duration;

use feature_store::store::{Log, Partition};
use feature_store::{Changed, Millis, ShopperChange};
use generations::Generations;
use kit::Problem;
use policy::Inputs;
use policy::person::OpenAction;
use proto::v1 as pb;

use crate::commit::{Books, unavailable};
use crate::decide::Decider;
use crate::generation::Generation;
use crate::items::Items;
use crate::metrics::LoopMetrics;

pub(crate) use feed::Feed;
pub(crate) use guard::SENT_OVER;
pub(crate) use issuing::{About, Carried, Tokens};
pub(crate) use redeeming::{Brought, BroughtBack, Redeemed, Redemption};
pub(crate) use webhook::{DeadLetter, GROUP, Webhook};

/// Times that a change is carried to a value that somebody else was quicker to change.
pub(crate) const ATTEMPTS: usize = 8;

/// Who asks for actions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Subscription {
    /// The queue: the outbox, or what is redriven.
    pub(crate) log: Log,
    pub(crate) group: String,
    pub(crate) consumer: String,
    /// By the wall clock.
    pub(crate) lease: Duration,
    /// All when empty.
    pub(crate) channels: Vec<String>,
}

/// A "no thanks".
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Dismissal {
    pub(crate) shopper_id: String,
    /// The present cart when absent.
    pub(crate) cart_version: Option<u64>,
}

/// An action that leaves.
#[derive(Clone, Debug)]
pub(crate) struct HandedOut {
    pub(crate) partition: Partition,
    pub(crate) sequence: u64,
    /// The end of its lease.
    pub(crate) until: Millis,
    pub(crate) shopper_id: String,
    /// The idempotency key.
    pub(crate) message: String,
    /// As it was before this hand-out.
    pub(crate) action: OpenAction,
    pub(crate) decision: pb::Decision,
    pub(crate) inputs: Inputs,
    pub(crate) carried: Carried,
    pub(crate) now_ms: i64,
}

/// What hands actions out.
#[derive(Clone, Debug)]
pub(crate) struct Actions {
    pub(crate) books: Books,
    pub(crate) items: Items,
    pub(crate) generations: Arc<Generations<Generation>>,
    pub(crate) metrics: LoopMetrics,
}

impl Actions {
    /// What hands out the decisions of `decider`; `None` without a store.
    pub(crate) fn of(decider: &Decider, metrics: &LoopMetrics) -> Option<Self> {
        Some(Self {
            books: decider.books.clone()?,
            items: decider.stages.items.clone(),
            generations: decider.generations.clone(),
            metrics: metrics.clone(),
        })
    }

    /// Ends the delivery of rows to a group.
    pub(crate) async fn acknowledge(
        &self,
        log: Log,
        group: &str,
        rows: &[(Partition, u64)],
    ) -> Result<(), Problem> {
        let acked = self.books.store.ack_queue(log, group, rows).await;
        acked.map_err(|error| unavailable("the outbox", &error))?;
        self.metrics.acknowledged(rows.len());
        Ok(())
    }

    /// Keeps a row for whoever has it; `false` when it is theirs no longer.
    pub(crate) async fn hold(
        &self,
        queue: (Log, &str),
        place: (Partition, u64),
        held_until: Millis,
        until: Millis,
    ) -> Result<bool, Problem> {
        let held = self
            .books
            .store
            .extend_lease(queue, place, held_until, until);
        held.await
            .map_err(|error| unavailable("the outbox", &error))
    }

    /// Nothing more goes out about the cart. Says whether that is new.
    pub(crate) async fn dismiss(&self, dismissal: &Dismissal) -> Result<bool, Problem> {
        let generation = self.generations.get("")?;
        for _ in 0..ATTEMPTS {
            let mut stand = self.books.stand(&dismissal.shopper_id).await?;
            let present = stand.seen.cart_version;
            let version = dismissal.cart_version.unwrap_or(present);
            if !stand.person.dismiss(version) {
                return Ok(false);
            }
            let change = ShopperChange {
                at: Millis(self.books.clock.now_ms()),
                recovery: Some(stand.person.encode()),
                look: stand.look(&generation.policy),
                ..ShopperChange::default()
            };
            let store = &self.books.store;
            let changed = store
                .change(&dismissal.shopper_id, stand.read, change)
                .await;
            match changed.map_err(|error| unavailable("the shopper", &error))? {
                Changed::Done | Changed::Decided(_) | Changed::Erased => return Ok(true),
                Changed::Conflict => {}
            }
        }
        Err(too_fast())
    }
}

pub(crate) fn too_fast() -> Problem {
    Problem::Unavailable("the shopper's value changes too fast; try again".to_owned())
}
