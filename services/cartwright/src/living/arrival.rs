//! What arrived at a receiver, as a line of its journal.

use proto::v1 as pb;
use serde::{Deserialize, Serialize};

use crate::wire;

/// One hand-out of an action, as its receiver wrote it down before it acknowledged it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Arrival {
    pub(crate) key: String,
    pub(crate) decision_id: String,
    pub(crate) shopper_id: String,
    pub(crate) channel: String,
    pub(crate) cart_version: u64,
    pub(crate) step: u32,
    pub(crate) action: String,
    pub(crate) handed_out_at_ms: i64,
    pub(crate) again: bool,
    pub(crate) discount_minor: i64,
    pub(crate) max_cost_minor: i64,
    /// `None` without an offer.
    pub(crate) offer_ends_at_ms: Option<i64>,
}

impl Arrival {
    pub(crate) fn of(action: &pb::Action) -> Self {
        let decision = action.decision.clone().unwrap_or_default();
        let at = |time: &prost_types::Timestamp| wire::millis(time).0;
        Self {
            key: action.idempotency_key.clone(),
            decision_id: action.decision_id.clone(),
            shopper_id: action.shopper_id.clone(),
            channel: action.channel.clone(),
            cart_version: action.cart_version,
            step: action.step,
            action: wire::action(decision.action()).to_owned(),
            handed_out_at_ms: action.handed_out_at.as_ref().map(at).unwrap_or_default(),
            again: action.again,
            discount_minor: decision.offer.map_or(0, |offer| offer.discount_minor),
            max_cost_minor: decision.max_cost_minor,
            offer_ends_at_ms: action.offer_ends_at.as_ref().map(at),
        }
    }
}
