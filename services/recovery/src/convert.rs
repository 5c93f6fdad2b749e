//! Protobuf to domain and back. Nothing is decided here.

mod answers;
mod questions;
mod requests;
mod time;

pub(crate) use answers::{decision, generation_info, ordered, record, results};
pub(crate) use questions::{
    candidate, cart_line, features_request, item_updates, own_candidate, retrieve_request, shopper,
};
pub(crate) use requests::{decide_request, rank_request};
pub(crate) use time::{millis, timestamp};
