//! The shell that every service shares. It knows nothing of carts, features or models.
//!
//! | module | what it gives |
//! |---|---|
//! | [`config`] | defaults, file, environment and flags as one checked value; every mistake in one run |
//! | [`telemetry`], [`metrics`], [`admin`] | logs; metrics, declared once; `/live`, `/ready`, `/metrics` |
//! | [`trace`] | what a request did, stage by stage and across processes |
//! | [`shell`] | [`Shell`] binds, serves, reports readiness and drains; [`Running`] is a started role |
//! | [`admission`] | who gets in when there is too much: a limit, a short queue, refusals that say when to come back |
//! | [`listen`], [`security`], [`auth`] | binding with a helpful refusal, TLS, tokens with scopes |
//! | [`health`] | gRPC health and reflection |
//! | [`status`], [`problem`] | refusing a bad request by its fields; few error kinds, one table to gRPC codes |
//! | [`deadline`], [`client`], [`breaker`] | what is left of a caller's time, channels to other roles, and when not to ask them |
//! | [`clock`], [`timestamp`], [`live`], [`pin`] | time that can be simulated, times on the wire, state that is swapped, and asking for one of it |
//! | [`shutdown`], [`panics`], [`undecodable`] | SIGTERM as a token, a panic as INTERNAL, garbage as INVALID_ARGUMENT |
//! | [`memory`] | giving freed memory back when nobody waits for it |
//!
//! A role is five steps: load a config, [`Shell::bind`], register metrics, [`Shell::start`] with its
//! services, and [`Running::ready`] once what it serves is loaded and warm.

pub mod admin;
pub mod admission;
pub mod auth;
pub mod breaker;
pub mod causes;
pub mod client;
pub mod clock;
pub mod config;
pub mod deadline;
pub mod health;
pub mod listen;
pub mod live;
pub mod memory;
pub mod metrics;
pub mod panics;
pub mod pin;
pub mod problem;
pub mod security;
pub mod shell;
pub mod shutdown;
pub mod status;
pub mod telemetry;
pub mod timestamp;
pub mod trace;
pub mod undecodable;

pub use clock::{Clock, ClockSettings};
pub use deadline::Deadline;
pub use live::Live;
pub use pin::NotHeld;
pub use problem::Problem;
pub use shell::{Running, Shell};
pub use status::Violations;

pub use tokio_util::sync::CancellationToken;

/// The largest message that a server decodes and a client accepts, in bytes: 16 MiB. A request
/// beyond it is refused with OUT_OF_RANGE before it is read.
pub const MAX_MESSAGE_BYTES: usize = 16 * 1024 * 1024;

/// Version of this build, as `SnapshotService.GetStatus` reports it.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
