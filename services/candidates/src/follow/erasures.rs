use kit::client::PeerChannel;
use kit::metrics::Gauge;
use kit::{MAX_MESSAGE_BYTES, timestamp};
use proto::v1 as pb;
use proto::v1::erasure_service_client::ErasureServiceClient;
use tonic::Status;

use super::{Followed, next};
use crate::erasures::Erasures;
use crate::metrics::Metrics;

/// Follows `WatchErasures`: who was erased.
#[derive(Debug)]
pub(crate) struct FollowErasures {
    client: ErasureServiceClient<PeerChannel>,
    erasures: Erasures,
    metrics: Metrics,
}

impl FollowErasures {
    pub(crate) fn new(channel: PeerChannel, erasures: Erasures, metrics: Metrics) -> Self {
        let client = ErasureServiceClient::new(channel);
        Self {
            client: client.max_decoding_message_size(MAX_MESSAGE_BYTES),
            erasures,
            metrics,
        }
    }
}

impl Followed for FollowErasures {
    const WHAT: &str = "erasures";

    fn connected(&self) -> &Gauge {
        &self.metrics.erasures.connected
    }

    async fn follow(&mut self, complete: &mut bool) -> Result<(), Status> {
        let request = pb::WatchErasuresRequest {};
        let mut stream = self.client.watch_erasures(request).await?.into_inner();
        self.metrics.erasures.connected.set(1);
        while let Some(message) = next(&mut stream).await? {
            let sent_at = message.sent_at.as_ref();
            let sent_ms = sent_at.and_then(|at| timestamp::decode(at).ok());
            *complete |= message.complete;
            self.erasures.told(message).await;
            if let (true, Some(ms)) = (*complete, sent_ms) {
                self.metrics.erasures.heard.heard(ms);
            }
        }
        Ok(())
    }
}
