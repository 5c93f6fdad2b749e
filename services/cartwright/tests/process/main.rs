//! The real binary: started, asked, drained, killed.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests fail the test"
)]

mod crash;
mod decisions;
mod demo;
mod drain;
mod learn;
mod model;
mod pressure;
mod privacy;
mod recover;
mod support;
mod swap;
mod usage;
