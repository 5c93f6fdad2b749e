//! A real server on a free port, over an embedded store in a temporary folder.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test may fail loudly, in its helpers too"
)]

mod catalog;
mod erasures;
mod events;
mod malformed;
mod reading;
mod server;
mod shoppers;
mod support;
