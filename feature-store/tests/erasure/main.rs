//! What is left of a person who was erased, on both stores.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    reason = "a test says what it expects"
)]

#[path = "../support/mod.rs"]
mod support;

mod cut;
mod export;
mod idle;
mod interleaved;
mod killed;
mod raw;
mod retention;

use std::time::Duration;

use bytes::Bytes;
use feature_store::store::{Commit, CommitOutcome, Error, Kind, Log, LogEntry, Op, Partition};
use feature_store::{
    Changed, ConsentRecord, Delivery, Erased, ErasuresRead, Event, EventKind, FeatureStore,
    FoundDecision, Issued, Look, Millis, NewOutcome, Outcome, Reader, RejectCode, Removed,
    Settings, ShopperChange, StoredShopper, Tombstone,
};
use support::Fixture;

on_both_stores!(
    a_deployment_has_one_key_for_hashes,
    erasures_are_read_in_pages_and_once_each,
    nothing_of_an_erased_person_is_left_in_any_byte,
    the_same_erasure_again_changes_nothing,
    what_comes_later_makes_somebody_new,
    what_rests_on_a_value_of_before_conflicts,
    an_id_that_was_unlinked_keeps_what_it_did_since,
    letters_end_with_their_person_wherever_they_are,
);

const NOW: Millis = Millis(1_700_000_000_000);
/// In whatever is only the person's.
const MARK: &str = "a-mark-of-hers";

async fn open(fixture: &Fixture) -> FeatureStore {
    FeatureStore::new(fixture.open().await, Settings::default())
}

fn event(shopper: &str, n: i64) -> Event {
    Event {
        event_id: format!("{MARK} {shopper} {n}"),
        shopper_id: shopper.to_owned(),
        device_id: format!("{MARK} device"),
        kind: EventKind::AddToCart,
        item_id: format!("item {n}"),
        order_id: format!("{MARK} order"),
        session_id: format!("{MARK} session"),
        price_minor: 500,
        currency: "EUR".to_owned(),
        occurred_at: Millis(NOW.0 - Millis::HOUR + n * Millis::MINUTE),
        ..Event::default()
    }
}

async fn ingest(features: &FeatureStore, events: &[Event]) {
    let outcomes = features.ingest(events, NOW).await.expect("answers");
    assert_eq!(outcomes, vec![Outcome::Accepted; events.len()]);
}

async fn link(features: &FeatureStore, shopper: &str, alias: &str) {
    let link_id = format!("{shopper}+{alias}");
    let linked = features.link(shopper, alias, &link_id, NOW).await;
    linked.expect("answers").expect("is linked");
}

async fn erase(features: &FeatureStore, shopper: &str, at: Millis) -> Erased {
    let erased = features.erase(shopper, at).await;
    erased.expect("answers").expect("is valid")
}

async fn read(features: &FeatureStore, shopper: &str) -> StoredShopper {
    let read = features.stored_shoppers(&[shopper]).await;
    read.expect("answers").remove(0)
}

fn change(decision: &str) -> ShopperChange {
    ShopperChange {
        at: NOW,
        recovery: Some(format!("{MARK} section").into_bytes()),
        decision: Some((decision.to_owned(), format!("{MARK} decision").into())),
        outbox: vec![format!("{MARK} row").into()],
        outcomes: vec![NewOutcome {
            id: format!("of {decision}"),
            entry: format!("{MARK} outcome").into(),
        }],
        consents: vec![ConsentRecord {
            purpose: "marketing".to_owned(),
            channel: "email".to_owned(),
            granted: true,
            wording: MARK.to_owned(),
            at: NOW,
            jurisdiction: "DE".to_owned(),
        }],
        look: Look::At(NOW),
    }
}

/// A person with two ids of whom everything is kept that can be.
async fn ann(features: &FeatureStore) {
    ingest(features, &[event("ann-id", 1), event("phone-id", 2)]).await;
    let before = read(features, "phone-id").await;
    let changed = features.change("phone-id", before, change("d0")).await;
    assert_eq!(changed, Ok(Changed::Done));
    link(features, "ann-id", "phone-id").await;
    ingest(features, &[event("phone-id", 3), event("ann-id", 4)]).await;
    let before = read(features, "ann-id").await;
    let row_key = before.row_key().expect("something was sealed");
    let changed = features.change("ann-id", before, change("d1")).await;
    assert_eq!(changed, Ok(Changed::Done));
    let issue = |kind, id: &str| Issued {
        kind,
        id: id.to_owned(),
        value: format!("{MARK} {id}").into(),
        of: Some((row_key.clone(), NOW)),
    };
    let issued = vec![
        issue(Kind::Coupon, "coupon"),
        issue(Kind::StoredCart, "cart"),
    ];
    assert_eq!(features.issue(issued.clone()).await, Ok(vec![true, true]));
    assert_eq!(features.issue(issued).await, Ok(vec![false, false]));
    let place = (Partition::of("ann-id"), "d1");
    let letter = format!("{MARK} letter").into();
    let kept = features.put_dead_letter("ann-id", place, letter, NOW).await;
    assert_eq!(kept, Ok(()));
}

/// How many rows of a log open, and how many are of erased shoppers.
async fn rows(features: &FeatureStore, log: Log) -> (usize, u64) {
    let mut open = 0;
    let mut take = |_, _: &LogEntry| {
        open += 1;
        Ok::<_, Error>(())
    };
    let unseen = &mut |_, _| {};
    let read = features.read_log(log, &mut take, unseen);
    let erased = read.await.expect("answers");
    (open, erased)
}

async fn outbox(features: &FeatureStore, group: &str) -> Vec<Bytes> {
    let rows = deliveries(features, group, NOW, 100).await.into_iter();
    rows.map(|delivery| delivery.row).collect()
}

async fn deliveries(
    features: &FeatureStore,
    group: &str,
    now: Millis,
    limit: usize,
) -> Vec<Delivery> {
    let reader = Reader {
        log: Log::Outbox,
        group,
        consumer: "one",
        lease: Duration::from_secs(60),
    };
    let all: Vec<_> = Partition::all().collect();
    let read = features.read_queue(reader, &all, now, limit).await;
    read.expect("answers")
}

/// Where the rows lie that a group is handed.
async fn outbox_rows(
    features: &FeatureStore,
    group: &str,
    now: Millis,
    limit: usize,
) -> Vec<(Partition, u64)> {
    let rows = deliveries(features, group, now, limit).await.into_iter();
    rows.map(|delivery| (delivery.partition, delivery.sequence))
        .collect()
}

async fn told(features: &FeatureStore) -> Vec<Tombstone> {
    let mut read = ErasuresRead::default();
    let mut told = Vec::new();
    loop {
        let page = features.erasures(&mut read).await.expect("answers");
        if page.is_empty() {
            told.sort_unstable();
            return told;
        }
        told.extend(page);
    }
}

/// No row opens any more, and nobody is handed one.
async fn nothing_opens(features: &FeatureStore) {
    let asked = [(Kind::Coupon, "coupon"), (Kind::StoredCart, "cart")];
    let found = features.issued(&asked).await.expect("answers");
    assert_eq!(found, [None, None], "codes stand for nothing");
    assert_eq!(features.dead_letters(9).await, Ok(Vec::new()));
    assert_eq!(outbox(features, "after").await, Vec::<Bytes>::new());
    is_over(features, "after").await;
    assert_eq!(rows(features, Log::Events).await, (1, 4));
    for log in [Log::Decisions, Log::Outbox, Log::Outcomes] {
        assert_eq!(rows(features, log).await, (0, 2), "{log:?}");
    }
}

/// Nothing that the group was handed comes to it again.
async fn is_over(features: &FeatureStore, group: &str) {
    let places = features.store().group_places(Log::Outbox).await;
    let ends = features.queue_ends(Log::Outbox).await.expect("answers");
    for place in places.expect("answers") {
        let (_, end) = ends[usize::from(place.partition.number())];
        assert!(place.open > end || place.group != group, "{place:?}");
    }
}

/// Both ids were told once, and nobody looks at them any more.
async fn is_told(features: &FeatureStore) {
    let key = features.mac_key().await.expect("answers");
    let mut expected = ["ann-id", "phone-id"].map(|id| Tombstone {
        shopper: key.of(id),
        erased_at: NOW,
    });
    expected.sort_unstable();
    assert_eq!(told(features).await, expected);
    let all: Vec<_> = Partition::all().collect();
    let due = features
        .claim_due(&all, Millis::MAX, Duration::ZERO, 99)
        .await;
    let due: Vec<_> = due
        .expect("answers")
        .into_iter()
        .map(|due| due.id)
        .collect();
    assert_eq!(due, ["shop:bob-id"]);
}

async fn nothing_of_an_erased_person_is_left_in_any_byte(fixture: &Fixture) {
    let features = open(fixture).await;
    ingest(&features, &[event("bob-id", 9)]).await;
    ann(&features).await;
    let asked = [(Kind::Coupon, "coupon"), (Kind::StoredCart, "cart")];
    let found = features.issued(&asked).await.expect("answers");
    assert!(found.iter().all(Option::is_some));
    assert_eq!(features.dead_letters(9).await.expect("answers").len(), 1);
    assert_eq!(outbox(&features, "before").await.len(), 2);
    assert_eq!(rows(&features, Log::Events).await, (5, 0));

    let erased = erase(&features, "phone-id", NOW).await;
    assert!(erased.changed);
    let Removed {
        ids,
        keys,
        cart_lines,
        consents,
        recent_events,
        ..
    } = erased.removed;
    assert_eq!((ids, keys, cart_lines), (2, 2, 4));
    assert_eq!((consents, recent_events), (2, 4));

    for id in ["ann-id", "phone-id"] {
        let views = features.shoppers(&[id], NOW).await.expect("answers");
        assert_eq!(views, [None], "{id}");
        for decision in ["d0", "d1"] {
            let found = features.decision(id, decision).await.expect("answers");
            assert_ne!(found, Some(FoundDecision::Record(Bytes::new())), "{id}");
        }
    }
    let erased = Ok(Some(FoundDecision::Erased));
    assert_eq!(features.decision("ann-id", "d1").await, erased);
    assert_eq!(features.decision("phone-id", "d0").await, erased);
    nothing_opens(&features).await;
    is_told(&features).await;
    drop(features);
    let all = raw::everything(fixture).await;
    assert!(raw::holds(&all, "bob-id"), "the scan sees what is there");
    for text in ["ann-id", "phone-id", MARK] {
        assert!(!raw::holds(&all, text), "{text} is still there");
    }
}

async fn the_same_erasure_again_changes_nothing(fixture: &Fixture) {
    let features = open(fixture).await;
    ann(&features).await;
    let first = erase(&features, "ann-id", NOW).await;
    let later = Millis(NOW.0 + 5);
    for id in ["ann-id", "phone-id"] {
        let again = erase(&features, id, later).await;
        assert!(!again.changed, "{id}");
        assert_eq!((again.at, again.removed), (NOW, first.removed), "{id}");
    }
    let nobody = erase(&features, "nobody", later).await;
    assert!(
        nobody.changed,
        "late events of an id never seen are refused too"
    );
    assert_eq!(nobody.removed, Removed::default());
    assert!(!erase(&features, "nobody", later).await.changed);
    assert_eq!(told(&features).await.len(), 3);
    let too_long = features
        .erase(&"x".repeat(129), NOW)
        .await
        .expect("answers");
    assert_eq!(too_long.expect_err("is refused").field, "shopper_id");
}

async fn what_comes_later_makes_somebody_new(fixture: &Fixture) {
    let features = open(fixture).await;
    ann(&features).await;
    erase(&features, "ann-id", NOW).await;
    for id in ["ann-id", "phone-id"] {
        let before = [event(id, 1), event(id, 7)];
        let outcomes = features.ingest(&before, NOW).await.expect("answers");
        for outcome in outcomes {
            let Outcome::Rejected(rejection) = outcome else {
                panic!("{id}: {outcome:?}");
            };
            assert_eq!(rejection.code, RejectCode::TooLate, "{id}");
        }
    }
    let mut after = event("ann-id", 99);
    after.occurred_at = Millis(NOW.0 + 1);
    ingest(&features, &[after]).await;
    let later = Millis(NOW.0 + 2);
    let view = features.shoppers(&["ann-id"], later).await;
    let view = view.expect("answers").remove(0).expect("is known");
    assert_eq!((view.carted_units, view.consents.len()), (1, 0));
    assert_eq!(rows(&features, Log::Events).await, (1, 4));
    let late = features.ingest(&[event("ann-id", 8)], NOW).await;
    assert!(matches!(late.expect("answers")[0], Outcome::Rejected(_)));
    let again = erase(&features, "ann-id", later).await;
    assert_eq!((again.changed, again.removed.ids), (true, 1));
    assert_eq!(rows(&features, Log::Events).await, (0, 5));
    let said = vec![change("d").consents.remove(0)];
    let set = features.set_consent("ann-id", said).await;
    assert_eq!(set, Ok(Ok(())));
    let late = features.ingest(&[event("ann-id", 8)], NOW).await;
    assert!(matches!(late.expect("answers")[0], Outcome::Rejected(_)));
}

async fn what_rests_on_a_value_of_before_conflicts(fixture: &Fixture) {
    let features = open(fixture).await;
    ingest(&features, &[event("ann-id", 1)]).await;
    let old = read(&features, "ann-id").await;
    let absent = read(&features, "phone-id").await;
    erase(&features, "ann-id", NOW).await;
    erase(&features, "phone-id", NOW).await;
    for (id, read) in [("ann-id", old.clone()), ("phone-id", absent.clone())] {
        let changed = features.change(id, read, change("d")).await;
        assert_eq!(changed, Ok(Changed::Conflict), "{id}");
    }
    for n in 1..4 {
        let mut after = event("ann-id", n);
        after.occurred_at = Millis(NOW.0 + n);
        let mut same = after.clone();
        same.shopper_id = "phone-id".to_owned();
        ingest(&features, &[after, same]).await;
    }
    for (id, read) in [("ann-id", old), ("phone-id", absent)] {
        let changed = features.change(id, read, change("d")).await;
        assert_eq!(
            changed,
            Ok(Changed::Conflict),
            "{id}: no version comes again"
        );
    }
}

async fn an_id_that_was_unlinked_keeps_what_it_did_since(fixture: &Fixture) {
    let features = open(fixture).await;
    ann(&features).await;
    let apart = Millis(NOW.0 - Millis::MINUTE);
    let unlinked = features.unlink("phone-id", apart).await.expect("answers");
    unlinked.expect("is unlinked");
    ingest(&features, &[event("phone-id", 60)]).await;
    let erased = erase(&features, "ann-id", NOW).await;
    assert_eq!((erased.removed.ids, erased.removed.keys), (2, 2));
    let views = features.shoppers(&["ann-id", "phone-id"], NOW).await;
    let views = views.expect("answers");
    assert_eq!(views[0], None);
    assert_eq!(views[1].as_ref().expect("is known").carted_units, 1);
    assert_eq!(rows(&features, Log::Events).await, (1, 4));
    let key = features.mac_key().await.expect("answers");
    let mut expected = [("ann-id", NOW), ("phone-id", apart)].map(|(id, erased_at)| Tombstone {
        shopper: key.of(id),
        erased_at,
    });
    expected.sort_unstable();
    assert_eq!(told(&features).await, expected);
}

async fn letters_end_with_their_person_wherever_they_are(fixture: &Fixture) {
    let features = open(fixture).await;
    ann(&features).await;
    let letters = features.dead_letters(9).await.expect("answers");
    let row = Bytes::from(format!("{MARK} redriven"));
    assert_eq!(features.redrive(&letters[0], row.clone()).await, Ok(true));
    let twice = features.redrive(&letters[0], row).await;
    assert_eq!(twice, Ok(false), "once for each letter");
    erase(&features, "ann-id", NOW).await;
    assert_eq!(rows(&features, Log::Redriven).await, (0, 1));
    let place = (Partition::of("ann-id"), "d0");
    let late = format!("{MARK} letter").into();
    let kept = features.put_dead_letter("phone-id", place, late, NOW).await;
    assert_eq!(kept, Ok(()));
    assert_eq!(features.dead_letters(9).await, Ok(Vec::new()));
    drop(features);
    let all = raw::everything(fixture).await;
    assert!(!raw::holds(&all, MARK));
}

async fn a_deployment_has_one_key_for_hashes(fixture: &Fixture) {
    let store = fixture.open().await;
    let [one, two, three] = [0; 3].map(|_| FeatureStore::new(store.clone(), Settings::default()));
    let asked = futures::future::join3(one.mac_key(), two.mac_key(), three.mac_key());
    let (first, second, third) = asked.await;
    let key = first.expect("answers");
    assert_eq!((second, third), (Ok(key.clone()), Ok(key.clone())));
    drop((store, one, two, three));
    assert_eq!(open(fixture).await.mac_key().await, Ok(key));
}

async fn erasures_are_read_in_pages_and_once_each(fixture: &Fixture) {
    let features = open(fixture).await;
    let key = features.mac_key().await.expect("answers");
    let mut read = ErasuresRead::default();
    assert_eq!(features.erasures(&mut read).await, Ok(Vec::new()));
    let mut expected = Vec::new();
    for n in 0..700 {
        let id = format!("ann{}", n % 600);
        // All in one partition, so that one page does not hold them.
        let partition = Partition::of("ann");
        let tombstone = Tombstone {
            shopper: key.of(&id),
            erased_at: Millis(n),
        };
        let value = tombstone.encode().into();
        let ops = vec![Op::Append {
            log: Log::Erasures,
            value,
        }];
        let outcome = features.store().commit(vec![Commit { partition, ops }]);
        assert_eq!(outcome.await, Ok(vec![CommitOutcome::Done]));
        expected.push(tombstone);
    }
    let mut found = Vec::new();
    loop {
        let page = features.erasures(&mut read).await.expect("answers");
        if page.is_empty() {
            break;
        }
        assert!(page.len() <= 512, "{} in a page", page.len());
        found.extend(page);
    }
    assert_eq!(found, expected);
    assert_eq!(features.erasures(&mut read).await, Ok(Vec::new()));
}
