//! kill -9 loses nothing that was acknowledged, on both stores.

use std::collections::{BTreeMap, HashSet};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use kit::Clock;
use proto::v1 as pb;
use proto::v1::catalog_service_client::CatalogServiceClient;
use proto::v1::event::Type;
use proto::v1::event_result::Status;
use proto::v1::event_service_client::EventServiceClient;
use proto::v1::feature_service_client::FeatureServiceClient;
use tonic::transport::Channel;

use super::support::{Redis, Server, await_some, cartwright, free_port, pause, text};

/// When the simulated clock of these tests starts.
const START: &str = "2026-01-02T12:00:00Z";
const START_S: i64 = 1_767_355_200;
const SHOPPERS: usize = 200;
const EVENTS: usize = 6_000;
const ITEMS: usize = 40;
const BATCH: usize = 50;

/// A features process on a store that outlives it.
struct Features {
    redis: Option<Redis>,
    folder: tempfile::TempDir,
    since: String,
}

impl Features {
    fn on(redis: Option<Redis>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self {
            redis,
            folder,
            since: Clock::real().now_ms().to_string(),
        }
    }

    /// Starts the process on `addr`. Its clock runs on across restarts, a minute a second.
    fn start(&self, addr: &str) -> Server {
        let mut args = vec!["features", "--admin", "none", "--addr", addr];
        args.extend(["--clock-start", START, "--clock-speed", "60"]);
        args.extend(["--clock-since-ms", &self.since]);
        match &self.redis {
            Some(redis) => args.extend(["--redis", &redis.url]),
            None => args.extend(["--data", text(self.folder.path())]),
        }
        Server::start(&args, 1)
    }
}

fn kind(number: usize) -> Type {
    match number % 10 {
        0..7 => Type::View,
        7..9 => Type::AddToCart,
        _ => Type::Purchase,
    }
}

/// Events of the two hours before the clock starts.
fn events() -> Vec<pb::Event> {
    (0..EVENTS)
        .map(|number| pb::Event {
            event_id: format!("e{number}"),
            shopper_id: format!("s{}", number % SHOPPERS),
            r#type: i32::from(kind(number / SHOPPERS + number)),
            item_id: format!("i{}", number * 7 % ITEMS),
            price_minor: 1_000,
            currency: "EUR".to_owned(),
            occurred_at: Some(prost_types::Timestamp {
                seconds: START_S - 7_200 + i64::try_from(number).unwrap(),
                nanos: 0,
            }),
            ..pb::Event::default()
        })
        .collect()
}

async fn channel(url: &str) -> Channel {
    Channel::from_shared(url.to_owned())
        .unwrap()
        .connect()
        .await
        .unwrap()
}

async fn push(
    client: &mut EventServiceClient<Channel>,
    events: &[pb::Event],
) -> Result<Vec<Status>, tonic::Status> {
    let request = pb::PushEventsRequest {
        events: events.to_vec(),
    };
    let results = client.push_events(request).await?.into_inner().results;
    Ok(results.iter().map(pb::EventResult::status).collect())
}

/// Pushes until the server is gone; gives the ids it acknowledged.
async fn push_until_dead(
    url: String,
    events: Vec<pb::Event>,
    done: Arc<AtomicUsize>,
) -> HashSet<String> {
    let mut client = EventServiceClient::new(channel(&url).await);
    let mut acknowledged = HashSet::new();
    for batch in events.chunks(BATCH) {
        let Ok(statuses) = push(&mut client, batch).await else {
            break;
        };
        assert!(
            statuses.iter().all(|status| *status == Status::Accepted),
            "{statuses:?}"
        );
        acknowledged.extend(batch.iter().map(|event| event.event_id.clone()));
        done.fetch_add(1, Ordering::SeqCst);
    }
    acknowledged
}

async fn upsert_items(url: &str) {
    let items = (0..ITEMS).map(|number| pb::Item {
        item_id: format!("i{number}"),
        name: format!("item {number}"),
        ..pb::Item::default()
    });
    let request = pb::UpsertItemsRequest {
        items: items.collect(),
    };
    CatalogServiceClient::new(channel(url).await)
        .upsert_items(request)
        .await
        .unwrap();
}

async fn loses_nothing(features: Features) {
    let server = features.start("127.0.0.1:0");
    upsert_items(&server.url("features")).await;
    let events = events();
    let done = Arc::new(AtomicUsize::new(0));
    let pushing = tokio::spawn(push_until_dead(
        server.url("features"),
        events.clone(),
        done.clone(),
    ));
    while done.load(Ordering::SeqCst) < 30 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    server.kill();
    let acknowledged = pushing.await.unwrap();
    assert!(acknowledged.len() >= 30 * BATCH);
    assert!(
        acknowledged.len() < EVENTS,
        "the process was killed too late to prove anything"
    );

    let server = features.start("127.0.0.1:0");
    let url = server.url("features");
    let mut client = EventServiceClient::new(channel(&url).await);
    let mut known = 0;
    for batch in events.chunks(BATCH) {
        for (event, status) in batch.iter().zip(push(&mut client, batch).await.unwrap()) {
            known += usize::from(status == Status::Duplicate);
            let lost = acknowledged.contains(&event.event_id) && status != Status::Duplicate;
            assert!(!lost, "{} was acknowledged and is gone", event.event_id);
            assert_ne!(status, Status::Rejected, "{}", event.event_id);
        }
    }
    // What was stored and not acknowledged is at most the batch on its way.
    assert!(known <= acknowledged.len() + BATCH);
    for batch in events.chunks(BATCH) {
        let again = push(&mut client, batch).await.unwrap();
        assert!(again.iter().all(|status| *status == Status::Duplicate));
    }
    statistics_are_a_recount(&url, &events).await;
    drop(client);
    server.terminate();
    assert!(server.wait().success());
}

/// Views, carts and purchases of each item.
fn recount(events: &[pb::Event]) -> BTreeMap<String, [u64; 3]> {
    let mut counts: BTreeMap<String, [u64; 3]> = BTreeMap::new();
    for event in events {
        let [views, carts, purchases] = counts.entry(event.item_id.clone()).or_default();
        match event.r#type() {
            Type::View => *views += 1,
            Type::AddToCart => *carts += 1,
            Type::Purchase => *purchases += 1,
            Type::Unspecified
            | Type::RemoveFromCart
            | Type::CheckoutStart
            | Type::MessageSent
            | Type::MessageDelivered
            | Type::MessageOpened
            | Type::MessageClicked
            | Type::MessageUnsubscribed => panic!("not among the events of this test"),
        }
    }
    counts
}

async fn statistics_are_a_recount(url: &str, events: &[pb::Event]) {
    let expected = recount(events);
    let mut client = CatalogServiceClient::new(channel(url).await);
    let mut last = BTreeMap::new();
    // The minute in which the last event came closes within a second or two.
    for _ in 0..100 {
        let item_ids = expected.keys().cloned().collect();
        let answer = client
            .get_items(pb::GetItemsRequest { item_ids })
            .await
            .unwrap();
        let stats = answer.into_inner().stats;
        last = stats
            .into_iter()
            .map(|s| (s.item_id, [s.views_24h, s.carts_24h, s.purchases_24h]))
            .collect();
        if last == expected {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(last, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_process_on_the_embedded_store_loses_nothing_acknowledged() {
    loses_nothing(Features::on(None)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_process_on_redis_loses_nothing_acknowledged() {
    loses_nothing(Features::on(Some(Redis::start()))).await;
}

/// Writes the events of this test as canonical JSON lines.
fn file(folder: &tempfile::TempDir) -> std::path::PathBuf {
    let path = folder.path().join("events.jsonl");
    let lines: String = events()
        .iter()
        .map(|event| {
            let row = serde_json::json!({
                "event_id": event.event_id,
                "shopper_id": event.shopper_id,
                "type": event.r#type().as_str_name(),
                "item_id": event.item_id,
                "price_minor": event.price_minor,
                "currency": event.currency,
                "occurred_at": event.occurred_at.unwrap().seconds * 1_000,
            });
            format!("{row}\n")
        })
        .collect();
    std::fs::write(&path, lines).unwrap();
    path
}

fn survives_a_restart(features: &Features) {
    let folder = tempfile::tempdir().unwrap();
    let file = file(&folder);
    let addr = format!("127.0.0.1:{}", free_port());
    let url = format!("http://{addr}");
    let push = |rate: &str| {
        cartwright()
            .args([
                "events",
                "push",
                "--json",
                "--events",
                text(&file),
                "--to",
                &url,
            ])
            .args(["--rate", rate])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap()
    };
    let server = features.start(&addr);
    let pushing = push("4000");
    pause(Duration::from_millis(600));
    server.kill();
    pause(Duration::from_millis(200));
    let _server = features.start(&addr);
    let totals = |pushing: std::process::Child| {
        let output = pushing.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", output.status);
        serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap()
    };
    let first = totals(pushing);
    assert_eq!(first["pushed"], EVENTS);
    assert_eq!(first["rejected"], 0);
    let second = totals(push("1000000"));
    assert_eq!(second["pushed"], EVENTS);
    assert_eq!(second["duplicate"], EVENTS, "{second}");
}

#[test]
fn events_push_goes_on_after_the_server_was_killed() {
    survives_a_restart(&Features::on(None));
    survives_a_restart(&Features::on(Some(Redis::start())));
}

/// Every eighth event to each of eight connections, all at once.
async fn counts_all(features: Features) {
    let server = features.start("127.0.0.1:0");
    let url = server.url("features");
    let mut all = events();
    all.truncate(1_000);
    for event in &mut all {
        event.shopper_id = "anna".to_owned();
        event.r#type = i32::from(Type::View);
    }
    let connections = (0..8).map(|connection| {
        let own: Vec<pb::Event> = all.iter().skip(connection).step_by(8).cloned().collect();
        let url = url.clone();
        tokio::spawn(async move {
            let mut client = EventServiceClient::new(channel(&url).await);
            for batch in own.chunks(5) {
                let statuses = push(&mut client, batch).await.unwrap();
                assert!(
                    statuses.iter().all(|s| *s == Status::Accepted),
                    "{statuses:?}"
                );
            }
        })
    });
    for connection in connections.collect::<Vec<_>>() {
        connection.await.unwrap();
    }
    let request = pb::GetFeaturesRequest {
        entities: vec![pb::Entity {
            id: Some(pb::entity::Id::ShopperId("anna".to_owned())),
        }],
        features: vec!["shopper.view_count_24h".to_owned()],
        ..pb::GetFeaturesRequest::default()
    };
    let answer = FeatureServiceClient::new(channel(&url).await)
        .get_features(request)
        .await;
    let value = answer.unwrap().into_inner().rows[0].values[0].value.clone();
    assert_eq!(value, Some(pb::feature_value::Value::Int64Value(1_000)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_events_of_one_shopper_from_eight_connections_all_count() {
    counts_all(Features::on(None)).await;
    counts_all(Features::on(Some(Redis::start()))).await;
}

#[test]
fn a_dead_server_is_a_failure_with_a_hint() {
    let folder = tempfile::tempdir().unwrap();
    let file = file(&folder);
    let args = ["events", "push", "--patience", "0", "--events", text(&file)];
    let to = format!("http://127.0.0.1:{}", free_port());
    let output = await_some("the push", || {
        Some(
            cartwright()
                .args(args)
                .args(["--to", &to])
                .output()
                .unwrap(),
        )
    });
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("hint:"), "{said}");
}
