//! The registry, on a folder, and on a bucket where `CARTWRIGHT_TEST_BUCKET` names one such as
//! `s3://bucket`: the same promises.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test may fail loudly, in its helpers too"
)]

mod activating;
mod collecting;
mod crashing;
mod fetching;
mod publishing;
mod support;
