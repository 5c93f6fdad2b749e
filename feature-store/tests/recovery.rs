//! What the recovery loop stands on, on both stores: a person's change, budgets, the outbox.
#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a test says what it expects"
)]

mod support;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use feature_store::store::{Error, Log, LogEntry, Partition};
use feature_store::{
    Changed, Event, EventKind, FeatureStore, Look, Millis, NewOutcome, Outcome, Reader, Settings,
    ShopperChange, StoredShopper, Swapped, Wake,
};
use support::Fixture;

on_both_stores!(
    a_change_is_made_whole,
    an_event_that_comes_between_wins,
    a_decision_that_was_made_before_is_given_back,
    a_look_can_be_moved_without_touching_the_value,
    who_is_looked_at_is_one_lookers_for_a_while,
    eight_deciders_decide_once,
    a_budget_is_swapped_by_one_at_a_time,
    a_group_reads_the_outbox_of_all_partitions,
    a_row_is_its_holders_until_it_is_acknowledged,
);

const NOW: Millis = Millis(1_700_000_000_000);
const LEASE: Duration = Duration::from_secs(30);

async fn open(fixture: &Fixture) -> FeatureStore {
    FeatureStore::new(fixture.open().await, Settings::default())
}

fn added(shopper: &str, n: i64) -> Event {
    Event {
        event_id: format!("{shopper}-{n}"),
        shopper_id: shopper.to_owned(),
        kind: EventKind::AddToCart,
        item_id: n.to_string(),
        occurred_at: Millis(NOW.0 - Millis::HOUR + n),
        ..Event::default()
    }
}

async fn add(features: &FeatureStore, shopper: &str, n: i64) {
    let outcomes = features.ingest(&[added(shopper, n)], NOW).await;
    assert_eq!(outcomes, Ok(vec![Outcome::Accepted]));
}

async fn read(features: &FeatureStore, shopper: &str) -> StoredShopper {
    let read = features.stored_shoppers(&[shopper]).await;
    read.expect("answers").remove(0)
}

fn change(decision: &str) -> ShopperChange {
    ShopperChange {
        at: NOW,
        recovery: Some(decision.as_bytes().to_vec()),
        decision: Some((
            decision.to_owned(),
            Bytes::from(format!("about {decision}")),
        )),
        outbox: vec![Bytes::from(format!("row of {decision}"))],
        consents: Vec::new(),
        outcomes: vec![NewOutcome {
            id: format!("of {decision}"),
            entry: Bytes::from("outcome"),
        }],
        look: Look::At(Millis(NOW.0 + Millis::DAY)),
    }
}

async fn entries(features: &FeatureStore, shopper: &str, log: Log) -> Vec<Bytes> {
    let wanted = Partition::of(shopper);
    let mut rows = Vec::new();
    let mut take = |partition, entry: &LogEntry| {
        rows.extend((partition == wanted).then(|| entry.value.clone()));
        Ok::<_, Error>(())
    };
    let unseen = &mut |_, _| {};
    let read = features.read_log(log, &mut take, unseen);
    assert_eq!(read.await, Ok(0), "nobody was erased");
    rows
}

async fn due(features: &FeatureStore, now: Millis) -> Vec<(Wake, Millis)> {
    let all: Vec<_> = Partition::all().collect();
    let due = features.claim_due(&all, now, Duration::ZERO, 100).await;
    let due = due.expect("answers").into_iter();
    due.map(|due| (Wake::parse(&due.id), due.due_at)).collect()
}

async fn a_change_is_made_whole(fixture: &Fixture) {
    let features = open(fixture).await;
    add(&features, "ann", 1).await;
    let before = read(&features, "ann").await;
    let done = features.change("ann", before, change("d1")).await;
    assert_eq!(done, Ok(Changed::Done));
    let after = read(&features, "ann").await;
    assert_eq!((after.version, after.shopper.recovery()), (2, &b"d1"[..]));
    assert_eq!(after.shopper.standing().cart.lines.len(), 1);
    let (again, decision) = features
        .stored_shopper_and_decision("ann", "d1")
        .await
        .expect("answers");
    assert_eq!(
        (again.version, decision),
        (2, Some(Bytes::from("about d1")))
    );
    for (log, entry) in [
        (Log::Decisions, "about d1"),
        (Log::Outbox, "row of d1"),
        (Log::Outcomes, "outcome"),
    ] {
        assert_eq!(entries(&features, "ann", log).await, [entry]);
    }
    let at = Millis(NOW.0 + Millis::DAY);
    assert_eq!(
        due(&features, Millis::MAX).await,
        [(Wake::Shopper("ann".to_owned()), at)]
    );
    add(&features, "ann", 2).await;
    let kept = read(&features, "ann").await;
    assert_eq!(
        kept.shopper.recovery(),
        b"d1",
        "an event leaves it as it is"
    );
}

async fn an_event_that_comes_between_wins(fixture: &Fixture) {
    let features = open(fixture).await;
    add(&features, "ann", 1).await;
    let before = read(&features, "ann").await;
    add(&features, "ann", 2).await;
    let lost = features.change("ann", before, change("d1")).await;
    assert_eq!(lost, Ok(Changed::Conflict));
    assert_eq!(features.decision("ann", "d1").await, Ok(None));
    for log in [Log::Decisions, Log::Outbox, Log::Outcomes] {
        assert_eq!(entries(&features, "ann", log).await, Vec::<Bytes>::new());
    }
}

async fn a_decision_that_was_made_before_is_given_back(fixture: &Fixture) {
    let features = open(fixture).await;
    let nobody = StoredShopper::default();
    let done = features.change("ann", nobody.clone(), change("d1")).await;
    assert_eq!(done, Ok(Changed::Done));
    let mut other = change("d1");
    other.decision = Some(("d1".to_owned(), Bytes::from("another")));
    let given_back = Changed::Decided(Bytes::from("about d1"));
    assert_eq!(
        features.change("ann", nobody, other.clone()).await,
        Ok(given_back.clone())
    );
    let fresh = read(&features, "ann").await;
    assert_eq!(features.change("ann", fresh, other).await, Ok(given_back));
    assert_eq!(entries(&features, "ann", Log::Outbox).await.len(), 1);
}

async fn a_look_can_be_moved_without_touching_the_value(fixture: &Fixture) {
    let features = open(fixture).await;
    add(&features, "ann", 1).await;
    let move_to = |look| ShopperChange {
        look,
        ..ShopperChange::default()
    };
    let before = read(&features, "ann").await;
    let later = move_to(Look::At(NOW));
    let moved = features.change("ann", before.clone(), later.clone()).await;
    assert_eq!(moved, Ok(Changed::Done));
    assert_eq!(read(&features, "ann").await.version, before.version);
    assert_eq!(due(&features, Millis::MAX).await[0].1, NOW);
    add(&features, "ann", 2).await;
    let stale = features.change("ann", before, move_to(Look::Never)).await;
    assert_eq!(stale, Ok(Changed::Conflict));
    assert_eq!(due(&features, Millis::MAX).await.len(), 1);
    add(&features, "bob", 1).await;
    let looks = [("ann", 1, Look::Never), ("bob", 1, Look::Never)];
    assert_eq!(features.look_again(&looks).await, Ok(vec![false, true]));
}

async fn who_is_looked_at_is_one_lookers_for_a_while(fixture: &Fixture) {
    let features = open(fixture).await;
    add(&features, "ann", 1).await;
    let all: Vec<_> = Partition::all().collect();
    let claim = async |now| {
        let claimed = features.claim_due(&all, now, LEASE, 9).await;
        claimed.expect("answers").len()
    };
    assert_eq!(claim(NOW).await, 1);
    assert_eq!(claim(NOW).await, 0);
    assert_eq!(claim(NOW.saturating_add(LEASE)).await, 1);
}

async fn eight_deciders_decide_once(fixture: &Fixture) {
    let features = Arc::new(open(fixture).await);
    add(&features, "ann", 1).await;
    let before = read(&features, "ann").await;
    let decide = |n: usize| {
        let (features, before) = (features.clone(), before.clone());
        tokio::spawn(async move {
            let change = change(&format!("d{n}"));
            features
                .change("ann", before, change)
                .await
                .expect("answers")
        })
    };
    let deciders: Vec<_> = (0..8).map(decide).collect();
    let mut done = 0;
    for decider in deciders {
        done += usize::from(decider.await.expect("ends") == Changed::Done);
    }
    assert_eq!(done, 1);
    assert_eq!(entries(&features, "ann", Log::Outbox).await.len(), 1);
}

async fn a_budget_is_swapped_by_one_at_a_time(fixture: &Fixture) {
    let features = open(fixture).await;
    let swap = async |expected, value: &'static str| {
        let swap = features.swap_budget("spring", "2026-03", expected, Bytes::from(value));
        swap.await.expect("answers")
    };
    assert_eq!(features.budget("spring", "2026-03").await, Ok(None));
    assert_eq!(swap(0, "one").await, Swapped::Done);
    assert_eq!(swap(0, "two").await, Swapped::Conflict);
    assert_eq!(swap(1, "two").await, Swapped::Done);
    let now = features.budget("spring", "2026-03").await;
    let now = now.expect("answers").expect("is there");
    assert_eq!((now.version, now.value), (2, Bytes::from("two")));
    assert_eq!(features.budget("spring", "2026-04").await, Ok(None));
}

async fn a_group_reads_the_outbox_of_all_partitions(fixture: &Fixture) {
    let features = open(fixture).await;
    let shoppers: Vec<String> = (0..20).map(|n| format!("shopper {n}")).collect();
    for shopper in &shoppers {
        let done = features
            .change(shopper, StoredShopper::default(), change(shopper))
            .await;
        assert_eq!(done, Ok(Changed::Done));
    }
    let ends = features.queue_ends(Log::Outbox).await.expect("answers");
    assert_eq!(ends.len(), 256);
    assert_eq!(ends.iter().map(|(_, end)| end).sum::<u64>(), 20);
    let filled: Vec<Partition> = ends
        .iter()
        .filter(|(_, end)| *end > 0)
        .map(|(partition, _)| *partition)
        .collect();
    let read = async |group: &str, now, limit| {
        let reader = Reader {
            log: Log::Outbox,
            group,
            consumer: "me",
            lease: LEASE,
        };
        let rows = features.read_queue(reader, &filled, now, limit);
        rows.await.expect("answers")
    };
    let mut rows = read("mail", NOW, 15).await;
    assert!(rows.len() >= 15, "{}", rows.len());
    rows.extend(read("mail", NOW, 15).await);
    let mut texts: Vec<_> = rows.iter().map(|row| row.row.clone()).collect();
    texts.sort_unstable();
    texts.dedup();
    assert_eq!(texts.len(), 20, "each once");
    assert_eq!(read("mail", NOW, 15).await, []);
    let places: Vec<_> = rows
        .iter()
        .map(|row| (row.partition, row.sequence))
        .collect();
    features
        .ack_queue(Log::Outbox, "mail", &places[1..])
        .await
        .expect("answers");
    let later = NOW.saturating_add(LEASE);
    let again = read("mail", later, 100).await;
    let renewed = feature_store::Delivery {
        until: later.saturating_add(LEASE),
        ..rows[0].clone()
    };
    assert_eq!(
        again,
        [renewed],
        "what nobody acknowledged comes again, leased anew"
    );
    assert_eq!(
        read("push", NOW, 100).await.len(),
        20,
        "another group has its own"
    );
}

async fn a_row_is_its_holders_until_it_is_acknowledged(fixture: &Fixture) {
    let features = open(fixture).await;
    let nobody = StoredShopper::default();
    let done = features.change("ann", nobody, change("d1")).await;
    assert_eq!(done, Ok(Changed::Done));
    let reader = Reader {
        log: Log::Outbox,
        group: "mail",
        consumer: "me",
        lease: LEASE,
    };
    let partitions = [Partition::of("ann")];
    let rows = features.read_queue(reader, &partitions, NOW, 9).await;
    let row = rows.expect("answers").remove(0);
    let (queue, place) = ((Log::Outbox, "mail"), (row.partition, row.sequence));
    let later = row.until.saturating_add(LEASE);
    let extend = async |held| features.extend_lease(queue, place, held, later).await;
    assert_eq!(extend(row.until).await, Ok(true));
    assert_eq!(extend(row.until).await, Ok(false), "the end is another now");
    let acked = features.ack_queue(Log::Outbox, "mail", &[place]).await;
    assert_eq!((acked, extend(later).await), (Ok(()), Ok(false)));
}
