//! Follows the features role's item table: the whole of it, then its changes, for ever.

use std::sync::Arc;
use std::time::Duration;

use feature_store::ItemTable;
use kit::client::PeerChannel;
use kit::{CancellationToken, timestamp};
use proto::v1 as pb;
use proto::v1::catalog_service_client::CatalogServiceClient;
use tonic::Status;

use crate::convert;
use crate::metrics::Metrics;

/// Waits between attempts: doubled from the first to the last.
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LAST_WAIT: Duration = Duration::from_secs(5);

/// Keeps a table equal to the one of the features role.
#[derive(Debug)]
pub(crate) struct Follower {
    pub(crate) client: CatalogServiceClient<PeerChannel>,
    pub(crate) table: Arc<ItemTable>,
    pub(crate) metrics: Metrics,
}

impl Follower {
    pub(crate) fn new(channel: PeerChannel, table: Arc<ItemTable>, metrics: Metrics) -> Self {
        let client = CatalogServiceClient::new(channel);
        Self {
            client: client.max_decoding_message_size(kit::MAX_MESSAGE_BYTES),
            table,
            metrics,
        }
    }

    /// Runs until `stop`. While the features role is away, the table stays as it was.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        tokio::select! {
            () = stop.cancelled() => {}
            () = self.follow() => {}
        }
    }

    async fn follow(&mut self) {
        let mut wait = FIRST_WAIT;
        let mut lost = false;
        loop {
            match self.follow_once(&mut wait, &mut lost).await {
                Ok(()) => tracing::debug!("the item stream ended"),
                Err(status) if lost => tracing::debug!(code = ?status.code(), "no item stream yet"),
                Err(status) => {
                    lost = true;
                    tracing::warn!(code = ?status.code(), "lost the item stream; the item table stays as it is");
                }
            }
            self.metrics.items.connected.set(0);
            tokio::time::sleep(wait).await;
            wait = LAST_WAIT.min(wait * 2);
        }
    }

    async fn follow_once(&mut self, wait: &mut Duration, lost: &mut bool) -> Result<(), Status> {
        let request = pb::StreamItemUpdatesRequest {};
        let mut stream = self.client.stream_item_updates(request).await?.into_inner();
        self.metrics.items.connected.set(1);
        while let Some(updates) = stream.message().await? {
            *wait = FIRST_WAIT;
            if std::mem::take(lost) {
                tracing::info!("follows the item stream again");
            }
            self.take(updates);
        }
        Ok(())
    }

    fn take(&self, updates: pb::ItemUpdates) {
        let sent_ms = updates
            .sent_at
            .as_ref()
            .and_then(|at| timestamp::decode(at).ok());
        self.table.apply(convert::item_updates(updates));
        if let Some(sent_ms) = sent_ms {
            self.metrics.items.heard.heard(sent_ms);
        }
    }
}
