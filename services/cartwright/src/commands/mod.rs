//! One module for each command: its arguments, and what it does with them.

pub(crate) mod decide;
pub(crate) mod decision;
pub(crate) mod demo;
pub(crate) mod doctor;
pub(crate) mod drill;
pub(crate) mod evaluate;
pub(crate) mod events;
pub(crate) mod features;
pub(crate) mod model;
pub(crate) mod policy;
pub(crate) mod privacy;
pub(crate) mod recover;
pub(crate) mod report;
pub(crate) mod serve;
pub(crate) mod shopper;
pub(crate) mod simulate;
pub(crate) mod snapshot;
pub(crate) mod train;
pub(crate) mod webhook;

use std::future::Future;

/// Runs a client command to its end. One thread is enough: it waits for a server.
fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(work)
}

/// Runs servers on some threads; half of the cores without a number.
///
/// The roles, and Redis, often share a machine. A thread more in each only means more waking of each
/// other.
fn block_on_threads<T>(
    threads: Option<u16>,
    work: impl Future<Output = anyhow::Result<T>>,
) -> anyhow::Result<T> {
    let half = std::thread::available_parallelism().map_or(1, |cores| cores.get().div_ceil(2));
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads.map_or(half, usize::from))
        .enable_all()
        .build()?
        .block_on(work)
}
