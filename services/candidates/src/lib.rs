//! The candidates role: items for a shopper, from one loaded generation.
//!
//! | module | what it holds |
//! |---|---|
//! | [`config`] | the role's settings |
//! | [`role`] | [`run`]: bind, load off the runtime, warm up, be ready |
//! | [`error`] | why the role does not start, and the gRPC code of each of the library's errors |
//! | [`gates`] | what is measured of a snapshot before it may go live |
//! | `generation` | a loaded snapshot, and how this role makes one |
//! | `follow` | what `features` tells: item updates, and who was erased |
//! | `overlay` | stock and prices, laid over generations as gates |
//! | `erasures` | who was erased, taken out of past sessions |
//! | `desk` | the threads of the two |
//! | `shopper` | a shopper's recent items, read from `features` under the caller's deadline |
//! | `grpc`, `convert` | one thin adapter per service; protobuf to domain and back |
//! | [`metrics`] | what the role counts |
//!
//! Everything that is searched here is searched by `retrieval`. A search takes well under a
//! millisecond and runs on the thread that took the request.

pub mod config;
mod convert;
mod desk;
mod erasures;
pub mod error;
mod follow;
pub mod gates;
mod generation;
mod grpc;
pub mod metrics;
mod overlay;
pub mod role;
mod shopper;

pub use config::Config;
pub use error::Error;
pub use gates::examine_folder;
pub use kit::Running;
pub use role::run;
