//! COMMIT on both stores: once per request id, whoever asks, and recomputable from the log alone.

use std::io;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::world::{Setup, World, ask, healthy, line};
use feature_store::store::{
    Durability, Embedded, EmbeddedSettings, Error, Kind, Log, LogEntry, Partition, Redis,
    RedisSettings,
};
use feature_store::{FeatureStore, Settings};
use prost::Message as _;
use proto::v1 as pb;
use recovery::record::{Record, replay};
use tempfile::TempDir;
use tonic::{Code, Status};

/// A store, and what keeps it alive.
pub(crate) struct Kept {
    pub(crate) store: FeatureStore,
    _dir: TempDir,
    redis: Option<Child>,
}

impl Drop for Kept {
    fn drop(&mut self) {
        if let Some(child) = &mut self.redis {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn embedded() -> Kept {
    let dir = tempfile::tempdir().unwrap();
    let store = Embedded::open(EmbeddedSettings {
        path: dir.path().join("store"),
        durability: Durability::Process,
    });
    Kept {
        store: FeatureStore::new(Arc::new(store.unwrap()), Settings::default()),
        _dir: dir,
        redis: None,
    }
}

/// `None` where no Redis is installed.
async fn redis() -> Option<Kept> {
    let dir = tempfile::tempdir().unwrap();
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let child = Command::new("redis-server")
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
        .args(["--save", "", "--appendonly", "no"])
        .current_dir(dir.path())
        .stdout(Stdio::null())
        .spawn();
    let child = match child {
        Ok(child) => child,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            eprintln!("skipped: redis-server is not installed");
            return None;
        }
        Err(error) => panic!("redis-server does not start: {error}"),
    };
    let settings = || RedisSettings {
        url: format!("redis://127.0.0.1:{port}"),
        ..RedisSettings::default()
    };
    let mut store = Redis::connect(settings()).await;
    for _ in 0..100 {
        if store.is_ok() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        store = Redis::connect(settings()).await;
    }
    Some(Kept {
        store: FeatureStore::new(Arc::new(store.unwrap()), Settings::default()),
        _dir: dir,
        redis: Some(child),
    })
}

pub(crate) async fn stores() -> Vec<Kept> {
    [embedded()].into_iter().chain(redis().await).collect()
}

async fn world(kept: &Kept) -> World {
    let setup = Setup {
        store: Some(kept.store.clone()),
        ..Setup::default()
    };
    setup.start().await
}

fn commit(request_id: &str) -> pb::DecideRequest {
    pb::DecideRequest {
        request_id: request_id.to_owned(),
        mode: pb::decide_request::Mode::Commit.into(),
        ..ask("s")
    }
}

/// Entries of all decision logs.
pub(crate) async fn logged(store: &FeatureStore) -> Vec<Record> {
    let mut records = Vec::new();
    let mut take = |_, entry: &LogEntry| {
        records.push(Record::decode(entry.value.as_ref()).unwrap());
        Ok::<_, Error>(())
    };
    let unseen = &mut |_, _| {};
    let read = store.read_log(Log::Decisions, &mut take, unseen);
    read.await.unwrap();
    records
}

#[tokio::test]
async fn the_same_request_id_has_the_same_decision_for_ever() {
    for kept in stores().await {
        let calls = Arc::new(AtomicUsize::new(0));
        let mut peers = healthy();
        let (inner, counted) = (peers.features.clone(), calls.clone());
        peers.features = Arc::new(
            move |request| match counted.fetch_add(1, Ordering::SeqCst) {
                0 => inner(request),
                _ => Err(Status::unavailable("gone since")),
            },
        );
        let setup = Setup {
            peers: Some(peers),
            store: Some(kept.store.clone()),
            ..Setup::default()
        };
        let world = setup.start().await;
        let first = world.decide(commit("r")).await;
        let later = pb::DecideRequest {
            now: Some(prost_types::Timestamp {
                seconds: 1_900_000_000,
                nanos: 0,
            }),
            ..commit("r")
        };
        assert_eq!(
            first,
            world.decide(later).await,
            "a retry may come later, and with peers gone"
        );
        assert_eq!(first.decision_id.len(), 32);
        assert!(first.degraded.is_empty(), "{:?}", first.degraded);
        assert_ne!(first, world.decide(commit("r2")).await);
        assert_eq!(logged(&kept.store).await.len(), 2);
    }
}

#[tokio::test]
async fn a_request_id_cannot_be_used_for_another_request() {
    for kept in stores().await {
        let world = world(&kept).await;
        world.decide(commit("r")).await;
        let other = pb::DecideRequest {
            cart: vec![line("3", 1, 500)],
            ..commit("r")
        };
        let refusal = world.try_decide(other).await.unwrap_err();
        assert_eq!(refusal.code(), Code::AlreadyExists);
        assert!(refusal.message().contains("\"r\""), "{}", refusal.message());
        let of_another_shopper = pb::DecideRequest {
            shopper_id: "t".to_owned(),
            ..commit("r")
        };
        assert_eq!(world.decide(of_another_shopper).await.shopper_id, "t");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sixteen_at_once_get_one_decision() {
    for kept in stores().await {
        // Two roles on one store, whose clocks and peers may differ: the log decides.
        let worlds = [world(&kept).await, world(&kept).await];
        let asked = (0..16).map(|at: usize| {
            let mut client = worlds[at % 2].client.clone();
            tokio::spawn(async move {
                let request = pb::DecideRequest {
                    now: Some(prost_types::Timestamp {
                        seconds: 1_800_000_000 + i64::try_from(at).unwrap(),
                        nanos: 0,
                    }),
                    ..commit("r")
                };
                client.decide(request).await.unwrap().into_inner()
            })
        });
        let mut answers = Vec::new();
        for asked in asked.collect::<Vec<_>>() {
            answers.push(asked.await.unwrap());
        }
        assert!(
            answers.iter().all(|answer| *answer == answers[0]),
            "{answers:?}"
        );
        let log = logged(&kept.store).await;
        assert_eq!(log.len(), 1);
        assert_eq!(pb::Decision::decode(&*log[0].decision).unwrap(), answers[0]);
    }
}

#[tokio::test]
async fn a_logged_decision_can_be_recomputed_bit_for_bit() {
    for kept in stores().await {
        let world = world(&kept).await;
        for number in 0..50 {
            world.decide(commit(&format!("r{number}"))).await;
        }
        let log = logged(&kept.store).await;
        assert_eq!(log.len(), 50);
        for record in log {
            let answered = pb::Decision::decode(&*record.decision).unwrap();
            let again = replay(&record, &world.policy).unwrap();
            assert_eq!(again, replay(&record, &world.policy).unwrap());
            assert_eq!(again.value_minor, answered.expected_value_minor);
            assert_eq!(again.propensity.to_bits(), answered.propensity.to_bits());
            assert_eq!(again.risk.to_bits(), answered.risk.to_bits());
            assert_eq!(again.reasons, answered.reasons);
            let flips = again.runner_up.map(|second| second.flips_when);
            assert_eq!(flips, answered.runner_up.map(|second| second.flips_when));
            assert_eq!(
                again.offer.map(|offer| offer.discount_minor),
                answered.offer.map(|offer| offer.discount_minor)
            );
            assert_eq!(record.generation, world.generation);
            assert!(
                record.inputs.len() <= 1_024,
                "{} bytes",
                record.inputs.len()
            );
        }
    }
}

#[tokio::test]
async fn a_preview_writes_nothing() {
    for kept in stores().await {
        let world = world(&kept).await;
        let preview = pb::DecideRequest {
            request_id: "r".to_owned(),
            ..ask("s")
        };
        let decision = world.decide(preview).await;
        assert_eq!(decision.decision_id.len(), 32);
        assert!(logged(&kept.store).await.is_empty());
        for partition in Partition::all() {
            let ids = kept
                .store
                .store()
                .list(partition, Kind::Decision)
                .await
                .unwrap();
            assert!(ids.is_empty(), "{ids:?}");
        }
        let status = world
            .status
            .clone()
            .get_status(pb::GetStatusRequest {})
            .await
            .unwrap();
        assert_eq!(status.into_inner().store, kept.store.store().name());
    }
}

#[tokio::test]
async fn a_batch_commits_each_and_a_request_id_twice_in_it_once() {
    let kept = embedded();
    let world = world(&kept).await;
    let requests = vec![commit("a"), commit("b"), commit("a"), commit("")];
    let batch = pb::DecideBatchRequest { requests };
    let answer = world
        .client
        .clone()
        .decide_batch(batch)
        .await
        .unwrap()
        .into_inner();
    let outcomes: Vec<_> = answer
        .results
        .into_iter()
        .map(|one| one.outcome.unwrap())
        .collect();
    assert_eq!(outcomes[0], outcomes[2]);
    assert!(matches!(
        &outcomes[3],
        pb::decide_result::Outcome::Failure(_)
    ));
    assert_eq!(logged(&kept.store).await.len(), 2);
}

#[tokio::test]
async fn a_store_that_is_gone_is_an_error_of_commit_only() {
    let Some(mut kept) = redis().await else {
        return;
    };
    let world = world(&kept).await;
    let mut child = kept.redis.take().unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    let refusal = world.try_decide(commit("r")).await.unwrap_err();
    assert_eq!(refusal.code(), Code::Unavailable, "{refusal:?}");
    assert!(world.decide(ask("s")).await.degraded.is_empty());
}
