//! The servers that a snapshot goes live on: first all are ready, then all switch.

use std::time::Duration;

use futures::future::join_all;
use proto::v1 as pb;
use proto::v1::snapshot_service_client::SnapshotServiceClient;
use snapshot::Verdict;

use crate::failure::Failure;
use crate::remote::Channel;
use crate::{output, remote};

/// Fetching, loading and measuring a large snapshot takes minutes.
const TO_PREPARE: Duration = Duration::from_secs(15 * 60);
const TO_ACTIVATE: Duration = Duration::from_secs(10);

/// Which servers.
#[derive(Debug, Default, clap::Args)]
#[group(skip)]
pub(super) struct Args {
    /// Servers that have to be ready before any of them switches: every role and replica
    #[arg(long, value_name = "HOST:PORT,…", value_delimiter = ',')]
    peers: Vec<String>,
    /// Peers that are left out, because they are down: they follow the record when they are back
    #[arg(
        long,
        value_name = "HOST:PORT,…",
        value_delimiter = ',',
        requires = "peers"
    )]
    exclude: Vec<String>,
    #[command(flatten)]
    access: remote::Access,
}

/// Servers that can be reached.
#[derive(Debug)]
pub(super) struct Peers(Vec<Peer>);

#[derive(Clone, Debug)]
struct Peer {
    name: String,
    client: SnapshotServiceClient<Channel>,
}

impl Args {
    pub(super) fn is_empty(&self) -> bool {
        self.peers.is_empty()
    }

    /// Connects to those that can be reached, and says who cannot.
    pub(super) async fn connect_those_there(&self) -> anyhow::Result<Peers> {
        let mut there = Vec::new();
        for name in self.peers.iter().filter(|one| !self.exclude.contains(one)) {
            match remote::connect(name, &self.access).await {
                Ok(channel) => there.push(Peer {
                    name: name.clone(),
                    client: SnapshotServiceClient::new(channel),
                }),
                Err(error) => output::note(format!("note: {error}; it follows the record")),
            }
        }
        Ok(Peers(there))
    }

    /// Connects to all of them.
    pub(super) async fn connect(&self) -> anyhow::Result<Peers> {
        if let Some(other) = self.exclude.iter().find(|one| !self.peers.contains(one)) {
            let said = format!(
                "--exclude {other} is none of --peers {}",
                self.peers.join(",")
            );
            return Err(Failure::usage(said).into());
        }
        let wanted = self.peers.iter().filter(|one| !self.exclude.contains(one));
        let connecting = wanted.map(|name| async move {
            let channel = remote::connect(name, &self.access).await;
            let channel = channel.map_err(|error| {
                Failure::new(format!("{error}, so nothing was activated"))
                    .hint(format!("start it, or leave it out with --exclude {name}"))
            })?;
            anyhow::Ok(Peer {
                name: name.clone(),
                client: SnapshotServiceClient::new(channel),
            })
        });
        let peers = join_all(connecting).await.into_iter();
        let peers: Vec<Peer> = peers.collect::<anyhow::Result<_>>()?;
        if peers.is_empty() {
            return Err(Failure::usage("--exclude leaves no peer").into());
        }
        Ok(Peers(peers))
    }
}

impl Peers {
    /// Asks all of them to load and examine the snapshot; what they measured, and why some are not
    /// ready.
    pub(super) async fn prepare(
        &self,
        id: &str,
        force: &[String],
    ) -> anyhow::Result<(Vec<Verdict>, Vec<String>)> {
        let bar = output::count_bar(u64::try_from(self.0.len()).ok(), "peers ready");
        let preparing = self.0.iter().map(|peer| async {
            let answer = peer.clone().prepare(id, force).await;
            bar.inc(1);
            answer
        });
        let answers = join_all(preparing).await;
        bar.finish_and_clear();
        let (mut verdicts, mut refusals) = (Vec::new(), Vec::new());
        for (peer, answer) in self.0.iter().zip(answers) {
            let answer = answer?;
            if !answer.ready {
                refusals.push(format!("{} is not ready: {}", peer.name, answer.refusal));
            }
            verdicts.extend(answer.verdicts.into_iter().map(|one| peer.verdict(one)));
        }
        Ok((verdicts, refusals))
    }

    /// Tells all of them; one that is missed follows the record by itself.
    pub(super) async fn activate(&self, id: &str, sequence: u64) {
        let telling = self
            .0
            .iter()
            .map(|peer| peer.clone().activate(id, sequence));
        for (peer, told) in self.0.iter().zip(join_all(telling).await) {
            match told {
                Ok(()) => output::note(format!("{} answers from it", peer.name)),
                Err(status) => output::note(format!(
                    "note: {} was not told ({}); it follows record {sequence} by itself",
                    peer.name,
                    status.message()
                )),
            }
        }
    }
}

impl Peer {
    async fn prepare(mut self, id: &str, force: &[String]) -> anyhow::Result<pb::PrepareResponse> {
        let mut request = tonic::Request::new(pb::PrepareRequest {
            snapshot: id.to_owned(),
            force: force.to_vec(),
        });
        request.set_timeout(TO_PREPARE);
        let answer = self.client.prepare(request).await;
        let what = format!("prepare on {}", self.name);
        Ok(answer
            .map_err(|status| remote::refused(&what, &status))?
            .into_inner())
    }

    async fn activate(mut self, id: &str, sequence: u64) -> Result<(), tonic::Status> {
        let mut request = tonic::Request::new(pb::ActivateRequest {
            generation: id.to_owned(),
            sequence,
        });
        request.set_timeout(TO_ACTIVATE);
        self.client.activate(request).await.map(drop)
    }

    /// With the server's name beside its role: replicas measure for themselves.
    fn verdict(&self, one: pb::Verdict) -> Verdict {
        let role = format!("{} {}", one.role, self.name);
        Verdict {
            forced: one.forced,
            ..Verdict::new(&one.gate, &role, one.measured, one.bar, one.passed)
        }
    }
}
