//! Follows the features role's item updates into the overlay.

use std::ops::ControlFlow;
use std::time::Duration;

use kit::client::PeerChannel;
use kit::{CancellationToken, MAX_MESSAGE_BYTES, timestamp};
use proto::v1 as pb;
use proto::v1::catalog_service_client::CatalogServiceClient;
use tonic::{Status, Streaming};

use crate::metrics::Metrics;
use crate::overlay::Overlay;

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// The sender speaks every second, changes or not; this much silence is a dead connection.
const SILENCE: Duration = Duration::from_secs(10);

/// Follows `StreamItemUpdates` for as long as the role lives. While it cannot, the last gate
/// stays in force, and the lag grows where it can be seen.
#[derive(Debug)]
pub(crate) struct Follower {
    client: CatalogServiceClient<PeerChannel>,
    overlay: Overlay,
    metrics: Metrics,
}

impl Follower {
    pub(crate) fn new(channel: PeerChannel, overlay: Overlay, metrics: Metrics) -> Self {
        let client = CatalogServiceClient::new(channel);
        let client = client.max_decoding_message_size(MAX_MESSAGE_BYTES);
        Self {
            client,
            overlay,
            metrics,
        }
    }

    /// Follows until `shutdown`.
    pub(crate) async fn run(mut self, shutdown: CancellationToken) {
        tokio::select! {
            () = self.follow_for_ever() => {}
            () = shutdown.cancelled() => {}
        }
    }

    async fn follow_for_ever(&mut self) {
        let mut pause = FIRST_PAUSE;
        let mut lost = false;
        loop {
            let (got_table, ended) = self.follow_once().await;
            self.metrics.items.connected.set(0);
            if got_table {
                pause = FIRST_PAUSE;
                lost = false;
            }
            match ended {
                Ok(()) => tracing::debug!("the stream of item updates ended"),
                Err(status) if lost => tracing::debug!(%status, "no stream of item updates yet"),
                Err(status) => {
                    lost = true;
                    tracing::warn!(%status, "lost the item updates; the gate stays as it is");
                }
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// One stream from its whole table on. Says whether it brought the table, and how it ended.
    async fn follow_once(&mut self) -> (bool, Result<(), Status>) {
        let mut complete = false;
        let ended = self.follow(&mut complete).await;
        (complete, ended)
    }

    async fn follow(&mut self, complete: &mut bool) -> Result<(), Status> {
        let request = pb::StreamItemUpdatesRequest {};
        let mut updates = self.client.stream_item_updates(request).await?.into_inner();
        self.metrics.items.connected.set(1);
        self.overlay.begin().await;
        while let ControlFlow::Continue(message) = next(&mut updates).await? {
            let sent_at = message
                .sent_at
                .as_ref()
                .and_then(|at| timestamp::decode(at).ok());
            *complete |= message.table_complete;
            self.overlay.updates(message).await;
            if let (true, Some(ms)) = (*complete, sent_at) {
                self.metrics.items.heard.heard(ms);
            }
        }
        Ok(())
    }
}

async fn next(
    updates: &mut Streaming<pb::ItemUpdates>,
) -> Result<ControlFlow<(), pb::ItemUpdates>, Status> {
    let message = tokio::time::timeout(SILENCE, updates.message()).await;
    let message = message.map_err(|_| Status::deadline_exceeded("no item updates for 10 s"))??;
    Ok(message.map_or(ControlFlow::Break(()), ControlFlow::Continue))
}
