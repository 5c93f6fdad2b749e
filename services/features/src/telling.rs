//! The stream of who was erased: all of them, then each further one.

use std::time::Duration;

use feature_store::{ErasuresRead, FeatureStore, Millis, Tombstone, store};
use kit::{CancellationToken, Clock};
use proto::v1 as pb;
use tokio::sync::mpsc;
use tonic::Status;

use crate::convert::time;
use crate::error::status;

/// How often the store is asked for more; a message goes out each time, so that a watcher can tell
/// silence from lag.
const LOOK: Duration = Duration::from_secs(1);
/// Messages that wait for a slow watcher before the store is asked no further.
const AHEAD: usize = 4;

/// One watcher's stream.
#[derive(Debug)]
pub(crate) struct Telling {
    store: FeatureStore,
    clock: Clock,
    sender: mpsc::Sender<Result<pb::Erasures, Status>>,
}

/// Why a stream ends.
enum End {
    /// The watcher has gone.
    Gone,
    /// The store does not answer: the watcher is told, and comes again.
    Store(store::Error),
}

impl From<store::Error> for End {
    fn from(error: store::Error) -> Self {
        Self::Store(error)
    }
}

impl Telling {
    pub(crate) fn new(
        store: FeatureStore,
        clock: Clock,
    ) -> (Self, mpsc::Receiver<Result<pb::Erasures, Status>>) {
        let (sender, receiver) = mpsc::channel(AHEAD);
        let telling = Self {
            store,
            clock,
            sender,
        };
        (telling, receiver)
    }

    /// Tells until the watcher goes, the store fails, or the role stops.
    pub(crate) async fn run(self, shutdown: CancellationToken) {
        tokio::select! {
            end = self.tell() => {
                if let Err(End::Store(error)) = end {
                    // Nobody may be there any more.
                    let _ = self.sender.send(Err(status(error))).await;
                }
            }
            () = self.sender.closed() => {}
            () = shutdown.cancelled() => {}
        }
    }

    async fn tell(&self) -> Result<(), End> {
        let key = self.store.mac_key().await?.fingerprint();
        let mut read = ErasuresRead::default();
        let mut complete = false;
        loop {
            let page = self.store.erasures(&mut read).await?;
            complete |= page.is_empty();
            let is_last = page.is_empty();
            let message = pb::Erasures {
                erased: page.iter().map(erasure).collect(),
                key: key.clone(),
                complete,
                sent_at: Some(time::encode(Millis(self.clock.now_ms()))),
            };
            self.sender.send(Ok(message)).await.map_err(|_| End::Gone)?;
            if is_last {
                tokio::time::sleep(LOOK).await;
            }
        }
    }
}

fn erasure(tombstone: &Tombstone) -> pb::Erasure {
    pb::Erasure {
        shopper: tombstone.shopper.short(),
        erased_at_ms: tombstone.erased_at.0,
    }
}
