//! The connections for writes.
//!
//! Redis takes 16 KiB from each connection before it writes its log to disk and answers. Through a
//! single one a large commit takes several syncs of the disk, and whoever comes after it waits for
//! them; through some, what is under way shares its syncs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use redis::Pipeline;
use redis::aio::ConnectionManager;

/// At 2,000 commits a second their median is 13 ms with eight and 22 ms with one.
pub(super) const WRITERS: usize = 8;
const TRY_AGAIN: Duration = Duration::from_millis(500);

/// Connections that take turns.
pub(super) struct Writers {
    connections: Vec<ConnectionManager>,
    turn: AtomicUsize,
    are_broken: AtomicBool,
}

impl Writers {
    pub(super) fn new(connections: Vec<ConnectionManager>) -> Self {
        Self {
            connections,
            turn: AtomicUsize::new(0),
            are_broken: AtomicBool::new(false),
        }
    }

    pub(super) fn all(&self) -> &[ConnectionManager] {
        &self.connections
    }

    /// Whose turn it is; `None` while they may be broken.
    pub(super) fn next(&self) -> Option<ConnectionManager> {
        if self.are_broken.load(Ordering::Relaxed) {
            return None;
        }
        let turn = self.turn.fetch_add(1, Ordering::Relaxed) % self.connections.len().max(1);
        self.connections.get(turn).cloned()
    }

    /// A connection to this Redis broke, and these did as well: each is tried with something that
    /// may fail before it carries a write again. Otherwise each would cost somebody a commit of which
    /// nobody knows whether it happened.
    pub(super) fn broke(self: &Arc<Self>, patience: Duration) {
        if !self.are_broken.swap(true, Ordering::Relaxed) {
            let writers = Arc::downgrade(self);
            tokio::spawn(async move {
                for place in 0.. {
                    let connection = match writers.upgrade() {
                        Some(writers) => writers.connections.get(place).cloned(),
                        None => return,
                    };
                    match connection {
                        Some(connection) => until_it_answers(connection, patience).await,
                        None => break,
                    }
                }
                if let Some(writers) = writers.upgrade() {
                    writers.are_broken.store(false, Ordering::Relaxed);
                }
            });
        }
    }
}

pub(super) fn ping() -> Pipeline {
    let mut ping = Pipeline::new();
    ping.cmd("PING");
    ping
}

/// A failed try makes the connection again.
async fn until_it_answers(mut connection: ConnectionManager, patience: Duration) {
    let ping = ping();
    loop {
        let answer = tokio::time::timeout(patience, ping.exec_async(&mut connection)).await;
        if let Ok(Ok(())) = answer {
            return;
        }
        tokio::time::sleep(TRY_AGAIN).await;
    }
}
