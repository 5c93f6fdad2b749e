//! Snapshots that come from a registry: prepared, live, taken back, refused.

use std::path::{Path, PathBuf};
use std::time::Duration;

use candidates::Config;
use kit::{CancellationToken, Clock, NotHeld};
use proto::v1 as pb;
use proto::v1::snapshot_service_client::SnapshotServiceClient;
use snapshot::{Action, Activation, NewActivation, Registry, Snapshot};
use tempfile::TempDir;
use tonic::Code;
use tonic::transport::Channel;

use super::features::Features;
use super::server::get;
use super::support::{NOW_MS, Server, connect, ids, looked_at, on_free_ports, write_named};

/// A registry in a folder, with two published snapshots.
struct World {
    dir: TempDir,
    registry: Registry,
    a: String,
    b: String,
}

async fn world() -> World {
    let dir = tempfile::tempdir().unwrap();
    let registry = Registry::open(&dir.path().join("registry").display().to_string()).unwrap();
    let mut published = Vec::new();
    for name in ["a", "b"] {
        let folder = write_named(dir.path(), name, &format!("Item of {name}"));
        let snapshot = Snapshot::open(folder).unwrap();
        published.push(registry.publish(&snapshot, &|_| {}).await.unwrap().id);
    }
    let [a, b] = published.try_into().unwrap();
    World {
        dir,
        registry,
        a,
        b,
    }
}

impl World {
    fn config(&self) -> Config {
        Config {
            registry: Some(self.registry.url().to_owned()),
            cache: self.cache(),
            swap: generations::Settings {
                poll: kit::config::Period::millis(50),
                ..generations::Settings::default()
            },
            ..on_free_ports()
        }
    }

    fn cache(&self) -> PathBuf {
        self.dir.path().join("cache")
    }

    async fn record(&self, snapshot: &str) -> Activation {
        let head = self.registry.head().await.unwrap();
        let new = NewActivation {
            snapshot: snapshot.to_owned(),
            by: "a test".to_owned(),
            ..NewActivation::default()
        };
        let after = head.map_or(0, |head| head.sequence);
        self.registry.append(after, new).await.unwrap()
    }

    async fn serve(&self, config: Config) -> Server {
        let shutdown = CancellationToken::new();
        let running = candidates::run(config, Clock::frozen(NOW_MS), shutdown.clone())
            .await
            .unwrap();
        let channel = connect(running.addr).await;
        Server {
            running,
            channel,
            shutdown,
            _snapshot: tempfile::tempdir().unwrap(),
        }
    }

    /// A server on which `a` is live.
    async fn on_a(&self) -> Server {
        self.record(&self.a).await;
        self.serve(self.config()).await
    }
}

fn snapshots(server: &Server) -> SnapshotServiceClient<Channel> {
    SnapshotServiceClient::new(server.channel.clone())
}

async fn status(server: &Server) -> pb::GetStatusResponse {
    let answer = snapshots(server).get_status(pb::GetStatusRequest {}).await;
    answer.unwrap().into_inner()
}

async fn until(server: &Server, holds: impl Fn(&pb::GetStatusResponse) -> bool) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    loop {
        let status = status(server).await;
        if holds(&status) {
            return;
        }
        assert!(tokio::time::Instant::now() < deadline, "still {status:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn prepare(server: &Server, snapshot: &str) -> pb::PrepareResponse {
    let asked = pb::PrepareRequest {
        snapshot: snapshot.to_owned(),
        force: Vec::new(),
    };
    snapshots(server).prepare(asked).await.unwrap().into_inner()
}

/// The generation that answers, when `pinned` is asked for.
async fn answers(server: &Server, pinned: &str) -> Result<String, tonic::Status> {
    let request = pb::RetrieveRequest {
        generation: pinned.to_owned(),
        ..looked_at(&["i03"])
    };
    Ok(server.retrieve(request).await?.generation)
}

#[tokio::test]
async fn a_snapshot_is_prepared_goes_live_and_is_taken_back() {
    let world = world().await;
    let server = world.on_a().await;
    let (a, b) = (world.a.as_str(), world.b.as_str());
    assert_eq!(answers(&server, "").await.unwrap(), a);
    let refused = NotHeld::of(&answers(&server, b).await.unwrap_err()).unwrap();
    assert_eq!(refused.held, [a]);

    let prepared = prepare(&server, b).await;
    assert!(prepared.ready, "{prepared:?}");
    assert!(prepared.verdicts.iter().any(|one| one.gate == "integrity"));
    assert!(prepared.verdicts.iter().all(|one| one.passed));
    assert_eq!(answers(&server, "").await.unwrap(), a, "not live yet");
    assert_eq!(answers(&server, b).await.unwrap(), b, "and can be pinned");
    assert_eq!(status(&server).await.prepared_generation, b);

    let record = world.record(b).await;
    let asked = pb::ActivateRequest {
        generation: b.to_owned(),
        sequence: record.sequence,
    };
    let live = snapshots(&server).activate(asked.clone()).await.unwrap();
    let live = live.into_inner();
    assert_eq!((&*live.live_generation, &*live.previous_generation), (b, a));
    assert_eq!(answers(&server, "").await.unwrap(), b);
    assert_eq!(answers(&server, a).await.unwrap(), a, "N-1 stays");
    snapshots(&server).activate(asked).await.unwrap();

    let asked = pb::RollbackRequest {
        reason: "it sells too little".to_owned(),
        generation: b.to_owned(),
        ..pb::RollbackRequest::default()
    };
    let back = snapshots(&server).rollback(asked.clone()).await.unwrap();
    let back = back.into_inner();
    assert_eq!((&*back.live_generation, back.sequence), (a, 3), "{back:?}");
    assert_eq!(answers(&server, "").await.unwrap(), a);
    let head = world.registry.head().await.unwrap().unwrap();
    assert_eq!((head.action, &*head.snapshot), (Action::Rollback, a));
    assert_eq!(head.why, "it sells too little");
    let again = snapshots(&server).rollback(asked).await.unwrap_err();
    assert_eq!(again.code(), Code::FailedPrecondition, "b is left already");
}

#[tokio::test]
async fn a_server_that_was_missed_follows_the_record_and_the_way_back() {
    let world = world().await;
    let (one, other) = (world.on_a().await, world.serve(world.config()).await);
    world.record(&world.b).await;
    for server in [&one, &other] {
        until(server, |status| status.live_generation == world.b).await;
    }
    let asked = pb::RollbackRequest::default();
    snapshots(&one).rollback(asked).await.unwrap();
    until(&other, |status| status.live_generation == world.a).await;
    assert_eq!(status(&other).await.previous_generation, world.b);
    assert_eq!(status(&other).await.sequence, 3);
}

#[tokio::test]
async fn what_is_sold_out_stays_sold_out_in_the_next_generation() {
    let world = world().await;
    let features = Features::default();
    let sold_out = pb::Item {
        item_id: "i04".to_owned(),
        stock: Some(0),
        ..pb::Item::default()
    };
    features.table(vec![sold_out.clone()]);
    world.record(&world.a).await;
    let config = Config {
        features: features.serve().await,
        ..world.config()
    };
    let server = world.serve(config).await;
    let has = |found: &[String], id: &str| found.iter().any(|one| one == id);
    server.eventually(|found| !has(found, "i04")).await;
    assert!(prepare(&server, &world.b).await.ready);
    let pinned = pb::RetrieveRequest {
        generation: world.b.clone(),
        ..looked_at(&["i03"])
    };
    let of_next = ids(&server.retrieve(pinned).await.unwrap());
    assert!(!has(&of_next, "i04"), "before it is live: {of_next:?}");
    world.record(&world.b).await;
    until(&server, |status| status.live_generation == world.b).await;
    assert!(!has(&server.candidates().await, "i04"));
    features
        .update(vec![pb::Item {
            stock: Some(1),
            ..sold_out
        }])
        .await;
    server.eventually(|found| has(found, "i04")).await;
    let asked = pb::RollbackRequest::default();
    snapshots(&server).rollback(asked).await.unwrap();
    assert!(
        has(&server.candidates().await, "i04"),
        "the generation before has heard it too"
    );
}

/// Publishes the files of a folder again, with a measured figure.
async fn measured(world: &World, folder: &str, risk_auc: f64) -> String {
    let of = Snapshot::open(world.dir.path().join(folder)).unwrap();
    let out = world.dir.path().join(format!("{folder} {risk_auc}"));
    let mut builder = snapshot::Builder::new(out).unwrap();
    for name in of.manifest().files.keys() {
        builder.write(name, &of.read(name).unwrap()).unwrap();
    }
    let manifest = snapshot::Manifest {
        quality: [("risk_auc".to_owned(), risk_auc)].into(),
        ..of.manifest().clone()
    };
    let again = builder.finish(manifest).unwrap();
    let published = world.registry.publish(&again, &|_| {}).await;
    published.unwrap().id
}

#[tokio::test]
async fn a_worse_snapshot_is_not_prepared_beside_the_live_one_unless_that_is_forced() {
    let world = world().await;
    let good = measured(&world, "a", 0.8).await;
    let worse = measured(&world, "b", 0.6).await;
    world.record(&good).await;
    let server = world.serve(world.config()).await;
    let refused = prepare(&server, &worse).await;
    assert!(!refused.ready, "{refused:?}");
    assert!(
        refused
            .refusal
            .contains("gate quality refuses: risk_auc 0.6000, live 0.8000 (worse)"),
        "{refused:?}"
    );
    assert_eq!(status(&server).await.live_generation, good);
    let asked = pb::PrepareRequest {
        snapshot: worse.clone(),
        force: vec!["quality".to_owned()],
    };
    let forced = snapshots(&server)
        .prepare(asked)
        .await
        .unwrap()
        .into_inner();
    assert!(forced.ready, "{forced:?}");
    let quality = forced
        .verdicts
        .iter()
        .find(|one| one.gate == "quality")
        .unwrap();
    assert!(quality.forced && !quality.passed);
}

#[tokio::test]
async fn a_server_without_the_generation_before_follows_the_way_back_to_a_worse_one() {
    let world = world().await;
    let worse = measured(&world, "a", 0.6).await;
    let better = measured(&world, "b", 0.8).await;
    world.record(&better).await;
    let server = world.serve(world.config()).await;
    let new = NewActivation {
        action: Action::Rollback,
        snapshot: worse.clone(),
        by: "a test".to_owned(),
        ..NewActivation::default()
    };
    world.registry.append(1, new).await.unwrap();
    until(&server, |status| status.live_generation == worse).await;
}

/// Changes one byte of a published file that only `b` names.
fn flip_a_byte(world: &World) {
    let blobs = world.dir.path().join("registry/blobs");
    let items = Snapshot::open(world.dir.path().join("b")).unwrap();
    let sha256 = &items.manifest().files["items.jsonl"].sha256;
    let path = blobs.join(sha256);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[10] ^= 1;
    std::fs::write(path, bytes).unwrap();
}

#[tokio::test]
async fn a_broken_snapshot_leaves_the_live_one_alone_and_says_why() {
    let world = world().await;
    let server = world.on_a().await;
    flip_a_byte(&world);
    let refused = prepare(&server, &world.b).await;
    assert!(!refused.ready);
    assert!(refused.refusal.contains("gate integrity"), "{refused:?}");
    world.record(&world.b).await;
    until(&server, |status| status.failure.is_some()).await;
    let status = status(&server).await;
    assert_eq!(status.live_generation, world.a);
    let failure = status.failure.unwrap();
    assert_eq!(
        (failure.snapshot, failure.step),
        (world.b.clone(), "examining".to_owned())
    );
    until(&server, |_| true).await;
    let mut ready = String::new();
    for _ in 0..200 {
        ready = get(&server, "/ready").await;
        if ready.contains("stays out") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(
        ready.contains("200 OK") && ready.contains("gate integrity"),
        "{ready}"
    );
    let metrics = get(&server, "/metrics").await;
    assert!(
        metrics
            .contains("cartwright_candidates_generation_load_failures_total{step=\"examining\"}")
    );
    assert_eq!(answers(&server, "").await.unwrap(), world.a);
    let restarted = world.serve(world.config()).await;
    assert_eq!(
        answers(&restarted, "").await.unwrap(),
        world.a,
        "a start takes the newest that is whole"
    );
}

fn hide(from: &Path, to: &Path) {
    std::fs::rename(from, to).unwrap();
}

#[tokio::test]
async fn without_the_registry_a_start_serves_what_was_live_last() {
    let world = world().await;
    let server = world.on_a().await;
    world.record(&world.b).await;
    until(&server, |status| status.live_generation == world.b).await;
    let memory = world.cache().join("candidates.live.json");
    while !std::fs::read_to_string(&memory).is_ok_and(|text| text.contains(&world.b)) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    server.shutdown.cancel();
    let registry = world.dir.path().join("registry");
    hide(&registry, &world.dir.path().join("away"));
    // A file where the folder was: nothing can be read below it.
    std::fs::write(&registry, "").unwrap();
    let restarted = world.serve(world.config()).await;
    assert_eq!(answers(&restarted, "").await.unwrap(), world.b);
    let status = status(&restarted).await;
    assert!(!status.registry_reachable, "{status:?}");
    assert_eq!(status.sequence, 2);
}

#[tokio::test]
async fn a_registry_in_which_nothing_is_live_yet_makes_the_role_ready_later() {
    let world = world().await;
    let server = world.serve(world.config()).await;
    let refused = answers(&server, "").await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable);
    assert!(!server.running.health().is_ready());
    world.record(&world.a).await;
    until(&server, |status| status.live_generation == world.a).await;
    while !server.running.health().is_ready() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(answers(&server, "").await.unwrap(), world.a);
}
