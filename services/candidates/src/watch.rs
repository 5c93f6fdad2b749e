//! Follows the features role's word on who is erased.

use std::time::Duration;

use kit::client::PeerChannel;
use kit::{CancellationToken, MAX_MESSAGE_BYTES, timestamp};
use proto::v1 as pb;
use proto::v1::erasure_service_client::ErasureServiceClient;
use tonic::Status;

use crate::erasures::Erasures;
use crate::metrics::Metrics;

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// The sender speaks every second, news or not; this much silence is a dead connection.
const SILENCE: Duration = Duration::from_secs(10);

/// Follows `WatchErasures` for as long as the role lives. While it cannot, who was erased before stays
/// erased, and the lag grows where it can be seen.
#[derive(Debug)]
pub(crate) struct Watcher {
    client: ErasureServiceClient<PeerChannel>,
    erasures: Erasures,
    metrics: Metrics,
}

impl Watcher {
    pub(crate) fn new(channel: PeerChannel, erasures: Erasures, metrics: Metrics) -> Self {
        let client = ErasureServiceClient::new(channel);
        Self {
            client: client.max_decoding_message_size(MAX_MESSAGE_BYTES),
            erasures,
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
            let mut complete = false;
            let ended = self.follow(&mut complete).await;
            self.metrics.erasures.connected.set(0);
            if complete {
                pause = FIRST_PAUSE;
                lost = false;
            }
            match ended {
                Ok(()) => tracing::debug!("the stream of erasures ended"),
                Err(status) if lost => tracing::debug!(code = ?status.code(), "no erasures yet"),
                Err(status) => {
                    lost = true;
                    let code = status.code();
                    tracing::warn!(
                        ?code,
                        "lost the stream of erasures; those known stay erased"
                    );
                }
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn follow(&mut self, complete: &mut bool) -> Result<(), Status> {
        let request = pb::WatchErasuresRequest {};
        let mut stream = self.client.watch_erasures(request).await?.into_inner();
        self.metrics.erasures.connected.set(1);
        loop {
            let message = tokio::time::timeout(SILENCE, stream.message()).await;
            let message = message.map_err(|_| Status::deadline_exceeded("no word for 10 s"))?;
            let Some(message) = message? else {
                return Ok(());
            };
            let sent_at = message.sent_at.as_ref();
            let sent_ms = sent_at.and_then(|at| timestamp::decode(at).ok());
            *complete |= message.complete;
            self.erasures.told(message).await;
            if let (true, Some(ms)) = (*complete, sent_ms) {
                self.metrics.erasures.heard.heard(ms);
            }
        }
    }
}
