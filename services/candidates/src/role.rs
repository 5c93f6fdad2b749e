//! The role's life.

use std::path::PathBuf;
use std::sync::Arc;

use kit::auth::Scope;
use kit::breaker::{self, Breaker};
use kit::client::{PeerChannel, channel};
use kit::{CancellationToken, Clock, Running, Shell};
use proto::v1::{candidate_service_server, snapshot_service_server};

use crate::config::Config;
use crate::error::Error;
use crate::generation::{Generation, Generations};
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
    let dir = config.snapshot.clone().ok_or(Error::NoSnapshot)?;
    let features = features_channel(&config)?;
    let mut shell = Shell::bind(ROLE, config.listen(), shutdown.clone()).await?;
    let breaker = Breaker::new("features", shell.pressure().clone());
    breaker::register(shell.registry(), std::slice::from_ref(&breaker));
    let stages = metrics::stages(shell.registry());
    shell.tracer().observe_stages(Arc::new(stages));
    let context = Context {
        generations: Arc::new(Generations::none()),
        shoppers: Shoppers::new(features.clone(), breaker),
        metrics: Metrics::register(shell.registry(), clock.clone()),
        default_deadline: config.default_deadline(),
        clock,
    };
    // All methods read; publishing has methods of its own.
    let mut running = shell
        .start(grpc::routes(&context), &SERVICES, |_| Scope::Read)
        .await?;
    let generation = match load(dir, context.clock.clone()).await {
        Ok(generation) => Arc::new(generation),
        Err(error) => {
            running.stop();
            running.wait().await?;
            return Err(error);
        }
    };
    context
        .metrics
        .generation
        .live(&generation.id, generation.loaded_at_ms, generation.items());
    context.generations.activate(generation.clone());
    if let Some(channel) = features {
        let overlay = Overlay::new(channel, generation, context.metrics);
        running.attach(tokio::spawn(overlay.run(shutdown)));
    }
    running.ready().await;
    Ok(running)
}

fn features_channel(config: &Config) -> Result<Option<PeerChannel>, Error> {
    if config.features.is_empty() {
        return Ok(None);
    }
    Ok(Some(channel(&config.features, &config.peer)?))
}

async fn load(dir: PathBuf, clock: Clock) -> Result<Generation, Error> {
    let folder = dir.clone();
    let loaded = tokio::task::spawn_blocking(move || Generation::load(&folder, &clock)).await?;
    loaded.map_err(|source| Error::Load { dir, source })
}
