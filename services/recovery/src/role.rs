//! How the role starts: ports, snapshot, peers, server, ready.

use std::sync::Arc;
use std::time::Duration;

use feature_store::store::{Redis, RedisSettings};
use feature_store::{FeatureStore, ItemTable, Settings};
use kit::breaker::{self, Breaker};
use kit::client::{PeerChannel, channel};
use kit::metrics::StoreMetrics;
use kit::{CancellationToken, Clock, Live, Running, Shell};
use proto::v1::recovery_service_server::{self, RecoveryServiceServer};
use proto::v1::snapshot_service_server::{self, SnapshotServiceServer};
use tonic::service::Routes;

use crate::commit::Ledger;
use crate::decide::candidates::CandidatesClient;
use crate::decide::features::FeaturesClient;
use crate::decide::{Decider, Stages};
use crate::follow::Follower;
use crate::generation::Generation;
use crate::grpc::{Recovery, Snapshots, scope_of};
use crate::items::Items;
use crate::metrics::{self, Metrics};
use crate::store_calls::StoreCalls;
use crate::{Config, Error, ROLE};

const SERVICES: [&str; 2] = [
    recovery_service_server::SERVICE_NAME,
    snapshot_service_server::SERVICE_NAME,
];

/// Starts the role and returns once it serves. `store` is where COMMIT writes to; without it the
/// `redis` of the config is used, and without that only previews are answered.
///
/// # Errors
/// When a port is taken, the snapshot or the policy cannot be served, or a setting cannot be used.
pub async fn run(
    config: Config,
    store: Option<FeatureStore>,
    clock: Clock,
    shutdown: CancellationToken,
) -> Result<Running, Error> {
    // A token of its own: what fails here must not end the roles beside it.
    let stop = shutdown.child_token();
    let mut shell = Shell::bind(ROLE, config.listen(), stop.clone()).await?;
    let stages = metrics::stages(shell.registry());
    shell.tracer().observe_stages(Arc::new(stages));
    let calls = StoreMetrics::register(shell.registry());
    let features = peer("features", &config.features, &config)?;
    let candidates = peer("candidates", &config.candidates, &config)?;
    let [to_features, to_candidates] =
        ["features", "candidates"].map(|peer| Breaker::new(peer, shell.pressure().clone()));
    breaker::register(
        shell.registry(),
        &[to_features.clone(), to_candidates.clone()],
    );
    let table = Arc::new(ItemTable::new());
    let metrics = Metrics::register(shell.registry(), table.clone(), clock.clone());
    let decider = Arc::new(Decider {
        live: Arc::new(Live::new(None)),
        stages: Stages {
            items: Items::new(table.clone()),
            features: FeaturesClient::new(features.clone(), to_features),
            candidates: CandidatesClient::new(candidates, to_candidates),
            metrics: metrics.clone(),
        },
        ledger: ledger(store, &config, calls).await?,
        clock: clock.clone(),
    });
    let watched = decider.clone();
    breaker::watch_store(shell.registry(), move || {
        watched.ledger.as_ref().is_some_and(Ledger::is_away)
    });
    let routes = routes(&decider, &config);
    let mut running = shell.start(routes, &SERVICES, scope_of).await?;
    let follower = Follower::new(features, table, metrics.clone());
    running.attach(tokio::spawn(follower.run(stop.clone())));
    let generation = match load(&config, &clock).await {
        Ok(generation) => generation,
        Err(error) => {
            running.stop();
            running.wait().await?;
            return Err(error);
        }
    };
    tracing::info!(
        generation = generation.id(),
        risk = generation.risk.describe(),
        "loaded"
    );
    metrics.generation.live(
        generation.id(),
        generation.loaded_at_ms(),
        generation.catalogue().len(),
    );
    decider.live.store(Arc::new(Some(Arc::new(generation))));
    running.ready().await;
    Ok(running)
}

fn peer(key: &'static str, url: &str, config: &Config) -> Result<PeerChannel, Error> {
    channel(url, &config.peer).map_err(|source| Error::Peer { key, source })
}

async fn ledger(
    store: Option<FeatureStore>,
    config: &Config,
    calls: StoreMetrics,
) -> Result<Option<Ledger>, Error> {
    let store = match (store, &config.redis) {
        (Some(store), _) => store,
        (None, Some(url)) => connect(url.expose(), &config.key_prefix).await?,
        (None, None) => {
            tracing::warn!("no store: PREVIEW only, COMMIT is refused");
            return Ok(None);
        }
    };
    let observer = Arc::new(StoreCalls(calls));
    Ok(Some(Ledger::new(store.observed(observer))))
}

/// Previews need no store, so a Redis that cannot be reached keeps nobody from asking for them.
/// A COMMIT tries it again each time.
async fn connect(url: &str, key_prefix: &str) -> Result<FeatureStore, Error> {
    let settings = RedisSettings {
        url: url.to_owned(),
        key_prefix: key_prefix.to_owned(),
        ..RedisSettings::default()
    };
    let redis = match Redis::connect(settings.clone()).await {
        Ok(redis) => redis,
        Err(error) => {
            let redis = Redis::connect_lazily(&settings)?;
            tracing::warn!(%error, "PREVIEW only, COMMIT is UNAVAILABLE until the store is reached");
            redis
        }
    };
    Ok(FeatureStore::new(Arc::new(redis), Settings::default()))
}

fn routes(decider: &Arc<Decider>, config: &Config) -> Routes {
    let recovery = Recovery {
        decider: decider.clone(),
        default_deadline: Duration::from_millis(config.default_deadline_ms),
    };
    let snapshots = Snapshots {
        decider: decider.clone(),
        clock: decider.clock.clone(),
    };
    let recovery = RecoveryServiceServer::new(recovery);
    Routes::new(recovery.max_decoding_message_size(kit::MAX_MESSAGE_BYTES))
        .add_service(SnapshotServiceServer::new(snapshots))
}

/// Reads files and builds tables, which is not for a thread that answers requests.
async fn load(config: &Config, clock: &Clock) -> Result<Generation, Error> {
    let dir = config.snapshot.clone().ok_or(Error::NoSnapshot)?;
    let policy = config.policy.clone();
    let now_ms = clock.now_ms();
    let load = move || Generation::load(&dir, policy.as_deref(), now_ms);
    Ok(tokio::task::spawn_blocking(load)
        .await
        .map_err(Error::Loading)??)
}
