//! Ending what is older than it is to be kept, from time to time.

use feature_store::{FeatureStore, Millis};
use kit::{CancellationToken, Clock};

use crate::config::Retention;

/// Runs until the role stops; at once when everything is kept for good.
pub(crate) async fn run(
    store: FeatureStore,
    clock: Clock,
    settings: Retention,
    stop: CancellationToken,
) {
    let keep = settings.spans();
    if !keep.ends_anything() {
        return;
    }
    loop {
        let ending = store.end_what_is_old(&keep, Millis(clock.now_ms()));
        let Some(ended) = stop.run_until_cancelled(ending).await else {
            return;
        };
        match ended {
            Ok(ended) if ended.entries + ended.records > 0 => {
                let (entries, records) = (ended.entries, ended.records);
                tracing::info!(
                    entries,
                    records,
                    "ended what was older than it is to be kept"
                );
            }
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "what is old was not ended; it is tried again"),
        }
        let waiting = tokio::time::sleep(settings.every.0);
        if stop.run_until_cancelled(waiting).await.is_none() {
            return;
        }
    }
}
