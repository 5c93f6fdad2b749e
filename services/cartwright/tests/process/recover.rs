//! The recovery loop under kill -9: two recovery processes sweep and hand out while one of them is
//! always about to die, and a receiver of its own counts what arrives.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use feature_store::store::{Log, Partition, RedisSettings};
use feature_store::{FeatureStore, Settings, store};
use kit::{Clock, timestamp};
use policy::Policy;
use prost::Message as _;
use proto::v1 as pb;
use proto::v1::event::Type;
use proto::v1::event_service_client::EventServiceClient;
use proto::v1::recovery_service_client::RecoveryServiceClient;
use proto::v1::shopper_service_client::ShopperServiceClient;
use recovery::record::Record;
use tonic::transport::Channel;

use super::support::{Redis, Server, free_port, snapshot, text};

/// Monday, 12 January 2026, 09:00 UTC; an hour passes in a second.
const START: &str = "2026-01-12T09:00:00Z";
const START_MS: i64 = 1_768_208_400_000;
const SPEED: f64 = 3_600.0;
const SHOPPERS: usize = 160;
const HOUR: i64 = 3_600_000;
/// How long is killed, and how long may be waited for the last step after that.
const KILLING: Duration = Duration::from_secs(45);
const PATIENCE: Duration = Duration::from_secs(240);
const BUDGET: i64 = 2_000;

const POLICY: &str = r#"
version = "killed"
[[cap]]
window = "24h"
most = 1
[quiet_hours]
zones = ["Europe/Berlin", "Europe/Lisbon"]
[quiet_hours.email]
from = "22:00"
to = "07:00"
[holdout]
share = 0.1
salt = "killed"
[sequence]
kinds = ["cart"]
[budget]
amount_minor = 2000
pacing = false
period = "month"
hold = "12h"
[[arm]]
name = "reminder"
action = "reminder"
recovery = 0.2
[[arm]]
name = "coupon"
action = "percent_coupon"
percent_off = 0.05
max_discount_minor = 20
valid_for = "48h"
recovery = 0.9
"#;

/// What becomes of a shopper.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum Fate {
    /// Agreed, left a cart, and never came back.
    Steady,
    Buys,
    NeverAgreed,
    Revokes,
}

fn fate(number: usize) -> Fate {
    match number % 8 {
        0 | 1 => Fate::Buys,
        2 => Fate::NeverAgreed,
        3 => Fate::Revokes,
        _ => Fate::Steady,
    }
}

/// The zone that is told, and the offset that holds for it in these days.
fn zone(number: usize) -> (&'static str, &'static [i64]) {
    match number % 3 {
        0 => ("Europe/Berlin", &[1]),
        1 => ("America/New_York", &[-5]),
        _ => ("", &[0, 1]),
    }
}

fn id(number: usize) -> String {
    format!("shopper-{number}")
}

/// What arrived, in the order of its arrival.
type Received = Arc<Mutex<Vec<pb::Action>>>;

struct Scene {
    redis: Redis,
    clock: Clock,
    since: String,
    features: Server,
    candidates: Server,
    _folder: tempfile::TempDir,
    config: PathBuf,
}

impl Scene {
    fn start() -> Self {
        let since = Clock::real().now_ms();
        let redis = Redis::start();
        let folder = tempfile::tempdir().unwrap();
        let (policy, config) = (
            folder.path().join("policy.toml"),
            folder.path().join("c.toml"),
        );
        std::fs::write(&policy, POLICY).unwrap();
        let settings = format!(
            "policy = {:?}\ndefault_deadline_ms = 5000\n[recover]\nlease = \"1s\"\nevery = \"20ms\"\nbatch = 64\n",
            text(&policy)
        );
        std::fs::write(&config, settings).unwrap();
        let clock = Clock::simulated(START_MS, since, SPEED);
        let since = since.to_string();
        let features = serve(&["features", "--redis", &redis.url], &since);
        let url = features.url("features");
        let candidates = serve(
            &[
                "candidates",
                "--snapshot",
                text(snapshot()),
                "--features",
                &url,
            ],
            &since,
        );
        Self {
            redis,
            clock,
            since,
            features,
            candidates,
            _folder: folder,
            config,
        }
    }

    fn recovery(&self, addr: &str) -> Server {
        let (features, candidates) = (
            self.features.url("features"),
            self.candidates.url("candidates"),
        );
        let args = [
            "recovery",
            "--config",
            text(&self.config),
            "--snapshot",
            text(snapshot()),
            "--redis",
            &self.redis.url,
            "--features",
            &features,
            "--candidates",
            &candidates,
            "--addr",
            addr,
        ];
        let clock = [
            "--clock-start",
            START,
            "--clock-speed",
            "3600",
            "--clock-since-ms",
            &self.since,
        ];
        let rest = ["--admin", "none"];
        Server::start(&[&args[..], &clock, &rest].concat(), 1)
    }
}

fn serve(args: &[&str], since: &str) -> Server {
    let clock = [
        "--clock-start",
        START,
        "--clock-speed",
        "3600",
        "--clock-since-ms",
        since,
    ];
    let rest = ["--admin", "none", "--addr", "127.0.0.1:0"];
    Server::start(&[args, &clock, &rest].concat(), 1)
}

async fn channel(url: &str) -> Channel {
    let endpoint = Channel::from_shared(url.to_owned()).unwrap();
    endpoint.connect().await.unwrap()
}

async fn push(events: &mut EventServiceClient<Channel>, event: pb::Event) {
    let request = pb::PushEventsRequest {
        events: vec![event],
    };
    let results = events
        .push_events(request)
        .await
        .unwrap()
        .into_inner()
        .results;
    assert_eq!(
        results[0].status(),
        pb::event_result::Status::Accepted,
        "{results:?}"
    );
}

fn event(number: usize, kind: Type, now_ms: i64) -> pb::Event {
    pb::Event {
        event_id: format!("{number}-{kind:?}"),
        shopper_id: id(number),
        r#type: kind.into(),
        item_id: "5".to_owned(),
        price_minor: 10_000,
        currency: "EUR".to_owned(),
        occurred_at: Some(timestamp::encode(now_ms)),
        ..pb::Event::default()
    }
}

fn consent(number: usize, granted: bool, now_ms: i64) -> pb::SetConsentRequest {
    pb::SetConsentRequest {
        shopper_id: id(number),
        consents: vec![pb::Consent {
            purpose: "marketing".to_owned(),
            channel: "email".to_owned(),
            granted,
            wording: "v1".to_owned(),
            at: Some(timestamp::encode(now_ms)),
            jurisdiction: String::new(),
        }],
    }
}

/// Everybody fills a cart; later some buy and some revoke. Answers when that was acknowledged.
async fn shoppers(url: String, clock: Clock) -> BTreeMap<String, i64> {
    let mut events = EventServiceClient::new(channel(&url).await);
    let mut people = ShopperServiceClient::new(channel(&url).await);
    for number in 0..SHOPPERS {
        let profile = pb::SetProfileRequest {
            shopper_id: id(number),
            time_zone: Some(zone(number).0.to_owned()),
            jurisdiction: Some("DE".to_owned()),
            ..pb::SetProfileRequest::default()
        };
        people.set_profile(profile).await.unwrap();
        if fate(number) != Fate::NeverAgreed {
            people
                .set_consent(consent(number, true, clock.now_ms()))
                .await
                .unwrap();
        }
        push(&mut events, event(number, Type::AddToCart, clock.now_ms())).await;
    }
    let mut acknowledged = BTreeMap::new();
    for number in 0..SHOPPERS {
        match fate(number) {
            Fate::Buys => push(&mut events, event(number, Type::Purchase, clock.now_ms())).await,
            Fate::Revokes => {
                people
                    .set_consent(consent(number, false, clock.now_ms()))
                    .await
                    .unwrap();
            }
            Fate::Steady | Fate::NeverAgreed => continue,
        }
        acknowledged.insert(id(number), clock.now_ms());
        tokio::time::sleep(Duration::from_millis(600)).await;
    }
    acknowledged
}

/// Reads on from whoever answers; forgets to acknowledge one in eight, so that it comes again.
async fn receive(addr: String, name: usize, received: Received, over: Arc<AtomicBool>) {
    let mut count = 0_u32;
    while !over.load(Ordering::Acquire) {
        tokio::time::sleep(Duration::from_millis(50)).await;
        let Ok(mut client) = RecoveryServiceClient::connect(format!("http://{addr}")).await else {
            continue;
        };
        let request = pb::StreamActionsRequest {
            group: "mail".to_owned(),
            consumer: format!("receiver-{name}"),
            lease: Some(prost_types::Duration {
                seconds: 1,
                nanos: 0,
            }),
            channels: vec!["email".to_owned()],
        };
        let Ok(actions) = client.stream_actions(request).await else {
            continue;
        };
        let mut actions = actions.into_inner();
        while let Ok(Ok(Some(action))) =
            tokio::time::timeout(Duration::from_secs(2), actions.message()).await
        {
            count += 1;
            let ack = pb::AckActionsRequest {
                group: "mail".to_owned(),
                ack_ids: vec![action.ack_id.clone()],
            };
            received.lock().unwrap().push(action);
            if !count.is_multiple_of(8) && client.ack_actions(ack).await.is_err() {
                break;
            }
        }
    }
}

/// The keys that steady shoppers outside the holdout are owed: three steps about their first cart.
fn owed() -> BTreeSet<String> {
    let policy = Policy::parse(POLICY).unwrap();
    let holdout = policy.holdout().unwrap();
    (0..SHOPPERS)
        .filter(|number| fate(*number) == Fate::Steady && !holdout.holds(&id(*number)))
        .flat_map(|number| (0..3).map(move |step| format!("{}/1/{step}", id(number))))
        .collect()
}

fn arrived(received: &Received) -> BTreeSet<String> {
    let received = received.lock().unwrap();
    received
        .iter()
        .map(|action| action.idempotency_key.clone())
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_that_are_killed_lose_no_action_double_none_and_keep_every_limit() {
    let scene = Scene::start();
    let addrs = [free_port(), free_port()].map(|port| format!("127.0.0.1:{port}"));
    let mut servers: Vec<Option<Server>> = addrs
        .iter()
        .map(|addr| Some(scene.recovery(addr)))
        .collect();
    let received = Received::default();
    let over = Arc::new(AtomicBool::new(false));
    let receivers: Vec<_> = addrs
        .iter()
        .enumerate()
        .map(|(name, addr)| {
            tokio::spawn(receive(addr.clone(), name, received.clone(), over.clone()))
        })
        .collect();
    let shoppers = tokio::spawn(shoppers(
        scene.features.url("features"),
        scene.clock.clone(),
    ));
    let began = Instant::now();
    let mut kills = 0_usize;
    while began.elapsed() < KILLING {
        tokio::time::sleep(Duration::from_millis(500 + 137 * (kills as u64 % 7))).await;
        let place = kills % 2;
        servers[place].take().unwrap().kill();
        servers[place] = Some(scene.recovery(&addrs[place]));
        kills += 1;
    }
    let acknowledged = shoppers.await.unwrap();
    while !owed().is_subset(&arrived(&received)) && began.elapsed() < PATIENCE {
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    over.store(true, Ordering::Release);
    for receiver in receivers {
        receiver.await.unwrap();
    }
    let lost: Vec<_> = owed().difference(&arrived(&received)).cloned().collect();
    assert!(
        lost.is_empty(),
        "{kills} kills lost {} actions: {lost:?}",
        lost.len()
    );
    let received = std::mem::take(&mut *received.lock().unwrap());
    println!(
        "{kills} kills, {} hand-outs, {} messages",
        received.len(),
        {
            let keys: BTreeSet<_> = received.iter().map(|one| &one.idempotency_key).collect();
            keys.len()
        }
    );
    check(&received, &acknowledged);
    check_log(&scene.redis.url).await;
}

fn handed_out_ms(action: &pb::Action) -> i64 {
    timestamp::decode(action.handed_out_at.as_ref().unwrap()).unwrap()
}

fn number(action: &pb::Action) -> usize {
    action
        .shopper_id
        .strip_prefix("shopper-")
        .unwrap()
        .parse()
        .unwrap()
}

fn check(received: &[pb::Action], acknowledged: &BTreeMap<String, i64>) {
    let policy = Policy::parse(POLICY).unwrap();
    let holdout = policy.holdout().unwrap();
    let mut messages: BTreeMap<&str, Vec<&pb::Action>> = BTreeMap::new();
    for action in received {
        let (number, at_ms) = (number(action), handed_out_ms(action));
        let who = &action.shopper_id;
        assert_ne!(fate(number), Fate::NeverAgreed, "{who} never agreed");
        assert!(!holdout.holds(who), "{who} is held out");
        if let Some(since) = acknowledged.get(who) {
            assert!(
                at_ms < *since,
                "{who}: {:?} at {since}, handed out at {at_ms}",
                fate(number)
            );
        }
        for offset in zone(number).1 {
            let hour = (at_ms / HOUR + offset).rem_euclid(24);
            assert!((7..22).contains(&hour), "{who}: in quiet hours, at {hour}");
        }
        messages
            .entry(&action.idempotency_key)
            .or_default()
            .push(action);
    }
    let mut spent = 0;
    for (key, handed_out) in &messages {
        let decisions: BTreeSet<_> = handed_out.iter().map(|one| &one.decision_id).collect();
        assert_eq!(decisions.len(), 1, "{key} stands for two decisions");
        spent += handed_out[0].decision.as_ref().unwrap().max_cost_minor;
    }
    assert!(spent <= BUDGET, "{spent} of {BUDGET} spent");
    assert!(spent > BUDGET / 2, "{spent}: the budget has to matter");
    check_caps(&messages);
}

/// Between the last hand-out of a message and the first of the next lies a day.
fn check_caps(messages: &BTreeMap<&str, Vec<&pb::Action>>) {
    let mut spans: BTreeMap<&str, Vec<(i64, i64)>> = BTreeMap::new();
    for handed_out in messages.values() {
        let times = handed_out.iter().map(|one| handed_out_ms(one));
        let span = (times.clone().min().unwrap(), times.max().unwrap());
        spans
            .entry(&handed_out[0].shopper_id)
            .or_default()
            .push(span);
    }
    for (who, spans) in &mut spans {
        spans.sort_unstable();
        for pair in spans.windows(2) {
            assert!(
                pair[1].0 - pair[0].1 >= 24 * HOUR,
                "{who}: over the cap, {pair:?}"
            );
        }
    }
}

/// Every step and attempt of every cart was decided once.
async fn check_log(url: &str) {
    let settings = RedisSettings {
        url: url.to_owned(),
        ..RedisSettings::default()
    };
    let redis = store::Redis::connect(settings).await.unwrap();
    let features = FeatureStore::new(Arc::new(redis), Settings::default());
    let logs: Vec<_> = Partition::all()
        .map(|one| (one, Log::Decisions, 0))
        .collect();
    let entries = features.store().read_logs(&logs, 10_000).await.unwrap();
    let mut decided = BTreeSet::new();
    for entry in entries.into_iter().flatten() {
        let record = Record::decode(entry.value).unwrap();
        let step = record.step.unwrap();
        let key = (
            record.shopper_id,
            step.cart_version,
            step.step,
            step.attempt,
        );
        assert!(decided.insert(key.clone()), "{key:?} was decided twice");
    }
    assert!(decided.len() >= owed().len());
}
