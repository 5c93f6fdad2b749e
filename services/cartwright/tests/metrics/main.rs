//! Metrics are what they are declared to be: in the reference, on the admin port, in the dashboard
//! and in the alerts.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests fail the test"
)]

mod catalogue;
mod deploy;
mod queries;
mod reference;
mod scrape;
#[path = "../process/support.rs"]
#[expect(dead_code, reason = "shared with the process tests")]
mod support;
