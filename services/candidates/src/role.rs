//! The role's life.

use std::sync::Arc;

use generations::Keeper;
use kit::auth::Scope;
use kit::breaker::{self, Breaker};
use kit::client::{PeerChannel, channel};
use kit::{CancellationToken, Clock, Running, Shell};
use proto::v1::{candidate_service_server, snapshot_service_server};

use crate::config::Config;
use crate::erasures::Erasures;
use crate::error::Error;
use crate::follow::{FollowErasures, FollowItems, follow};
use crate::generation::Candidates;
use crate::grpc::{self, Context};
use crate::metrics::{self, Metrics};
use crate::overlay::Overlay;
use crate::shopper::Shoppers;

/// The role's name on the wire, in metrics and in `CARTWRIGHT_CANDIDATES_…`.
pub const ROLE: &str = "candidates";

const SERVICES: [&str; 2] = [
    candidate_service_server::SERVICE_NAME,
    snapshot_service_server::SERVICE_NAME,
];

/// Starts the role and returns once its snapshot is loaded and warm. Until then health says
/// NOT_SERVING and requests are answered UNAVAILABLE.
///
/// # Errors
/// When a port is taken, the settings cannot be used, or the snapshot does not load.
pub async fn run(
    config: Config,
    clock: Clock,
    shutdown: CancellationToken,
) -> Result<Running, Error> {
    if config.snapshot.is_none() && config.registry.is_none() {
        return Err(Error::NoSnapshot);
    }
    let features = features_channel(&config)?;
    let mut shell = Shell::bind(ROLE, config.listen(), shutdown.clone()).await?;
    let breaker = Breaker::new("features", shell.pressure().clone());
    breaker::register(shell.registry(), std::slice::from_ref(&breaker));
    let stages = metrics::stages(shell.registry());
    shell.tracer().observe_stages(Arc::new(stages));
    let metrics = Metrics::register(shell.registry(), clock.clone());
    let overlay = Overlay::start(metrics.clone())?;
    let erasures = Erasures::start(features.is_some(), metrics.clone())?;
    let role = Candidates {
        clock: clock.clone(),
        overlay: overlay.clone(),
        erasures: erasures.clone(),
    };
    let context = Context {
        keeper: Keeper::start(
            role,
            config.following(None),
            shell.registry(),
            clock.clone(),
        )?,
        shoppers: Shoppers::new(features.clone(), breaker),
        metrics: metrics.clone(),
        default_deadline: config.default_deadline(),
        clock,
    };
    let mut running = shell
        .start(grpc::routes(&context), &SERVICES, scope_of)
        .await?;
    if let Some(channel) = features {
        let erasures = FollowErasures::new(channel.clone(), erasures, metrics.clone());
        running.attach(tokio::spawn(follow(erasures, shutdown.clone())));
        let items = FollowItems::new(channel, overlay, metrics);
        running.attach(tokio::spawn(follow(items, shutdown.clone())));
    }
    match context.keeper.begin(config.snapshot.as_deref()).await {
        Ok(true) => running.ready().await,
        // The first record of the registry makes it ready.
        Ok(false) => {}
        Err(error) => {
            running.stop();
            running.wait().await?;
            return Err(error.into());
        }
    }
    context.keeper.attach(&mut running, &shutdown);
    Ok(running)
}

fn features_channel(config: &Config) -> Result<Option<PeerChannel>, Error> {
    if config.features.is_empty() {
        return Ok(None);
    }
    Ok(Some(channel(&config.features, &config.peer)?))
}

/// Publishing has methods of its own; the rest reads.
fn scope_of(path: &str) -> Scope {
    generations::scope_of(path).unwrap_or(Scope::Read)
}
