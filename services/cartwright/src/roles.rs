//! Starting roles: one from its own settings, or all three in one process.

mod all;

use anyhow::Context as _;
use kit::config::Settings;
use kit::listen::BindError;
use kit::shell::ShellError;
use kit::{CancellationToken, Running, telemetry};
use serde::Serialize;

use crate::failure::{Failure, OrFail as _};
use crate::output;

pub(crate) use all::{All, Together};

/// Settings of something that can be served.
pub(crate) trait Served: Settings + Serialize {
    /// How it logs.
    fn log(&self) -> &telemetry::Settings;
}

impl Served for features::Config {
    fn log(&self) -> &telemetry::Settings {
        &self.log
    }
}

impl Served for candidates::Config {
    fn log(&self) -> &telemetry::Settings {
        &self.log
    }
}

impl Served for recovery::Config {
    fn log(&self) -> &telemetry::Settings {
        &self.log
    }
}

impl Served for All {
    fn log(&self) -> &telemetry::Settings {
        &self.log
    }
}

/// How a line on stdout begins that says where a role answers.
pub(crate) const LISTENS: &str = "listening: ";

const STORE_HINT: &str =
    "`cartwright doctor --redis URL` looks at a Redis; an embedded store has one owner at a time";
const START_HINT: &str =
    "`cartwright doctor --snapshot DIR --redis URL` looks at what a role needs";
const TRAIN_HINT: &str = "`cartwright train --events FILE --out DIR` makes a snapshot; then add --snapshot DIR, or follow a registry with --registry URL";

/// Runs the features role until it is told to stop.
pub(crate) async fn features(
    config: features::Config,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let store = features::open_store(&config).await.or_hint(STORE_HINT)?;
    let clock = config.clock.start();
    finish(started(features::run(config, store, clock, stop).await)?).await
}

/// Runs the candidates role until it is told to stop.
pub(crate) async fn candidates(
    config: candidates::Config,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    needs_snapshot(
        "candidates",
        config.snapshot.is_some() || config.registry.is_some(),
    )?;
    let clock = config.clock.start();
    finish(started(candidates::run(config, clock, stop).await)?).await
}

/// Runs the recovery role until it is told to stop.
pub(crate) async fn recovery(
    config: recovery::Config,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    needs_snapshot(
        "recovery",
        config.snapshot.is_some() || config.registry.is_some(),
    )?;
    let clock = config.clock.start();
    finish(started(recovery::run(config, None, clock, stop).await)?).await
}

/// Runs all three roles in this process until they are told to stop.
pub(crate) async fn all(settings: All, stop: CancellationToken) -> anyhow::Result<()> {
    needs_snapshot(
        "all",
        settings.snapshot.is_some() || settings.registry.is_some(),
    )?;
    let together = Together::start(settings, stop.clone()).await?;
    together.say();
    stop.cancelled().await;
    together.stop().await
}

fn needs_snapshot(role: &str, given: bool) -> anyhow::Result<()> {
    if given {
        return Ok(());
    }
    let message = format!("snapshot is not set: `serve {role}` answers from one");
    Err(Failure::usage(message).hint(TRAIN_HINT).into())
}

/// What a role may fail of when it starts.
trait StartError: std::error::Error + Send + Sync + 'static {
    /// The ports and the server, if those are at fault.
    fn shell(&self) -> Option<&ShellError>;
}

impl StartError for features::Error {
    fn shell(&self) -> Option<&ShellError> {
        if let Self::Shell(error) = self {
            Some(error)
        } else {
            None
        }
    }
}

impl StartError for candidates::Error {
    fn shell(&self) -> Option<&ShellError> {
        if let Self::Shell(error) = self {
            Some(error)
        } else {
            None
        }
    }
}

impl StartError for recovery::Error {
    fn shell(&self) -> Option<&ShellError> {
        if let Self::Shell(error) = self {
            Some(error)
        } else {
            None
        }
    }
}

/// The role, or why it did not start and what to do about it.
fn started<E: StartError>(outcome: Result<Running, E>) -> anyhow::Result<Running> {
    outcome.map_err(|error| match error.shell() {
        Some(ShellError::Bind(BindError::Security(_))) => Failure::usage_because(error)
            .hint("--insecure listens all the same; for closed networks only")
            .into(),
        Some(_) => Failure::because(error)
            .hint("--addr and --admin choose other ports; port 0 picks a free one")
            .into(),
        None => Failure::because(error).hint(START_HINT).into(),
    })
}

/// Says where the role listens, and waits for its end.
async fn finish(running: Running) -> anyhow::Result<()> {
    say(&running);
    let role = running.role;
    running
        .wait()
        .await
        .with_context(|| format!("serve {role}"))
}

fn say(running: &Running) {
    output::result(format!("{LISTENS}{} http://{}", running.role, running.addr));
    if let Some(admin) = running.admin {
        output::note(format!("admin of {}: http://{admin}", running.role));
    }
}
