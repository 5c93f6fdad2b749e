//! The features role: events in; features, carts, profiles and items out.
//!
//! | module | what it holds |
//! |---|---|
//! | [`config`] | the role's settings |
//! | [`role`] | [`run`]: bind, serve, follow the items, be ready |
//! | [`opening`] | the store that the settings name |
//! | [`error`] | why the role does not start, and the gRPC code of each of the library's errors |
//! | `grpc` | one thin adapter per service |
//! | `convert` | protobuf to domain and back, with the limits that the contract states |
//! | `batch`, `plans`, `updates` | a batch of events, resolved feature lists, the stream of item updates |
//! | `telling` | the stream of who was erased |
//! | `retention` | ending what is older than it is to be kept |
//! | [`metrics`], `store_calls` | what the role counts |
//!
//! Everything that is computed here is computed by `feature_store`.

mod batch;
pub mod config;
mod convert;
pub mod error;
mod grpc;
pub mod metrics;
pub mod opening;
mod plans;
mod retention;
pub mod role;
mod store_calls;
mod telling;
mod updates;

pub use config::Config;
pub use error::Error;
pub use kit::Running;
pub use opening::open_store;
pub use role::run;
