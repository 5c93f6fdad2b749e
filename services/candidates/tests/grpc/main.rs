//! A real server on a free port, over a small snapshot, with a stand-in for the features role.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test may fail loudly, in its helpers too"
)]

mod erasures;
mod features;
mod malformed;
mod overlay;
mod retrieving;
mod server;
mod support;
mod swap;
