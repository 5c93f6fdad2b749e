//! Following what the features role tells for as long as this role lives: item updates, and who was
//! erased.

mod erasures;
mod items;

use std::time::Duration;

use kit::CancellationToken;
use kit::metrics::Gauge;
use tonic::{Status, Streaming};

pub(crate) use erasures::FollowErasures;
pub(crate) use items::FollowItems;

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// The sender speaks every second, news or not; this much silence is a dead connection.
const SILENCE: Duration = Duration::from_secs(10);

/// What is followed. While that cannot be, what was heard before stays in force, and the lag grows
/// where it can be seen.
pub(crate) trait Followed: Send {
    /// For the log.
    const WHAT: &str;

    /// 1 while there is a stream.
    fn connected(&self) -> &Gauge;

    /// Follows one stream from its beginning to its end. `complete` becomes true with the message
    /// that ends what there was at the beginning.
    fn follow(&mut self, complete: &mut bool) -> impl Future<Output = Result<(), Status>> + Send;
}

/// Follows until `shutdown`.
pub(crate) async fn follow(mut followed: impl Followed, shutdown: CancellationToken) {
    tokio::select! {
        () = for_ever(&mut followed) => {}
        () = shutdown.cancelled() => {}
    }
}

async fn for_ever<F: Followed>(followed: &mut F) {
    let mut pause = FIRST_PAUSE;
    let mut lost = false;
    loop {
        let mut complete = false;
        let ended = followed.follow(&mut complete).await;
        followed.connected().set(0);
        if complete {
            pause = FIRST_PAUSE;
            lost = false;
        }
        let what = F::WHAT;
        match ended {
            Ok(()) => tracing::debug!(what, "a stream of features ended"),
            Err(status) if lost => tracing::debug!(what, code = ?status.code(), "no stream yet"),
            Err(status) => {
                lost = true;
                let code = status.code();
                tracing::warn!(
                    what,
                    ?code,
                    "lost a stream of features; what it told stays in force"
                );
            }
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// The next message; `None` at the end of the stream.
async fn next<M>(stream: &mut Streaming<M>) -> Result<Option<M>, Status> {
    let message = tokio::time::timeout(SILENCE, stream.message()).await;
    message.map_err(|_| Status::deadline_exceeded("no word for 10 s"))?
}
