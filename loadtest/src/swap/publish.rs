//! How a snapshot goes live: over `SnapshotService`, or by a command.

use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use proto::v1 as pb;
use proto::v1::snapshot_service_client::SnapshotServiceClient;
use tonic::transport::{Channel, Endpoint};

use super::args::SwapArgs;
use crate::targets::{Role, Targets};

/// A server that takes longer to be ready has failed.
const READY: Duration = Duration::from_secs(600);
const LOOK_AGAIN: Duration = Duration::from_millis(2);
/// A way back that takes longer has failed.
const BACK: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub(crate) struct Publisher {
    /// With their names.
    servers: Vec<(&'static str, Channel)>,
    snapshots: Vec<String>,
    next: AtomicUsize,
    live: Mutex<String>,
    swap_cmd: Option<String>,
    rollback_cmd: Option<String>,
}

impl Publisher {
    pub(crate) async fn new(args: &SwapArgs, targets: &Targets) -> anyhow::Result<Self> {
        let mut servers = Vec::new();
        for (name, url) in args.servers() {
            let endpoint = Endpoint::from_shared(url.to_owned())?;
            servers.push((name, endpoint.connect().await?));
        }
        let candidates = targets.need(Role::Candidates)?.pick(0);
        let snapshots = if args.snapshots.is_empty() {
            published(candidates.clone()).await?
        } else {
            args.snapshots.clone()
        };
        if snapshots.len() < 2 {
            bail!(
                "{} snapshots to swap between, 2 are needed",
                snapshots.len()
            );
        }
        let live = status(candidates).await?.live_generation;
        Ok(Self {
            servers,
            snapshots,
            next: AtomicUsize::new(0),
            live: Mutex::new(live),
            swap_cmd: args.swap_cmd.clone(),
            rollback_cmd: args.rollback_cmd.clone(),
        })
    }

    /// Brings the next snapshot that is not live; its id.
    pub(crate) async fn swap(&self) -> anyhow::Result<String> {
        let live = self.live().clone();
        let id = loop {
            let at = self.next.fetch_add(1, Ordering::Relaxed) % self.snapshots.len();
            match self.snapshots.get(at) {
                Some(id) if *id != live => break id.clone(),
                Some(_) => {}
                None => bail!("no snapshot to swap to"),
            }
        };
        match &self.swap_cmd {
            Some(command) => sh(command, &id).await?,
            None => self.two_phases(&id).await?,
        }
        self.wait_for(&id, READY).await?;
        *self.live() = id.clone();
        Ok(id)
    }

    /// Everybody is ready before anybody goes live.
    async fn two_phases(&self, id: &str) -> anyhow::Result<()> {
        for (name, channel) in &self.servers {
            let asked = pb::PrepareRequest {
                snapshot: id.to_owned(),
                force: Vec::new(),
            };
            let prepared = SnapshotServiceClient::new(channel.clone())
                .prepare(asked)
                .await
                .with_context(|| format!("prepare {id} on {name}"))?
                .into_inner();
            if !prepared.ready {
                bail!("{name} is not ready for {id}: {}", prepared.refusal);
            }
        }
        for (name, channel) in &self.servers {
            let asked = pb::ActivateRequest {
                generation: id.to_owned(),
                sequence: 0,
            };
            SnapshotServiceClient::new(channel.clone())
                .activate(asked)
                .await
                .with_context(|| format!("activate {id} on {name}"))?;
        }
        Ok(())
    }

    /// Goes back with one call or command; how long until every server answers from what was live
    /// before.
    pub(crate) async fn roll_back(&self) -> anyhow::Result<Duration> {
        let (_, candidates) = self.servers.first().context("no server")?;
        let before = status(candidates.clone()).await?.previous_generation;
        let began = Instant::now();
        match &self.rollback_cmd {
            Some(command) => sh(command, &before).await?,
            None => {
                let asked = pb::RollbackRequest {
                    reason: "the way back of a drill".to_owned(),
                    by: "cartwright-loadtest".to_owned(),
                    ..pb::RollbackRequest::default()
                };
                let mut client = SnapshotServiceClient::new(candidates.clone());
                client.rollback(asked).await?;
            }
        }
        self.wait_for(&before, BACK).await?;
        Ok(began.elapsed())
    }

    async fn wait_for(&self, id: &str, longest: Duration) -> anyhow::Result<()> {
        let began = Instant::now();
        for (name, channel) in &self.servers {
            loop {
                let live = status(channel.clone()).await?.live_generation;
                if live == id {
                    break;
                }
                if began.elapsed() > longest {
                    bail!("{name} still answers from {live}, not from {id}");
                }
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        }
        Ok(())
    }

    fn live(&self) -> std::sync::MutexGuard<'_, String> {
        self.live
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

async fn status(channel: Channel) -> anyhow::Result<pb::GetStatusResponse> {
    let answer = SnapshotServiceClient::new(channel)
        .get_status(pb::GetStatusRequest {})
        .await;
    Ok(answer.context("ask for the status")?.into_inner())
}

/// Ids of all that may go live.
async fn published(channel: Channel) -> anyhow::Result<Vec<String>> {
    let listed = SnapshotServiceClient::new(channel)
        .list_snapshots(pb::ListSnapshotsRequest {})
        .await
        .context("list the snapshots")?
        .into_inner();
    let usable = listed.snapshots.into_iter().filter(|one| !one.blocked);
    Ok(usable.map(|one| one.id).collect())
}

async fn sh(command: &str, snapshot: &str) -> anyhow::Result<()> {
    let mut run = Command::new("sh");
    run.args(["-c", command]).env("SNAPSHOT", snapshot);
    // On a thread of its own: the load goes on meanwhile.
    let done = tokio::task::spawn_blocking(move || run.output()).await?;
    let done = done.context("run the command")?;
    if !done.status.success() {
        let said = String::from_utf8_lossy(&done.stderr);
        bail!("{command}: {}: {}", done.status, said.trim());
    }
    Ok(())
}
