//! The recovery role: ranks, and decides what to do about a cart.
//!
//! | module | holds |
//! |---|---|
//! | [`config`](Config), [`error`](Error), `role` | settings, why it did not start, how it starts |
//! | `grpc`, `convert` | the thin adapters, and protobuf ↔ domain |
//! | `request`, `shopper`, `cart`, `items` | the question, the person, the priced cart, item facts |
//! | `generation` | everything loaded from one snapshot, replaced as a whole |
//! | `gates` | what is measured of a snapshot before it may go live |
//! | `decide` | features → candidates → rank → policy, each with its fallback |
//! | `commit`, [`record`] | a decision made part of the person's value; its log, replayed bit for bit |
//! | `policies`, `explain` | the texts of policies, kept; a logged decision in words, made again |
//! | `person`, `budget` | where a person stands, and the money of the period |
//! | `campaigns` | offers on chosen items, an overlay in the store |
//! | `sweeper` | claims who is due, tells who has left, decides |
//! | `actions`, `row` | handing out: the outbox, the check at every hand-out, "no thanks" |
//! | `outcomes`, [`outcome`] | what became of decisions: taken in, and its log |
//! | `follow` | keeps the item table equal to the one of the features role |
//! | `metrics`, `store_calls` | what is counted |
//!
//! Here no feature is computed, no vector is searched and no action is valued: those are the
//! crates below. A worse answer goes before an error, and says what it lacked.

mod actions;
mod budget;
mod campaigns;
mod cart;
mod commit;
mod config;
mod convert;
mod decide;
mod error;
mod explain;
mod follow;
mod gates;
mod generation;
mod grpc;
mod items;
pub mod metrics;
pub mod outcome;
mod outcomes;
mod person;
mod policies;
pub mod record;
mod request;
mod role;
mod row;
mod shopper;
mod store_calls;
mod sweeper;

pub use config::{Config, Recover, Tokens, Webhook};
pub use error::Error;
pub use gates::examine_folder;
pub use generation::LoadError;
pub use kit::Running;
pub use role::run;

/// The name of this role.
pub const ROLE: &str = "recovery";
