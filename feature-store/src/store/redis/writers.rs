//! The connections for writes.
//!
//! Redis takes 16 KiB from each connection before it writes its log to disk and answers. Through a
//! single one a large commit takes several syncs of the disk, and whoever comes after it waits for
//! them; through some, what is under way shares its syncs.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use futures::future::join_all;
use redis::Pipeline;
use redis::aio::ConnectionManager;

/// At 1,600 commits a second their median is 7 to 8 ms with eight and 9 to 10 ms with one.
pub(super) const WRITERS: usize = 8;

/// Between two tries of broken connections; the wait grows to the longest.
const FIRST_WAIT: Duration = Duration::from_millis(20);
const LONGEST_WAIT: Duration = Duration::from_millis(500);

/// Connections that take turns.
pub(super) struct Writers {
    connections: Vec<ConnectionManager>,
    turn: AtomicUsize,
    /// How often a connection to this Redis broke since all of these last answered.
    breaks: AtomicUsize,
}

impl Writers {
    pub(super) fn new(connections: Vec<ConnectionManager>) -> Self {
        Self {
            connections,
            turn: AtomicUsize::new(0),
            breaks: AtomicUsize::new(0),
        }
    }

    pub(super) fn all(&self) -> &[ConnectionManager] {
        &self.connections
    }

    /// Whose turn it is; `None` while they may be broken.
    pub(super) fn next(&self) -> Option<ConnectionManager> {
        if self.breaks.load(Ordering::Relaxed) > 0 {
            return None;
        }
        let turn = self.turn.fetch_add(1, Ordering::Relaxed) % self.connections.len().max(1);
        self.connections.get(turn).cloned()
    }

    /// A connection to this Redis broke, and these did as well: each is tried with something that
    /// may fail before it carries a write again. Otherwise each would cost somebody a commit of which
    /// nobody knows whether it happened.
    pub(super) fn broke(self: &Arc<Self>, patience: Duration) {
        if self.breaks.fetch_add(1, Ordering::Relaxed) == 0 {
            tokio::spawn(mend(Arc::downgrade(self), patience));
        }
    }

    /// Whether every connection answers, and none broke meanwhile. One that fails is made again.
    async fn answer(&self, patience: Duration) -> bool {
        let breaks = self.breaks.load(Ordering::Relaxed);
        let ping = ping();
        let answers = self.connections.iter().map(async |connection| {
            let mut connection = connection.clone();
            let answer = tokio::time::timeout(patience, ping.exec_async(&mut connection));
            matches!(answer.await, Ok(Ok(())))
        });
        let whole = join_all(answers).await.into_iter().all(|answers| answers);
        whole
            && self
                .breaks
                .compare_exchange(breaks, 0, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
    }
}

async fn mend(writers: Weak<Writers>, patience: Duration) {
    let mut wait = FIRST_WAIT;
    while let Some(writers) = writers.upgrade() {
        if writers.answer(patience).await {
            return;
        }
        drop(writers);
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}

pub(super) fn ping() -> Pipeline {
    let mut ping = Pipeline::new();
    ping.cmd("PING");
    ping
}
