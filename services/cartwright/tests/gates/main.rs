//! Broken snapshots at the gates: each is refused by the one that should, the live generation stays,
//! and what can be gone past is gone past by naming exactly that gate.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail loudly, in its helpers too"
)]

mod broken;
mod built;
mod models;
mod shop;
mod surgery;
mod unreadable;
