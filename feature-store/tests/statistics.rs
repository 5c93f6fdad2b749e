//! Item statistics: from the event logs, once each, on both stores and across processes.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test says what it expects"
)]

mod support;

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use feature_store::store::{Durability, Key, Kind, Log, Partition};
use feature_store::{
    Event, EventKind, FeatureStore, Item, ItemStats, LoggedEvent, Millis, Outcome, Settings, Tally,
};
use support::{Fixture, open_embedded};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

on_both_stores!(
    counts_what_was_accepted_before_the_last_closed_minute,
    a_minute_is_written_once_however_many_reads_it_takes,
    a_new_process_goes_on_where_the_last_one_was,
    old_tiles_are_folded_and_dropped_without_losing_a_count,
    follows_items_that_another_process_changes,
);

const START: Millis = Millis(1_700_000_040_000 - 1_700_000_040_000 % Millis::MINUTE);
const FOLDER: &str = "CARTWRIGHT_TEST_STATISTICS_FOLDER";

/// A clock that stands where it is put.
#[derive(Clone, Default)]
struct Clock(Arc<AtomicI64>);

impl Clock {
    fn set(&self, now: Millis) {
        self.0.store(now.0, Ordering::SeqCst);
    }

    fn now(&self) -> Millis {
        Millis(self.0.load(Ordering::SeqCst))
    }
}

/// A process that follows the items, as far as tests can tell.
struct Follower {
    features: FeatureStore,
    clock: Clock,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Follower {
    fn start(features: FeatureStore, now: Millis) -> Self {
        let clock = Clock::default();
        clock.set(now);
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn({
            let (features, clock) = (features.clone(), clock.clone());
            let stopped = async move {
                let _ = stopped.await;
            };
            async move { features.follow_items(move || clock.now(), stopped).await }
        });
        Self {
            features,
            clock,
            stop,
            task,
        }
    }

    /// Moves the clock and waits until everything before its minute is counted.
    async fn reach(&self, now: Millis) {
        self.clock.set(now);
        let closed = now.floor(Duration::from_secs(60));
        for _ in 0..2_000 {
            if self.features.items().as_of() >= closed {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("not counted within 20 s");
    }

    async fn stop(self) {
        self.stop.send(()).expect("still follows");
        self.task.await.expect("ends");
    }

    fn stats(&self, item: &str) -> ItemStats {
        self.features
            .items()
            .get(item)
            .map(|row| row.stats)
            .unwrap_or_default()
    }
}

async fn open(fixture: &Fixture) -> FeatureStore {
    FeatureStore::new(fixture.open().await, Settings::default())
}

fn event(shopper: &str, id: &str, kind: EventKind, item: &str, at: Millis) -> Event {
    Event {
        event_id: id.to_owned(),
        shopper_id: shopper.to_owned(),
        kind,
        item_id: item.to_owned(),
        price_minor: 500,
        currency: "EUR".to_owned(),
        occurred_at: at,
        ..Event::default()
    }
}

fn after(minutes: i64) -> Millis {
    Millis(START.0 + minutes * Millis::MINUTE)
}

async fn push(features: &FeatureStore, events: &[Event], now: Millis) {
    let outcomes = features.ingest(events, now).await.expect("answers");
    assert!(
        outcomes.iter().all(|outcome| *outcome == Outcome::Accepted),
        "{outcomes:?}"
    );
}

/// All that the event logs hold.
async fn events(features: &FeatureStore) -> Vec<LoggedEvent> {
    let log = features.event_log(&mut |_, _| {}).await.expect("answers");
    log.entries().map(|seen| seen.entry.clone()).collect()
}

/// Counts the logs from their beginning.
async fn recount(features: &FeatureStore, as_of: Millis) -> BTreeMap<String, ItemStats> {
    let mut tally = Tally::new();
    tally.advance(as_of);
    let mut items = BTreeMap::new();
    for logged in events(features).await {
        if logged.accepted_at < as_of {
            let event = logged.event;
            tally.count(&event.item_id, event.kind, event.occurred_at);
            items.insert(event.item_id, ItemStats::default());
        }
    }
    for (item, stats) in &mut items {
        *stats = tally.stats(item);
    }
    items
}

async fn assert_equals_a_recount(follower: &Follower) {
    let as_of = follower.features.items().as_of();
    let expected = recount(&follower.features, as_of).await;
    let rows = follower.features.items().snapshot();
    let counted = rows
        .iter()
        .filter(|row| row.stats.views_30d + row.stats.carts_30d > 0);
    let counted: BTreeMap<_, _> = counted
        .map(|row| (row.item_id.to_string(), row.stats))
        .collect();
    assert_eq!(counted, expected);
}

async fn counts_what_was_accepted_before_the_last_closed_minute(fixture: &Fixture) {
    let follower = Follower::start(open(fixture).await, after(0));
    let features = &follower.features;
    let at = after(-10);
    let events = [
        event("a", "1", EventKind::View, "x", at),
        event("a", "2", EventKind::AddToCart, "x", at),
        event("b", "1", EventKind::View, "x", at),
        event("b", "2", EventKind::Purchase, "x", at),
        event("b", "3", EventKind::RemoveFromCart, "x", at),
        event("b", "4", EventKind::View, "y", after(-3 * 24 * 60)),
    ];
    push(features, &events[..5], after(0)).await;
    let late = features
        .ingest(&events[5..], after(0))
        .await
        .expect("answers");
    assert_ne!(late[0], Outcome::Accepted);
    push(
        features,
        &[event("c", "4", EventKind::View, "y", after(-3 * 24 * 60))],
        after(0),
    )
    .await;
    follower.reach(Millis(after(1).0 - 1)).await;
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert_eq!(follower.stats("x").views_24h, 0, "the minute is not closed");
    follower.reach(after(1)).await;
    let x = ItemStats {
        views_24h: 2,
        carts_24h: 1,
        purchases_24h: 1,
        views_30d: 2,
        carts_30d: 1,
        purchases_30d: 1,
        as_of: after(1),
    };
    assert_eq!(follower.stats("x"), x);
    let y = ItemStats {
        views_30d: 1,
        as_of: after(1),
        ..ItemStats::default()
    };
    assert_eq!(follower.stats("y"), y);
    follower.reach(after(25 * 60)).await;
    let stats = follower.stats("x");
    assert_eq!((stats.views_24h, stats.views_30d), (0, 2));
    follower.stop().await;
}

async fn a_minute_is_written_once_however_many_reads_it_takes(fixture: &Fixture) {
    let follower = Follower::start(open(fixture).await, after(0));
    let features = &follower.features;
    // Of one partition, and many times as many as are read at once.
    let views: Vec<_> = (0..1_000)
        .map(|n| {
            let (id, item) = (n.to_string(), (n % 3).to_string());
            event("anna", &id, EventKind::View, &item, after(0))
        })
        .collect();
    push(features, &views, after(0)).await;
    follower.reach(after(1)).await;
    assert_eq!(follower.stats("0").views_24h, 334);
    assert_equals_a_recount(&follower).await;
    let partition = Partition::of("anna");
    let store = features.store();
    let tiles = store
        .list(partition, Kind::ItemTiles)
        .await
        .expect("answers");
    let keys: Vec<_> = tiles
        .iter()
        .map(|id| Key {
            partition,
            kind: Kind::ItemTiles,
            id: id.clone(),
        })
        .collect();
    let written = store.get_many(&keys).await.expect("answers");
    let versions: Vec<_> = written.iter().flatten().map(|tile| tile.version).collect();
    assert_eq!(versions, [1]);
    follower.stop().await;
}

async fn a_new_process_goes_on_where_the_last_one_was(fixture: &Fixture) {
    for round in 0..4 {
        let features = open(fixture).await;
        let follower = Follower::start(features.clone(), after(10 * round));
        for batch in 0..3 {
            let views: Vec<_> = (0..100)
                .map(|n| {
                    let id = format!("{round} {batch} {n}");
                    event(
                        &n.to_string(),
                        &id,
                        EventKind::View,
                        &(n % 7).to_string(),
                        after(10 * round),
                    )
                })
                .collect();
            push(&features, &views, after(10 * round + batch)).await;
            // The last batch of each round is left to the next process.
            if batch < 2 {
                follower.reach(after(10 * round + batch + 1)).await;
            }
        }
        assert_equals_a_recount(&follower).await;
        drop(features);
        follower.stop().await;
    }
    let follower = Follower::start(open(fixture).await, after(60));
    follower.reach(after(60)).await;
    assert_equals_a_recount(&follower).await;
    assert_eq!(follower.stats("0").views_24h, 12 * 15);
    follower.stop().await;
}

async fn old_tiles_are_folded_and_dropped_without_losing_a_count(fixture: &Fixture) {
    let features = open(fixture).await;
    let follower = Follower::start(features.clone(), after(0));
    for hour in (0..40).step_by(3) {
        let at = after(hour * 60);
        push(
            &features,
            &[event("a", &hour.to_string(), EventKind::View, "x", at)],
            at,
        )
        .await;
        follower.reach(after(hour * 60 + 1)).await;
    }
    let tiles = async || {
        features
            .store()
            .list(Partition::of("a"), Kind::ItemTiles)
            .await
            .expect("answers")
    };
    assert!(
        tiles().await.iter().any(|tile| tile.starts_with('d')),
        "a day is folded"
    );
    assert_equals_a_recount(&follower).await;
    follower.stop().await;
    // What is stored is what is counted: a new process finds the same.
    let follower = Follower::start(features.clone(), after(40 * 60));
    for day in (2..29).step_by(4) {
        follower.reach(after(day * 24 * 60)).await;
        assert_equals_a_recount(&follower).await;
    }
    assert!(tiles().await.iter().all(|tile| tile.starts_with('d')));
    follower.reach(after(33 * 24 * 60)).await;
    assert_eq!(
        follower.stats("x"),
        ItemStats {
            as_of: after(33 * 24 * 60),
            ..ItemStats::default()
        }
    );
    assert_eq!(tiles().await, [""; 0]);
    follower.stop().await;
}

async fn follows_items_that_another_process_changes(fixture: &Fixture) {
    let here = open(fixture).await;
    let item = |id: &str, price_minor| Item {
        item_id: id.to_owned(),
        price_minor,
        currency: "EUR".to_owned(),
        ..Item::default()
    };
    let items = (0..300).map(|n| item(&n.to_string(), 1)).collect();
    here.upsert_items(items, after(0)).await.expect("answers");
    let there = FeatureStore::new(Arc::clone(here.store()), Settings::default());
    let follower = Follower::start(there.clone(), after(0));
    follower.reach(after(0)).await;
    assert_eq!(there.items().len(), 300);
    let mut changes = there.items().subscribe();
    here.upsert_items(vec![item("7", 2), item("new", 3)], after(0))
        .await
        .expect("answers");
    let mut changed = Vec::new();
    while changed.len() < 2 {
        let told = tokio::time::timeout(Duration::from_secs(5), changes.recv()).await;
        changed.extend(
            told.expect("within a second or so")
                .expect("is told")
                .iter()
                .cloned(),
        );
    }
    assert!(changed.iter().map(|id| &**id).eq(["7", "new"]));
    let price = |id| {
        there
            .items()
            .get(id)
            .and_then(|row| Some(row.item.as_ref()?.price_minor))
    };
    assert_eq!(
        (price("7"), price("new"), price("8")),
        (Some(2), Some(3), Some(1))
    );
    follower.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_followers_neither_counts_twice() {
    let fixture = Fixture::redis().await;
    let followers = [
        Follower::start(open(&fixture).await, after(0)),
        Follower::start(open(&fixture).await, after(0)),
    ];
    for minute in 0..6 {
        let views: Vec<_> = (0..500)
            .map(|n| {
                let id = format!("{minute} {n}");
                event(
                    &(n % 90).to_string(),
                    &id,
                    EventKind::View,
                    &(n % 7).to_string(),
                    after(minute),
                )
            })
            .collect();
        let features = &followers[usize::from(minute % 2 == 0)].features;
        push(features, &views, after(minute)).await;
        let next = after(minute + 1);
        tokio::join!(followers[0].reach(next), followers[1].reach(next));
        for follower in &followers {
            assert_equals_a_recount(follower).await;
        }
    }
    for follower in followers {
        follower.stop().await;
    }
    let fresh = Follower::start(open(&fixture).await, after(6));
    fresh.reach(after(6)).await;
    assert_equals_a_recount(&fresh).await;
    assert_eq!(
        (0..7)
            .map(|item| fresh.stats(&item.to_string()).views_24h)
            .sum::<u64>(),
        3_000
    );
    fresh.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_item_that_everybody_views_is_no_hot_key() {
    let fixture = Fixture::redis().await;
    let features = open(&fixture).await;
    let views: Vec<_> = (0..10_000)
        .map(|n| {
            event(
                &format!("shopper {n}"),
                "1",
                EventKind::View,
                "hot",
                after(0),
            )
        })
        .collect();
    for batch in views.chunks(1_000) {
        push(&features, batch, after(0)).await;
    }
    let follower = Follower::start(features.clone(), after(1));
    follower.reach(after(1)).await;
    assert_eq!(follower.stats("hot").views_24h, 10_000);
    follower.stop().await;
    let logs: Vec<_> = Partition::all()
        .map(|partition| (partition, Log::Events))
        .collect();
    let ends = features.store().log_ends(&logs).await.expect("answers");
    assert!(
        ends.iter().all(|end| (1..100).contains(end)),
        "each partition has its share"
    );
    let keys = keys(&fixture).await;
    assert!(
        keys.iter().all(|key| key.starts_with("{p")),
        "each key belongs to a partition"
    );
    assert!(
        !keys.iter().any(|key| key.contains("hot")),
        "no key belongs to the item"
    );
}

async fn keys(fixture: &Fixture) -> Vec<String> {
    let url = fixture.server.as_ref().expect("is Redis").url();
    let client = ::redis::Client::open(url).expect("a url");
    let mut connection = client
        .get_multiplexed_async_connection()
        .await
        .expect("connects");
    let mut keys = ::redis::cmd("KEYS");
    keys.arg("*")
        .query_async(&mut connection)
        .await
        .expect("answers")
}

/// Not a test by itself: the process that the next test kills.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child_that_is_killed() {
    let Some(folder) = std::env::var_os(FOLDER) else {
        return;
    };
    let store = open_embedded(Path::new(&folder), Durability::Process).expect("opens");
    let features = FeatureStore::new(Arc::new(store), Settings::default());
    let life = std::process::id();
    let follower = Follower::start(features.clone(), after(0));
    for minute in 0.. {
        let views: Vec<_> = (0..200)
            .map(|n| {
                let id = format!("{life} {minute} {n}");
                event(
                    &n.to_string(),
                    &id,
                    EventKind::View,
                    &(n % 7).to_string(),
                    after(minute),
                )
            })
            .collect();
        push(&features, &views, after(minute)).await;
        println!("ack {life} {minute}");
        // A minute of the shop passes in no time: counting goes on beside the pushing.
        follower.clock.set(after(minute + 1));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_kill_statistics_equal_a_recount_of_the_log() {
    let fixture = Fixture::embedded();
    let mut acknowledged = Vec::new();
    for life in [350, 777, 1_203] {
        let mut child = Command::new(std::env::current_exe().expect("has a path"))
            .args(["child_that_is_killed", "--exact", "--nocapture"])
            .env(FOLDER, fixture.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("starts");
        let lines = BufReader::new(child.stdout.take().expect("is piped")).lines();
        let reader = std::thread::spawn(move || {
            let lines = lines.map_while(Result::ok);
            let acks = lines.filter_map(|line| Some(line.split_once("ack ")?.1.to_owned()));
            acks.collect::<Vec<_>>()
        });
        tokio::time::sleep(Duration::from_millis(life)).await;
        child.kill().expect("is killed");
        child.wait().expect("ends");
        acknowledged.extend(reader.join().expect("ends"));
    }
    assert!(acknowledged.len() > 3, "{acknowledged:?}");
    let features = open(&fixture).await;
    let mut pushed = BTreeMap::<String, u32>::new();
    for logged in events(&features).await {
        let id = logged.event.event_id;
        let batch = id.rsplit_once(' ').expect("has a number").0;
        *pushed.entry(batch.to_owned()).or_default() += 1;
    }
    for batch in &acknowledged {
        assert_eq!(
            pushed.get(batch),
            Some(&200),
            "batch {batch} was acknowledged"
        );
    }
    let end = after(24 * 60);
    let follower = Follower::start(features, end);
    follower.reach(end).await;
    assert_equals_a_recount(&follower).await;
    follower.stop().await;
}
