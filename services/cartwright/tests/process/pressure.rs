//! What becomes of decisions and events while Redis hangs, and when it is killed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use kit::Clock;
use kit::admission::PUSHBACK;
use proto::v1 as pb;
use proto::v1::decide_request::Mode;
use proto::v1::event::Type;
use proto::v1::event_result;
use proto::v1::event_service_client::EventServiceClient;
use proto::v1::recovery_service_client::RecoveryServiceClient;
use tokio::task::JoinHandle;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};

use super::support::{Redis, Server, snapshot, text};

const DEADLINE: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_secs(30);

/// Three processes on one Redis.
struct Shop {
    events: EventServiceClient<Channel>,
    recovery: RecoveryServiceClient<Channel>,
    _servers: [Server; 3],
}

impl Shop {
    async fn on(redis: &Redis) -> Self {
        let ports = ["--addr", "127.0.0.1:0", "--admin", "none"];
        let features = Server::start(
            &[&["features", "--redis", &redis.url], &ports[..]].concat(),
            1,
        );
        let (from, model) = (features.url("features"), text(snapshot()));
        let args = ["candidates", "--snapshot", model, "--features", &from];
        let candidates = Server::start(&[&args[..], &ports].concat(), 1);
        let to = candidates.url("candidates");
        let args = ["recovery", "--redis", &redis.url, "--snapshot", model];
        let peers = ["--features", &from, "--candidates", &to];
        let recovery = Server::start(&[&args[..], &peers, &ports].concat(), 1);
        Self {
            events: EventServiceClient::new(channel(&from).await),
            recovery: RecoveryServiceClient::new(channel(&recovery.url("recovery")).await),
            _servers: [features, candidates, recovery],
        }
    }

    async fn decide(&self, request: pb::DecideRequest) -> Result<pb::Decision, Status> {
        let mut request = Request::new(request);
        request.set_timeout(DEADLINE);
        let answer = self.recovery.clone().decide(request).await;
        answer.map(tonic::Response::into_inner)
    }

    async fn push(&self, events: Vec<pb::Event>) -> Result<Vec<event_result::Status>, Status> {
        let mut request = Request::new(pb::PushEventsRequest { events });
        request.set_timeout(DEADLINE);
        let answer = self.events.clone().push_events(request).await?;
        let results = answer.into_inner().results;
        Ok(results.iter().map(pb::EventResult::status).collect())
    }

    /// Asks until a decision is whole.
    async fn is_whole_again(&self) {
        let give_up = Instant::now() + PATIENCE;
        loop {
            match self.decide(preview()).await {
                Ok(decision) if decision.degraded.is_empty() => return,
                other => assert!(Instant::now() < give_up, "still {other:?}"),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

async fn channel(url: &str) -> Channel {
    let endpoint = Channel::from_shared(url.to_owned()).unwrap();
    endpoint.connect().await.unwrap()
}

/// The same number is the same event, whenever it is pushed.
fn event(number: usize) -> pb::Event {
    static NOW_MS: OnceLock<i64> = OnceLock::new();
    let now_ms = *NOW_MS.get_or_init(|| Clock::real().now_ms());
    pb::Event {
        event_id: format!("e{number}"),
        shopper_id: format!("s{}", number % 50),
        r#type: Type::AddToCart.into(),
        item_id: format!("{}", 1 + number % 3),
        price_minor: 1_000,
        currency: "EUR".to_owned(),
        occurred_at: Some(kit::timestamp::encode(now_ms)),
        ..pb::Event::default()
    }
}

fn preview() -> pb::DecideRequest {
    pb::DecideRequest {
        shopper_id: "s1".to_owned(),
        ..pb::DecideRequest::default()
    }
}

fn commit(number: usize) -> pb::DecideRequest {
    pb::DecideRequest {
        shopper_id: format!("s{}", number % 50),
        request_id: format!("r{number}"),
        mode: Mode::Commit.into(),
        ..pb::DecideRequest::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_redis_hangs_every_decision_is_answered_in_time_and_says_what_it_lacks() {
    let redis = Redis::start();
    let shop = Arc::new(Shop::on(&redis).await);
    shop.push((0..100).map(event).collect()).await.unwrap();
    shop.is_whole_again().await;
    redis.pause();
    let mut asked: Vec<JoinHandle<Result<pb::Decision, Status>>> = Vec::new();
    for _ in 0..150 {
        let shop = shop.clone();
        asked.push(tokio::spawn(async move { shop.decide(preview()).await }));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let refused = shop.decide(commit(1)).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable, "{refused:?}");
    assert!(refused.metadata().get(PUSHBACK).is_some(), "{refused:?}");
    let refused = shop.push(vec![event(1_000)]).await.unwrap_err();
    assert!(says_retry(&refused), "{refused:?}");
    let mut reasons = BTreeSet::new();
    for answer in asked {
        let decision = answer.await.unwrap().unwrap();
        let why = decision.degraded.first().expect("it says what it lacks");
        assert!(why.starts_with("features: "), "{why}");
        reasons.extend(decision.degraded);
    }
    let open = |why: &String| why.contains("breaker open since");
    assert!(reasons.iter().any(open), "{reasons:?}");
    redis.resume();
    shop.is_whole_again().await;
    let give_up = Instant::now() + PATIENCE;
    while let Err(status) = shop.decide(commit(1)).await {
        assert!(
            says_retry(&status) && Instant::now() < give_up,
            "{status:?}"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn says_retry(status: &Status) -> bool {
    [
        Code::Unavailable,
        Code::ResourceExhausted,
        Code::DeadlineExceeded,
    ]
    .contains(&status.code())
}

/// Does something again and again until told to stop; a failure has to say that it may be tried
/// again, and then it is.
#[derive(Debug, Default)]
struct Progress {
    done: AtomicUsize,
    failed: AtomicUsize,
    stop: AtomicBool,
}

impl Progress {
    fn goes_on(&self) -> bool {
        !self.stop.load(Ordering::SeqCst)
    }

    async fn failed(&self, status: &Status) {
        assert!(says_retry(status), "{status:?}");
        self.failed.fetch_add(1, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }

    async fn reach(&self, count: usize) {
        let give_up = Instant::now() + PATIENCE;
        while self.done.load(Ordering::SeqCst) < count {
            assert!(Instant::now() < give_up, "{self:?}, {count} wanted");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// Pushes until told to stop; gives the events that were acknowledged.
async fn push_on(shop: Arc<Shop>, progress: Arc<Progress>) -> Vec<pb::Event> {
    let mut acknowledged = Vec::new();
    while progress.goes_on() {
        let first = acknowledged.len();
        let batch: Vec<_> = (first..first + 10).map(event).collect();
        match shop.push(batch.clone()).await {
            Ok(results) => {
                let rejected = event_result::Status::Rejected;
                assert!(!results.contains(&rejected), "{results:?}");
                acknowledged.extend(batch);
                progress.done.fetch_add(1, Ordering::SeqCst);
            }
            Err(status) => progress.failed(&status).await,
        }
    }
    acknowledged
}

/// Commits until told to stop; gives the decisions that were acknowledged.
async fn commit_on(shop: Arc<Shop>, progress: Arc<Progress>) -> BTreeMap<usize, pb::Decision> {
    let mut acknowledged = BTreeMap::new();
    while progress.goes_on() {
        let number = acknowledged.len();
        match shop.decide(commit(number)).await {
            Ok(decision) => {
                acknowledged.insert(number, decision);
                progress.done.fetch_add(1, Ordering::SeqCst);
            }
            Err(status) => progress.failed(&status).await,
        }
    }
    acknowledged
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_redis_loses_nothing_that_was_acknowledged() {
    let mut redis = Redis::start();
    let shop = Arc::new(Shop::on(&redis).await);
    let (pushes, commits): (Arc<Progress>, Arc<Progress>) = Default::default();
    let pushing = tokio::spawn(push_on(shop.clone(), pushes.clone()));
    let committing = tokio::spawn(commit_on(shop.clone(), commits.clone()));
    for _ in 0..2 {
        let done = [&pushes, &commits].map(|one| one.done.load(Ordering::SeqCst));
        pushes.reach(done[0] + 20).await;
        commits.reach(done[1] + 20).await;
        redis.kill();
        tokio::time::sleep(Duration::from_millis(200)).await;
        redis.restart();
    }
    let done = [&pushes, &commits].map(|one| one.done.load(Ordering::SeqCst));
    pushes.reach(done[0] + 20).await;
    commits.reach(done[1] + 20).await;
    for progress in [&pushes, &commits] {
        progress.stop.store(true, Ordering::SeqCst);
        assert!(
            progress.failed.load(Ordering::SeqCst) > 0,
            "the kill was never felt"
        );
    }
    let (events, decisions) = (pushing.await.unwrap(), committing.await.unwrap());
    for batch in events.chunks(100) {
        let again = shop.push(batch.to_vec()).await.unwrap();
        let known = event_result::Status::Duplicate;
        assert!(again.iter().all(|status| *status == known), "{again:?}");
    }
    for (number, decision) in decisions {
        let again = shop.decide(commit(number)).await.unwrap();
        assert_eq!(again, decision, "r{number} was acknowledged and is gone");
    }
}
