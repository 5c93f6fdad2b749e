//! What every role does with snapshots: it holds their generations, brings another into the place of
//! the live one, and goes back.
//!
//! | module | what it holds |
//! |---|---|
//! | [`held`] | [`Generations`]: the live one, and the one before or the next; requests take one and keep it |
//! | [`loader`] | the thread that loads on idle cores, examines and frees |
//! | [`keeper`] | [`Keeper`]: prepare, activate, roll back, one after another; [`Role`] is what it needs of a role |
//! | `prepare` | from a published snapshot to a generation that is ready, gates among it |
//! | `begin`, `follow` | what to answer from at the start, and what the registry's records say after it |
//! | `back`, `trial` | going back: when somebody says so, and when a new generation does worse |
//! | [`settings`], `source` | which registry, how often, which bars; the cache on this machine |
//! | `book` | what is under way and what went wrong, for status and metrics |
//! | `error` | why it does not start |
//! | [`schema`] | generations of a role that needs none of a snapshot's files |
//! | [`metrics`] | what is counted |
//! | [`service`] | `SnapshotService`, the same for every role |
//!
//! It knows no index, no model and no money: a role says how one of its generations is made.

mod back;
mod begin;
mod book;
mod error;
mod follow;
pub mod held;
pub mod keeper;
pub mod loader;
pub mod metrics;
mod prepare;
pub mod schema;
pub mod service;
pub mod settings;
mod source;
mod trial;

pub use error::{LoadError, StartError};
pub use held::{Generation, Generations, Held, Swap};
pub use keeper::{Keeper, Role};
pub use prepare::Prepared;
pub use schema::Schema;
pub use service::{Identity, routes, scope_of};
pub use settings::{Settings, Setup};
