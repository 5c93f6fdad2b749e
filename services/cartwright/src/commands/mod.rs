//! One module for each command: its arguments, and what it does with them.

pub(crate) mod decide;
pub(crate) mod demo;
pub(crate) mod doctor;
pub(crate) mod evaluate;
pub(crate) mod events;
pub(crate) mod features;
pub(crate) mod policy;
pub(crate) mod recover;
pub(crate) mod serve;
pub(crate) mod shopper;
pub(crate) mod snapshot;
pub(crate) mod train;

use std::future::Future;

/// Runs a client command to its end. One thread is enough: it waits for a server.
fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(work)
}

/// Runs servers on the threads of this machine.
fn block_on_threads<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(work)
}
