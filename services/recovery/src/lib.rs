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
//! | `commit`, [`record`] | the decision log: written once, answered ever after, replayed bit for bit |
//! | `follow` | keeps the item table equal to the one of the features role |
//! | `metrics`, `store_calls` | what is counted |
//!
//! Here no feature is computed, no vector is searched and no action is valued: those are the
//! crates below. A worse answer goes before an error, and says what it lacked.

mod cart;
mod commit;
mod config;
mod convert;
mod decide;
mod error;
mod follow;
mod gates;
mod generation;
mod grpc;
mod items;
pub mod metrics;
pub mod record;
mod request;
mod role;
mod shopper;
mod store_calls;

pub use config::Config;
pub use error::Error;
pub use gates::examine_folder;
pub use generation::LoadError;
pub use kit::Running;
pub use role::run;

/// The name of this role.
pub const ROLE: &str = "recovery";
