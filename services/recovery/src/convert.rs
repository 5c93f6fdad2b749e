//! Protobuf to domain and back. Nothing is decided here.

mod actions;
mod answers;
mod campaigns;
mod offers;
mod outcomes;
mod questions;
mod requests;

use std::time::Duration;

pub(crate) use actions::{
    acks, dead_letters, dismissal, handed_out, letters_wanted, redriven, subscription,
};
pub(crate) use answers::{action_name, decision, explained, ordered, record, results};
pub(crate) use campaigns::{campaign, campaign_id, draft};
pub(crate) use offers::{brought_back, redeemed, redemption, restoration};
pub(crate) use outcomes::{outcome_results, reports};
pub(crate) use questions::{
    cart_line, features_request, found, item_updates, own_found, retrieve_request, shopper,
};
pub(crate) use requests::{decide_request, get_decision_request, rank_request};

/// The longest that fits where it is longer than 292 billion years.
fn duration(length: Duration) -> prost_types::Duration {
    prost_types::Duration {
        seconds: i64::try_from(length.as_secs()).unwrap_or(i64::MAX),
        nanos: i32::try_from(length.subsec_nanos()).unwrap_or_default(),
    }
}
