//! Stock and prices, followed from `features` and laid over the generation as a gate.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use kit::client::PeerChannel;
use kit::{CancellationToken, MAX_MESSAGE_BYTES, timestamp};
use proto::v1 as pb;
use proto::v1::catalog_service_client::CatalogServiceClient;
use retrieval::Gate;
use tonic::{Status, Streaming};

use crate::generation::Generation;
use crate::metrics::Metrics;

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// The sender speaks every second, changes or not; this much silence is a dead connection.
const SILENCE: Duration = Duration::from_secs(10);

/// Follows `StreamItemUpdates` for as long as the role lives. While it cannot, the last gate
/// stays in force, and the lag grows where it can be seen.
#[derive(Debug)]
pub(crate) struct Overlay {
    client: CatalogServiceClient<PeerChannel>,
    generation: Arc<Generation>,
    metrics: Metrics,
}

impl Overlay {
    pub(crate) fn new(channel: PeerChannel, generation: Arc<Generation>, metrics: Metrics) -> Self {
        let client = CatalogServiceClient::new(channel);
        let client = client.max_decoding_message_size(MAX_MESSAGE_BYTES);
        Self {
            client,
            generation,
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
        let mut draft = Draft::new(self.generation.clone());
        let ended = self.follow(&mut draft).await;
        (draft.complete, ended)
    }

    async fn follow(&mut self, draft: &mut Draft) -> Result<(), Status> {
        let request = pb::StreamItemUpdatesRequest {};
        let mut updates = self.client.stream_item_updates(request).await?.into_inner();
        self.metrics.items.connected.set(1);
        while let ControlFlow::Continue(message) = next(&mut updates).await? {
            let sent_at = message
                .sent_at
                .as_ref()
                .and_then(|at| timestamp::decode(at).ok());
            if draft.apply(&message) {
                self.metrics.blocked_items.set(draft.blocked());
            }
            if let (true, Some(ms)) = (draft.complete, sent_at) {
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

/// The gate that one stream builds. It goes live with the whole table, not before: a half-told
/// table would open what an older one had blocked.
struct Draft {
    generation: Arc<Generation>,
    gate: Gate,
    complete: bool,
}

impl Draft {
    fn new(generation: Arc<Generation>) -> Self {
        Self {
            gate: Gate::open(generation.items()),
            generation,
            complete: false,
        }
    }

    /// Takes a message in; true when that changed the live gate.
    fn apply(&mut self, message: &pb::ItemUpdates) -> bool {
        for item in &message.items {
            self.lay_over(item);
        }
        let completes = message.table_complete && !self.complete;
        self.complete |= message.table_complete;
        let goes_live = completes || (self.complete && !message.items.is_empty());
        if goes_live {
            self.generation.gate.store(Arc::new(self.gate.clone()));
        }
        goes_live
    }

    fn lay_over(&mut self, item: &pb::Item) {
        let Some(ordinal) = self.generation.model.catalogue().ordinal(&item.item_id) else {
            return;
        };
        if item.unsellable || item.stock.is_some_and(|units| units <= 0) {
            self.gate.block(ordinal);
        } else {
            self.gate.unblock(ordinal);
        }
        if item.price_minor > 0 {
            self.gate.set_price(ordinal, item.price_minor);
        }
    }

    fn blocked(&self) -> i64 {
        i64::try_from(self.gate.blocked_count()).unwrap_or(i64::MAX)
    }
}
