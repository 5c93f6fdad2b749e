//! A role's life on real sockets: readiness, tokens, TLS, panics, metrics, draining, admission.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test may fail loudly, in its helpers too"
)]

mod admission;
mod life;
mod protection;
mod pushes;
mod toy;
mod traces;
