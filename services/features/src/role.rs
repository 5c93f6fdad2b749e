//! The role's life.

use std::sync::Arc;

use feature_store::{FeatureStore, Millis, Registry};
use generations::{Keeper, Schema};
use kit::auth::Scope;
use kit::metrics::StoreMetrics;
use kit::{CancellationToken, Clock, Running, Shell, breaker};
use proto::v1::{
    catalog_service_server, erasure_service_server, event_service_server, feature_service_server,
    shopper_service_server, snapshot_service_server,
};

use crate::config::Config;
use crate::error::Error;
use crate::grpc::{self, Context};
use crate::metrics::{self, Metrics};
use crate::opening::named;
use crate::retention;
use crate::store_calls::StoreCalls;
use crate::updates::table_loaded;

/// The role's name on the wire, in metrics and in `CARTWRIGHT_FEATURES_…`.
pub const ROLE: &str = "features";

const SERVICES: [&str; 6] = [
    event_service_server::SERVICE_NAME,
    feature_service_server::SERVICE_NAME,
    shopper_service_server::SERVICE_NAME,
    catalog_service_server::SERVICE_NAME,
    erasure_service_server::SERVICE_NAME,
    snapshot_service_server::SERVICE_NAME,
];

/// Starts the role over an open store and returns once it is ready.
///
/// # Errors
/// When a port is taken, TLS is misconfigured or the store does not answer.
pub async fn run(
    config: Config,
    store: FeatureStore,
    clock: Clock,
    shutdown: CancellationToken,
) -> Result<Running, Error> {
    let mut shell = Shell::bind(ROLE, config.listen(), shutdown.clone()).await?;
    let metrics = Metrics::register(shell.registry(), store.items().clone(), clock.clone());
    let watched = store.clone();
    breaker::watch_store(shell.registry(), move || watched.store().is_away());
    let stages = metrics::stages(shell.registry());
    shell.tracer().observe_stages(Arc::new(stages));
    let calls = StoreMetrics::register(shell.registry());
    let store = store.observed(Arc::new(StoreCalls(calls)));
    let context = Context::new(store.clone(), clock.clone(), metrics, shutdown.clone());
    let schema = Schema {
        role: ROLE,
        clock: clock.clone(),
    };
    let kept = config.retention;
    let ended = metrics::Ending::register(shell.registry());
    let following = config.following(Some(Registry::standard().fingerprint()));
    let keeper = Keeper::start(schema, following, shell.registry(), clock.clone())?;
    let mut running = shell
        .start(grpc::routes(&context, &keeper), &SERVICES, scope_of)
        .await?;
    let (followed, time) = (store.clone(), clock.clone());
    let stop = shutdown.clone().cancelled_owned();
    running.attach(tokio::spawn(async move {
        followed
            .follow_items(move || Millis(time.now_ms()), stop)
            .await;
    }));
    let ending = retention::run(store.clone(), clock.clone(), kept, ended, shutdown.clone());
    running.attach(tokio::spawn(ending));
    if let Err(error) = check(&store).await {
        running.stop();
        running.wait().await?;
        return Err(error);
    }
    tokio::select! {
        () = table_loaded(&store, &clock) => running.ready().await,
        () = shutdown.cancelled() => {}
    }
    // What it answers does not depend on what is live: nothing to wait for, nothing to judge.
    tokio::select! {
        _ = keeper.begin(None) => {}
        () = shutdown.cancelled() => {}
    }
    keeper.attach_follower(&mut running, &shutdown);
    Ok(running)
}

/// A store that does not answer stops the start; one that may lose what it acknowledges is served,
/// with a warning.
async fn check(store: &FeatureStore) -> Result<(), Error> {
    let store = store.store();
    let health = store.check().await.map_err(named(store.name()))?;
    for warning in health.warnings {
        tracing::warn!(store = store.name(), "{warning}");
    }
    Ok(())
}

/// What changes something needs `write`; the rest reads.
fn scope_of(path: &str) -> Scope {
    if let Some(scope) = generations::scope_of(path) {
        return scope;
    }
    let method = path.rsplit('/').next().unwrap_or_default();
    let writes = ["Push", "Set", "Upsert", "Link", "Unlink"];
    // Whoever may read a shopper's cart for the shop is not to carry everything about a person away.
    if method.starts_with("Erase") || method.starts_with("Export") {
        Scope::Erase
    } else if method == "StreamEvents" || writes.iter().any(|verb| method.starts_with(verb)) {
        Scope::Write
    } else {
        Scope::Read
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changes_something_needs_more_than_read() {
        for method in [
            "EventService/PushEvents",
            "EventService/StreamEvents",
            "ShopperService/SetConsent",
        ] {
            assert_eq!(
                scope_of(&format!("/cartwright.v1.{method}")),
                Scope::Write,
                "{method}"
            );
        }
        for method in ["EraseShopper", "ExportShopper"] {
            let path = format!("/cartwright.v1.ShopperService/{method}");
            assert_eq!(scope_of(&path), Scope::Erase, "{method}");
        }
        for reading in [
            "CatalogService/StreamItemUpdates",
            "ErasureService/WatchErasures",
        ] {
            let scope = scope_of(&format!("/cartwright.v1.{reading}"));
            assert_eq!(scope, Scope::Read, "{reading}");
        }
    }
}
