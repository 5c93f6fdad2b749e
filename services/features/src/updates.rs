//! The stream of item updates: the whole table, then its changes.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use feature_store::{FeatureStore, ItemRow, Millis};
use kit::{CancellationToken, Clock};
use proto::v1 as pb;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, mpsc};
use tonic::Status;

use crate::convert::{item, time};

/// Rows in one message: a few hundred KiB at most.
const ROWS_PER_MESSAGE: usize = 500;
/// How long changes are collected before they are sent.
const COLLECT: Duration = Duration::from_millis(100);
/// A message goes out at least this often, so that a reader can tell silence from lag.
const HEARTBEAT: Duration = Duration::from_secs(1);
const A_MINUTE_MS: i64 = 60_000;
const LOOK_AGAIN: Duration = Duration::from_millis(5);
/// Messages that wait for a slow reader before the feed waits for it.
const AHEAD: usize = 4;

type Changes = broadcast::Receiver<Arc<[Arc<str>]>>;

/// Waits until the item table holds what the store held at the start: a table that is told before
/// would be taken for the whole one.
pub(crate) async fn table_loaded(store: &FeatureStore, clock: &Clock) {
    // The table's minute is 0 until it is loaded, and in the first minute of 1970.
    while store.items().as_of() == Millis(0) && clock.now_ms() >= A_MINUTE_MS {
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// One reader's stream.
#[derive(Debug)]
pub(crate) struct Feed {
    store: FeatureStore,
    clock: Clock,
    sender: mpsc::Sender<Result<pb::ItemUpdates, Status>>,
    complete: bool,
}

/// The reader has gone.
struct Gone;

impl Feed {
    pub(crate) fn new(
        store: FeatureStore,
        clock: Clock,
    ) -> (Self, mpsc::Receiver<Result<pb::ItemUpdates, Status>>) {
        let (sender, receiver) = mpsc::channel(AHEAD);
        (
            Self {
                store,
                clock,
                sender,
                complete: false,
            },
            receiver,
        )
    }

    /// Sends until the reader goes or the role stops.
    pub(crate) async fn run(mut self, shutdown: CancellationToken) {
        let sender = self.sender.clone();
        tokio::select! {
            Err(Gone) = self.send_all() => {}
            () = sender.closed() => {}
            () = shutdown.cancelled() => {}
        }
    }

    async fn send_all(&mut self) -> Result<(), Gone> {
        table_loaded(&self.store, &self.clock).await;
        let mut changes = self.store.items().subscribe();
        self.send_table().await?;
        loop {
            match self.collect(&mut changes).await {
                Some(changed) => self.send_changed(&changed).await?,
                None => self.send_table().await?,
            }
        }
    }

    /// The ids that change within [`COLLECT`] of the first change; empty when nothing changes for
    /// a heartbeat; `None` when changes were missed and the whole table is due.
    async fn collect(&self, changes: &mut Changes) -> Option<BTreeSet<Arc<str>>> {
        let mut ids = BTreeSet::new();
        match tokio::time::timeout(HEARTBEAT, changes.recv()).await {
            Err(_silence) => return Some(ids),
            Ok(Err(RecvError::Lagged(_))) => return None,
            // The table lives as long as the role, so this ends with the role.
            Ok(Err(RecvError::Closed)) => std::future::pending().await,
            Ok(Ok(first)) => ids.extend(first.iter().cloned()),
        }
        let until = tokio::time::Instant::now() + COLLECT;
        while let Ok(more) = tokio::time::timeout_at(until, changes.recv()).await {
            ids.extend(more.ok()?.iter().cloned());
        }
        Some(ids)
    }

    async fn send_table(&mut self) -> Result<(), Gone> {
        let rows = self.store.items().snapshot();
        let mut chunks = rows.chunks(ROWS_PER_MESSAGE).peekable();
        while let Some(chunk) = chunks.next() {
            self.complete |= chunks.peek().is_none();
            self.send(chunk).await?;
        }
        if !self.complete {
            self.complete = true;
            self.send(&[]).await?;
        }
        Ok(())
    }

    async fn send_changed(&mut self, ids: &BTreeSet<Arc<str>>) -> Result<(), Gone> {
        let table = self.store.items();
        let rows: Vec<_> = ids.iter().filter_map(|id| table.get(id)).collect();
        if rows.is_empty() {
            return self.send(&[]).await;
        }
        for chunk in rows.chunks(ROWS_PER_MESSAGE) {
            self.send(chunk).await?;
        }
        Ok(())
    }

    async fn send(&self, rows: &[Arc<ItemRow>]) -> Result<(), Gone> {
        let message = pb::ItemUpdates {
            items: rows
                .iter()
                .filter_map(|row| row.item.as_deref())
                .map(item::encode)
                .collect(),
            stats: rows.iter().map(|row| item::encode_stats(row)).collect(),
            table_complete: self.complete,
            sent_at: Some(time::encode(Millis(self.clock.now_ms()))),
        };
        self.sender.send(Ok(message)).await.map_err(|_| Gone)
    }
}
