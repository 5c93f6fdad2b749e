//! Two generations at hand: a decision is of one of them, whatever the candidates role holds.

use std::path::Path;
use std::sync::Arc;

use kit::{CancellationToken, Clock, NotHeld};
use policy::Policy;
use proto::v1 as pb;
use proto::v1::recovery_service_client::RecoveryServiceClient;
use proto::v1::snapshot_service_client::SnapshotServiceClient;
use recovery::Config;
use snapshot::{NewActivation, Registry, Snapshot};
use tempfile::TempDir;
use tonic::Status;

use crate::peers::Seen;
use crate::world::{NOW_MS, ask, generation, healthy, proposals};

struct World {
    client: RecoveryServiceClient<tonic::transport::Channel>,
    a: String,
    b: String,
    seen: Arc<Seen>,
    _running: recovery::Running,
    _dir: TempDir,
}

/// A generation with another policy, so another id.
fn other(dir: &Path) -> Snapshot {
    let of = generation(&dir.join("first"), true);
    let mut builder = snapshot::Builder::new(dir.join("second")).unwrap();
    for name in of.manifest().files.keys() {
        let bytes = of.read(name).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        let bytes = if name == snapshot::files::POLICY {
            text.replace(
                &format!("version = \"{}\"", version()),
                "version = \"other\"",
            )
            .into_bytes()
        } else {
            bytes
        };
        builder.write(name, &bytes).unwrap();
    }
    builder.finish(snapshot::Manifest::default()).unwrap()
}

fn version() -> String {
    Policy::parse(Policy::DEFAULT).unwrap().version().to_owned()
}

/// A candidates role that holds `held` only, and answers from those.
fn holding(
    held: Vec<String>,
) -> impl Fn(pb::RetrieveRequest) -> Result<pb::RetrieveResponse, Status> {
    move |asked| {
        if held.contains(&asked.generation) {
            return Ok(pb::RetrieveResponse {
                generation: asked.generation,
                ..proposals(&["3", "4"])
            });
        }
        Err(NotHeld {
            asked: asked.generation,
            held: held.clone(),
        }
        .into())
    }
}

/// Recovery with `a` live and `b` prepared, beside a candidates role that holds what `held` says.
async fn world(held: impl Fn(&str, &str) -> Vec<String>) -> World {
    let dir = tempfile::tempdir().unwrap();
    let registry = Registry::open(&dir.path().join("registry").display().to_string()).unwrap();
    let first = generation(&dir.path().join("a"), true);
    let second = other(dir.path());
    for one in [&first, &second] {
        registry.publish(one, &|_| {}).await.unwrap();
    }
    let (a, b) = (first.id().to_owned(), second.id().to_owned());
    assert_ne!(a, b);
    // The snapshots of these tests were made for no features.
    let forced = vec!["schema".to_owned()];
    let live = NewActivation {
        snapshot: a.clone(),
        forced: forced.clone(),
        ..NewActivation::default()
    };
    registry.append(0, live).await.unwrap();
    let mut peers = healthy();
    peers.candidates = Arc::new(holding(held(&a, &b)));
    let seen = peers.seen.clone();
    let url = peers.start().await;
    let config = Config {
        addr: "127.0.0.1:0".parse().unwrap(),
        admin: None,
        features: url.clone(),
        candidates: url,
        registry: Some(registry.url().to_owned()),
        cache: dir.path().join("cache"),
        default_deadline_ms: 10_000,
        ..Config::default()
    };
    let stop = CancellationToken::new();
    let running = recovery::run(config, None, Clock::frozen(NOW_MS), stop)
        .await
        .unwrap();
    let url = format!("http://{}", running.addr);
    let mut snapshots = SnapshotServiceClient::connect(url.clone()).await.unwrap();
    let asked = pb::PrepareRequest {
        snapshot: b.clone(),
        force: forced,
    };
    let prepared = snapshots.prepare(asked).await.unwrap().into_inner();
    assert!(prepared.ready, "{prepared:?}");
    assert!(prepared.verdicts.iter().any(|one| one.forced), "the schema");
    World {
        client: RecoveryServiceClient::connect(url).await.unwrap(),
        a,
        b,
        seen,
        _running: running,
        _dir: dir,
    }
}

impl World {
    async fn decide(&self, request: pb::DecideRequest) -> pb::Decision {
        self.client
            .clone()
            .decide(request)
            .await
            .unwrap()
            .into_inner()
    }

    fn asked_of_candidates(&self) -> Vec<String> {
        let asked = self.seen.candidates.lock().unwrap();
        asked.iter().map(|one| one.generation.clone()).collect()
    }
}

#[tokio::test]
async fn what_the_candidates_role_does_not_hold_is_decided_anew_with_one_that_both_hold() {
    let world = world(|_, b| vec!["unheard of".to_owned(), b.to_owned()]).await;
    let decision = world.decide(ask("s")).await;
    assert_eq!(decision.generation, world.b);
    assert_eq!(decision.degraded, Vec::<String>::new());
    assert_eq!(
        world.asked_of_candidates(),
        [world.a.clone(), world.b.clone()]
    );
    assert_eq!(
        world.seen.features.lock().unwrap().len(),
        2,
        "its features are read anew too"
    );
    let ranked = pb::RankRequest {
        shopper_id: "s".to_owned(),
        item_ids: vec!["3".to_owned(), "4".to_owned()],
        ..pb::RankRequest::default()
    };
    let ranked = world
        .client
        .clone()
        .rank(ranked)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(ranked.generation, world.b);
    assert_eq!(ranked.degraded, Vec::<String>::new());
}

#[tokio::test]
async fn with_none_that_both_hold_the_live_one_answers_alone() {
    let world = world(|_, _| vec!["unheard of".to_owned()]).await;
    let decision = world.decide(ask("s")).await;
    assert_eq!(decision.generation, world.a);
    assert_eq!(decision.degraded.len(), 1);
    assert!(
        decision.degraded[0].contains("is not held; held: unheard of"),
        "{:?}",
        decision.degraded
    );
    assert_eq!(world.asked_of_candidates().len(), 1, "asked no second time");
}

#[tokio::test]
async fn a_caller_who_pins_a_generation_gets_that_one() {
    let world = world(|a, _| vec![a.to_owned()]).await;
    let pinned = |generation: &str| pb::DecideRequest {
        generation: generation.to_owned(),
        ..ask("s")
    };
    let of_b = world.decide(pinned(&world.b)).await;
    assert_eq!(of_b.generation, world.b);
    assert_eq!(of_b.degraded.len(), 1, "from b alone: {:?}", of_b.degraded);
    let refused = world.client.clone().decide(pinned("c")).await.unwrap_err();
    let refused = NotHeld::of(&refused).unwrap();
    assert_eq!(refused.held, [world.a.clone(), world.b.clone()]);
    let batch = pb::DecideBatchRequest {
        requests: vec![ask("s"), pinned(&world.a), pinned(&world.b)],
    };
    let answers = world.client.clone().decide_batch(batch).await.unwrap();
    let generations: Vec<_> = answers
        .into_inner()
        .results
        .into_iter()
        .map(|one| match one.outcome {
            Some(pb::decide_result::Outcome::Decision(decision)) => decision.generation,
            other => panic!("{other:?}"),
        })
        .collect();
    let (a, b) = (world.a.clone(), world.b.clone());
    assert_eq!(generations, [a.clone(), a, b]);
}
