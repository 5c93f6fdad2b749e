//! A generation of ten items, and the role running on it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use feature_store::FeatureStore;
use kit::{CancellationToken, Clock};
use policy::Policy;
use proto::v1 as pb;
use proto::v1::recovery_service_client::RecoveryServiceClient;
use proto::v1::snapshot_service_client::SnapshotServiceClient;
use ranking::{Ranker, RiskModel};
use recovery::{Config, Running};
use retrieval::files::{write_covisitation, write_popularity};
use snapshot::{Builder, Catalogue, CatalogueItem, Manifest, Snapshot, files};
use tempfile::TempDir;
use tonic::transport::Channel;

use crate::peers::{Peers, Seen, dead_url};

/// 2026-01-01T00:00:00Z.
pub(crate) const NOW_MS: i64 = 1_767_225_600_000;

/// The snapshot, the peers' URL and the role.
pub(crate) struct World {
    pub(crate) client: RecoveryServiceClient<Channel>,
    pub(crate) status: SnapshotServiceClient<Channel>,
    pub(crate) generation: String,
    pub(crate) seen: Arc<Seen>,
    pub(crate) policy: Policy,
    pub(crate) running: Running,
    _dir: TempDir,
}

/// How a test wants its world.
pub(crate) struct Setup {
    pub(crate) peers: Option<Peers>,
    pub(crate) store: Option<FeatureStore>,
    pub(crate) ranker: bool,
    /// More files of the snapshot.
    pub(crate) files: Vec<(&'static str, Vec<u8>)>,
    /// In place of the snapshot's.
    pub(crate) policy: Option<String>,
    pub(crate) deadline_ms: u64,
    pub(crate) clock: Clock,
    pub(crate) webhook: recovery::Webhook,
    pub(crate) tokens: recovery::Tokens,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            peers: Some(healthy()),
            store: None,
            ranker: true,
            files: Vec::new(),
            policy: None,
            // Far from what a busy machine needs; tests of slow peers set their own.
            deadline_ms: 10_000,
            clock: Clock::frozen(NOW_MS),
            webhook: recovery::Webhook::default(),
            tokens: recovery::Tokens::default(),
        }
    }
}

impl Setup {
    pub(crate) async fn start(self) -> World {
        let dir = tempfile::tempdir().unwrap();
        let snapshot = generation_with(&dir.path().join("snapshot"), self.ranker, &self.files);
        let seen = self
            .peers
            .as_ref()
            .map(|peers| peers.seen.clone())
            .unwrap_or_default();
        let url = match self.peers {
            Some(mut peers) => {
                let (inner, id) = (peers.candidates.clone(), snapshot.id().to_owned());
                peers.candidates = Arc::new(move |request| named(inner(request)?, &id));
                peers.start().await
            }
            None => dead_url().await,
        };
        let policy = self.policy.map(|text| {
            let path = dir.path().join("policy.toml");
            std::fs::write(&path, text).unwrap();
            path
        });
        let config = Config {
            policy,
            addr: "127.0.0.1:0".parse().unwrap(),
            admin: None,
            features: url.clone(),
            candidates: url,
            snapshot: Some(snapshot.dir().to_owned()),
            default_deadline_ms: self.deadline_ms,
            webhook: self.webhook,
            tokens: self.tokens,
            ..Config::default()
        };
        let stop = CancellationToken::new();
        let running = recovery::run(config, self.store, self.clock, stop)
            .await
            .unwrap();
        let url = format!("http://{}", running.addr);
        World {
            client: RecoveryServiceClient::connect(url.clone()).await.unwrap(),
            status: SnapshotServiceClient::connect(url).await.unwrap(),
            generation: snapshot.id().to_owned(),
            seen,
            policy: Policy::parse(Policy::DEFAULT).unwrap(),
            running,
            _dir: dir,
        }
    }
}

/// Answers that name no generation are of ours.
fn named(
    mut answer: pb::RetrieveResponse,
    id: &str,
) -> Result<pb::RetrieveResponse, tonic::Status> {
    if answer.generation.is_empty() {
        id.clone_into(&mut answer.generation);
    }
    Ok(answer)
}

/// Ten items, `1` to `10`; each goes with the next two, and `1` is the most popular.
pub(crate) fn generation(dir: &Path, ranker: bool) -> Snapshot {
    generation_with(dir, ranker, &[])
}

pub(crate) fn generation_with(
    dir: &Path,
    ranker: bool,
    more: &[(&'static str, Vec<u8>)],
) -> Snapshot {
    let items = (1..=10).map(|number| CatalogueItem {
        item_id: number.to_string(),
        name: format!("item {number}"),
        category_path: vec!["shoes".to_owned()],
        price_minor: 1_000 * number,
        currency: "EUR".to_owned(),
        cost_minor: Some(400 * number),
        ..CatalogueItem::default()
    });
    let catalogue = Catalogue::new(items.collect()).unwrap();
    let mut builder = Builder::new(dir).unwrap();
    builder
        .write(files::ITEMS, &catalogue.to_jsonl().unwrap())
        .unwrap();
    let ordinal = |number: u32| catalogue.ordinal(&number.to_string()).unwrap();
    let mut neighbours = vec![Vec::new(); 10];
    let mut popularity = vec![0.0; 10];
    for (number, score) in (1..=10_u32).zip([10.0, 9.0, 8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0]) {
        let next = [number % 10 + 1, (number + 1) % 10 + 1].map(ordinal);
        neighbours[ordinal(number) as usize] = vec![(next[0], 2.0), (next[1], 1.0)];
        popularity[ordinal(number) as usize] = score;
    }
    write_covisitation(&mut builder, &neighbours).unwrap();
    write_popularity(&mut builder, &popularity).unwrap();
    let risk = RiskModel::prior(0.7, "a test");
    builder
        .write(files::RISK, risk.to_json().unwrap().as_bytes())
        .unwrap();
    if ranker {
        let ranker = Ranker::retrieval_order("a test").to_json().unwrap();
        builder.write(files::RANKER, ranker.as_bytes()).unwrap();
    }
    for (name, bytes) in more {
        builder.write(name, bytes).unwrap();
    }
    builder
        .write(files::POLICY, Policy::DEFAULT.as_bytes())
        .unwrap();
    builder.finish(Manifest::default()).unwrap()
}

/// Peers that know a consenting shopper with items 1 and 2 in the cart, and propose 3, 4 and 5.
pub(crate) fn healthy() -> Peers {
    Peers {
        features: Arc::new(|request| {
            let rows = request.entities.iter().map(|entity| row(entity, &request));
            Ok(pb::GetFeaturesResponse {
                rows: rows.collect(),
                ..Default::default()
            })
        }),
        candidates: Arc::new(|_| Ok(proposals(&["3", "4", "5", "6"]))),
        features_delay: Duration::ZERO,
        candidates_delay: Duration::ZERO,
        items: Vec::new(),
        seen: Arc::default(),
    }
}

pub(crate) fn proposals(items: &[&str]) -> pb::RetrieveResponse {
    let candidate = |(at, item_id): (usize, &&str)| pb::Candidate {
        item_id: (*item_id).to_owned(),
        score: 1.0 / (1.0 + at as f64),
        sources: vec![pb::SourceScore {
            source: "collaborative".to_owned(),
            score: 0.5,
            rank: u32::try_from(at).unwrap(),
        }],
    };
    pb::RetrieveResponse {
        candidates: items.iter().enumerate().map(candidate).collect(),
        ..Default::default()
    }
}

/// The row of a shopper: nothing is known of `nobody`.
pub(crate) fn row(entity: &pb::Entity, request: &pb::GetFeaturesRequest) -> pb::FeatureRow {
    let values = request.features.iter().map(|_| pb::FeatureValue {
        status: pb::feature_value::Status::Present.into(),
        value: Some(pb::feature_value::Value::Int64Value(3)),
        event_time: None,
    });
    let mut row = pb::FeatureRow {
        entity: Some(entity.clone()),
        values: values.collect(),
        ..Default::default()
    };
    if entity.id != Some(pb::entity::Id::ShopperId("nobody".to_owned())) {
        row.cart = Some(cart());
        row.recent_items = vec![
            recent("9", 5, 60),
            recent("2", 2, 3_600),
            recent("8", 1, 3_700),
        ];
        row.profile = Some(pb::ProfileSummary {
            channels: vec!["email".to_owned()],
            consented_channels: vec!["email".to_owned()],
            ..Default::default()
        });
    }
    row
}

fn cart() -> pb::Cart {
    pb::Cart {
        lines: vec![line("1", 1, 20_000), line("2", 2, 15_000)],
        version: 7,
        value_minor: 50_000,
        currency: "EUR".to_owned(),
        updated_at: Some(before(3_600)),
        last_active_at: Some(before(3_600)),
    }
}

pub(crate) fn line(item_id: &str, quantity: u32, price_minor: i64) -> pb::CartLine {
    pb::CartLine {
        item_id: item_id.to_owned(),
        quantity,
        price_minor,
        currency: "EUR".to_owned(),
        added_at: Some(before(3_600)),
        ..Default::default()
    }
}

fn recent(item_id: &str, event_type: u32, seconds: i64) -> pb::RecentItem {
    pb::RecentItem {
        item_id: item_id.to_owned(),
        event_type,
        occurred_at: Some(before(seconds)),
    }
}

fn before(seconds: i64) -> prost_types::Timestamp {
    prost_types::Timestamp {
        seconds: NOW_MS / 1_000 - seconds,
        nanos: 0,
    }
}

pub(crate) fn ask(shopper: &str) -> pb::DecideRequest {
    pb::DecideRequest {
        shopper_id: shopper.to_owned(),
        ..Default::default()
    }
}

impl World {
    pub(crate) async fn decide(&self, request: pb::DecideRequest) -> pb::Decision {
        self.try_decide(request).await.unwrap()
    }

    pub(crate) async fn try_decide(
        &self,
        request: pb::DecideRequest,
    ) -> Result<pb::Decision, tonic::Status> {
        let answer = self.client.clone().decide(request).await;
        answer.map(tonic::Response::into_inner)
    }

    pub(crate) fn features_calls(&self) -> usize {
        self.seen.features_calls.load(Ordering::SeqCst)
    }
}

pub(crate) fn shown(decision: &pb::Decision) -> Vec<&str> {
    decision
        .items
        .iter()
        .map(|item| item.item_id.as_str())
        .collect()
}
