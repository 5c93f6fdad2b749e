//! Ending what is older than it is to be kept, from time to time.

use feature_store::{Ages, Ended, FeatureStore, Millis};
use kit::{CancellationToken, Clock};

use crate::config::Retention;
use crate::convert::export::{recovery, rows};
use crate::metrics::Ending;

/// How old is what the recovery role writes.
const AGES: Ages = Ages {
    section: recovery::newest,
    expiry: rows::expiry,
};

/// Runs until the role stops; at once when everything is kept for good.
pub(crate) async fn run(
    store: FeatureStore,
    clock: Clock,
    settings: Retention,
    metrics: Ending,
    stop: CancellationToken,
) {
    let keep = settings.spans();
    if !keep.ends_anything() {
        return;
    }
    let mut ender = store.ender(keep, AGES);
    loop {
        let ending = ender.run(Millis(clock.now_ms()));
        let Some(ended) = stop.run_until_cancelled(ending).await else {
            return;
        };
        match ended {
            Ok(ended) => {
                metrics.ended(&keep, &ended);
                tell(&ended);
            }
            Err(error) => {
                metrics.failed();
                tracing::warn!(%error, "what is old was not ended; it is tried again");
            }
        }
        let waiting = tokio::time::sleep(settings.every.0);
        if stop.run_until_cancelled(waiting).await.is_none() {
            return;
        }
    }
}

fn tell(ended: &Ended) {
    let sum = |counts: &std::collections::BTreeMap<_, u64>| counts.values().sum::<u64>();
    let (unread, held) = (sum(&ended.unread), sum(&ended.held));
    if ended.total() > 0 {
        let entries = sum(&ended.entries);
        let records = ended.total() - entries;
        tracing::info!(
            entries,
            records,
            "ended what was older than it is to be kept"
        );
    }
    if unread > 0 || held > 0 {
        let groups = ended.behind.join(", ");
        tracing::warn!(
            unread,
            held,
            groups,
            "consumer groups have not acknowledged what is old: the held rows stay for them, the unread ones are gone"
        );
    }
}
