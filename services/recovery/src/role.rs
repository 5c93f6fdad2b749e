//! How the role starts: ports, snapshot, peers, server, ready.

use std::sync::Arc;
use std::time::Duration;

use feature_store::store::{Redis, RedisSettings};
use feature_store::{FeatureStore, ItemTable, Registry, Settings};
use generations::{Identity, Keeper};
use kit::breaker::{self, Breaker};
use kit::client::{PeerChannel, channel};
use kit::metrics::StoreMetrics;
use kit::{CancellationToken, Clock, Running, Shell};
use proto::v1::recovery_service_server::{self, RecoveryServiceServer};
use proto::v1::snapshot_service_server;
use tonic::service::Routes;

use crate::actions::{Actions, Tokens, Webhook};
use crate::budget::Budget;
use crate::campaigns::Campaigns;
use crate::commit::Books;
use crate::decide::candidates::CandidatesClient;
use crate::decide::features::FeaturesClient;
use crate::decide::{Decider, Stages};
use crate::follow::Follower;
use crate::generation::Recovery;
use crate::grpc::{self, scope_of};
use crate::items::Items;
use crate::metrics::{self, LoopMetrics, Metrics};
use crate::policies::Policies;
use crate::store_calls::StoreCalls;
use crate::sweeper::Sweeper;
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
    let breakers =
        ["features", "candidates"].map(|peer| Breaker::new(peer, shell.pressure().clone()));
    breaker::register(shell.registry(), &breakers);
    let [to_features, to_candidates] = breakers;
    let table = Arc::new(ItemTable::new());
    let metrics = Metrics::register(shell.registry(), table.clone(), clock.clone());
    let loop_metrics = LoopMetrics::register(shell.registry());
    let keeper = keeper(&config, shell.registry(), &clock)?;
    let store = store_of(store, &config, calls).await?;
    let tokens = tokens(&config)?;
    let opened = store.map(|store| open(store, tokens, &clock, &stop));
    let (books, accounts) = opened.unzip();
    let decider = Arc::new(Decider {
        generations: keeper.generations().clone(),
        stages: Stages {
            items: Items::new(table.clone()),
            features: FeaturesClient::new(features.clone(), to_features),
            candidates: CandidatesClient::new(candidates, to_candidates),
            metrics: metrics.clone(),
        },
        books: books.clone(),
        clock: clock.clone(),
    });
    let watched = decider.clone();
    breaker::watch_store(shell.registry(), move || {
        watched.books.as_ref().is_some_and(Books::is_away)
    });
    let actions = Actions::of(&decider, &loop_metrics);
    let posts = webhook(actions.as_ref(), &config)?;
    let routes = routes(&decider, &keeper, &config, (actions, stop.clone()));
    let mut running = shell.start(routes, &SERVICES, scope_of).await?;
    let follower = Follower::new(features, table, metrics.clone());
    running.attach(tokio::spawn(follower.run(stop.clone())));
    let begun = begin(&keeper, &config).await;
    match begun {
        Ok(true) => running.ready().await,
        // The first record of the registry makes it ready.
        Ok(false) => {}
        Err(error) => {
            running.stop();
            running.wait().await?;
            return Err(error);
        }
    }
    if let Some((books, accounts)) = books.zip(accounts) {
        running.attach(tokio::spawn(accounts));
        let parts = (books, decider, loop_metrics, posts);
        recover(&mut running, parts, &config, &stop);
    }
    keeper.attach(&mut running, &stop);
    Ok(running)
}

/// What makes codes and links; `None` without keys.
fn tokens(config: &Config) -> Result<Option<Tokens>, Error> {
    let keys = config.tokens.keyring()?;
    let link_ms = config.tokens.link_for.0.as_millis();
    Ok(keys.map(|keys| Tokens {
        keys: Arc::new(keys),
        shop: config.key_prefix.clone(),
        link_ms: i64::try_from(link_ms).unwrap_or(i64::MAX),
    }))
}

/// What posts actions; `None` without a URL.
fn webhook(actions: Option<&Actions>, config: &Config) -> Result<Option<Webhook>, Error> {
    match actions {
        Some(actions) => Webhook::open(actions.clone(), &config.webhook),
        None if config.webhook.url.is_some() => {
            tracing::warn!("no store, so nothing to post: the webhook is off");
            Ok(None)
        }
        None => Ok(None),
    }
}

async fn begin(keeper: &Keeper<Recovery>, config: &Config) -> Result<bool, Error> {
    let folder = config.snapshot.as_deref();
    match (folder, &config.registry) {
        (None, None) => Err(Error::NoSnapshot),
        _ => (keeper.begin(folder).await).map_err(|error| Error::Load(Box::new(error))),
    }
}

fn keeper(
    config: &Config,
    registry: &mut kit::metrics::Registry,
    clock: &Clock,
) -> Result<Keeper<Recovery>, Error> {
    let role = Recovery {
        policy: config.policy.clone(),
        clock: clock.clone(),
    };
    let following = config.following(Some(Registry::standard().fingerprint()));
    Ok(Keeper::start(role, following, registry, clock.clone())?)
}

/// The books over a store, and the task that keeps the budget.
fn open(
    store: FeatureStore,
    tokens: Option<Tokens>,
    clock: &Clock,
    stop: &CancellationToken,
) -> (Books, impl Future<Output = ()> + Send + 'static + use<>) {
    let (budget, accounts) = Budget::open(store.clone(), clock.clone(), stop.clone());
    let clock = clock.clone();
    let books = Books {
        campaigns: Campaigns::over(store.clone(), clock.clone()),
        store,
        budget,
        clock,
        policies: Policies::default(),
        tokens,
    };
    (books, accounts)
}

/// The tasks of the loop: actions are posted, campaigns and the budget are watched, and those who
/// are due are swept.
fn recover(
    running: &mut Running,
    (books, decider, metrics, webhook): (Books, Arc<Decider>, LoopMetrics, Option<Webhook>),
    config: &Config,
    stop: &CancellationToken,
) {
    if let Some(webhook) = webhook {
        running.attach(tokio::spawn(webhook.run(stop.clone())));
    }
    let (campaigns, stopped) = (books.campaigns.clone(), stop.clone());
    running.attach(tokio::spawn(async move {
        tokio::select! {
            () = campaigns.refresh() => {}
            () = stopped.cancelled() => {}
        }
    }));
    let generations = decider.generations.clone();
    let (budget, stopped) = (books.budget.clone(), stop.clone());
    let live = generations.clone();
    let plan = move || {
        live.get("")
            .ok()
            .and_then(|live| live.policy.budget().cloned())
    };
    running.attach(tokio::spawn(async move {
        tokio::select! {
            () = budget.refresh(plan) => {}
            () = stopped.cancelled() => {}
        }
    }));
    if !config.recover.on {
        tracing::info!("does not look for people who have left: recover.on is false");
        return;
    }
    let sweeper = Sweeper {
        books,
        decider,
        generations,
        settings: config.recover.clone(),
        metrics,
        // Replicas begin elsewhere; which one where does not matter.
        offset: usize::from(running.addr.port()) ^ usize::try_from(std::process::id()).unwrap_or(0),
    };
    running.attach(tokio::spawn(sweeper.run(stop.clone())));
}

fn peer(key: &'static str, url: &str, config: &Config) -> Result<PeerChannel, Error> {
    channel(url, &config.peer).map_err(|source| Error::Peer { key, source })
}

async fn store_of(
    store: Option<FeatureStore>,
    config: &Config,
    calls: StoreMetrics,
) -> Result<Option<FeatureStore>, Error> {
    let store = match (store, &config.redis) {
        (Some(store), _) => store,
        (None, Some(url)) => connect(url.expose(), &config.key_prefix).await?,
        (None, None) => {
            tracing::warn!("no store: PREVIEW only, COMMIT is refused");
            return Ok(None);
        }
    };
    let observer = Arc::new(StoreCalls(calls));
    Ok(Some(store.observed(observer)))
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

fn routes(
    decider: &Arc<Decider>,
    keeper: &Keeper<Recovery>,
    config: &Config,
    (actions, stop): (Option<Actions>, CancellationToken),
) -> Routes {
    let recovery = grpc::Recovery {
        decider: decider.clone(),
        default_deadline: Duration::from_millis(config.default_deadline_ms),
        actions,
        stop,
    };
    let books = decider.books.as_ref();
    let identity = Identity {
        schema_fingerprint: Registry::standard().fingerprint().to_owned(),
        store: books.map_or("none", Books::store_name).to_owned(),
    };
    let snapshots = generations::routes(keeper, identity, decider.clock.clone());
    let recovery = RecoveryServiceServer::new(recovery);
    Routes::new(recovery.max_decoding_message_size(kit::MAX_MESSAGE_BYTES)).add_service(snapshots)
}
