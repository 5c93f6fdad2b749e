use kit::client::PeerChannel;
use kit::metrics::Gauge;
use kit::{MAX_MESSAGE_BYTES, timestamp};
use proto::v1 as pb;
use proto::v1::catalog_service_client::CatalogServiceClient;
use tonic::Status;

use super::{Followed, next};
use crate::metrics::Metrics;
use crate::overlay::Overlay;

/// Follows `StreamItemUpdates` into the overlay.
#[derive(Debug)]
pub(crate) struct FollowItems {
    client: CatalogServiceClient<PeerChannel>,
    overlay: Overlay,
    metrics: Metrics,
}

impl FollowItems {
    pub(crate) fn new(channel: PeerChannel, overlay: Overlay, metrics: Metrics) -> Self {
        let client = CatalogServiceClient::new(channel);
        Self {
            client: client.max_decoding_message_size(MAX_MESSAGE_BYTES),
            overlay,
            metrics,
        }
    }
}

impl Followed for FollowItems {
    const WHAT: &str = "item updates";

    fn connected(&self) -> &Gauge {
        &self.metrics.items.connected
    }

    async fn follow(&mut self, complete: &mut bool) -> Result<(), Status> {
        let request = pb::StreamItemUpdatesRequest {};
        let mut updates = self.client.stream_item_updates(request).await?.into_inner();
        self.metrics.items.connected.set(1);
        self.overlay.begin().await;
        while let Some(message) = next(&mut updates).await? {
            let sent_at = message.sent_at.as_ref();
            let sent_ms = sent_at.and_then(|at| timestamp::decode(at).ok());
            *complete |= message.table_complete;
            self.overlay.updates(message).await;
            if let (true, Some(ms)) = (*complete, sent_ms) {
                self.metrics.items.heard.heard(ms);
            }
        }
        Ok(())
    }
}
