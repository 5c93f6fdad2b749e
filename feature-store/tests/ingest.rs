//! Events, profiles, items and decisions through the feature store, on both stores.
#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a test says what it expects"
)]

mod support;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use feature_store::store::{
    Commit, CommitOutcome, Error, Key, Kind, Log, LogEntry, Op, Partition, Store,
};
use feature_store::{
    Availability, Changed, ConsentRecord, Event, EventKind, FeatureStore, Item, LoggedEvent, Look,
    Millis, Outcome, ProfileUpdate, RejectCode, Replay, Settings, ShopperChange,
};
use support::Fixture;

on_both_stores!(
    answers_in_the_order_of_the_events,
    an_accepted_event_changes_state_log_and_deadline,
    a_late_event_leaves_a_claimed_deadline_alone,
    a_late_change_of_the_cart_is_looked_at,
    who_only_looked_is_looked_at_too,
    nothing_is_written_when_nothing_is_accepted,
    eight_callers_lose_no_event_of_one_shopper,
    the_log_replays_to_what_serving_shows,
    an_unreadable_state_is_refused_and_left_as_it_is,
    keeps_what_shoppers_say_of_themselves,
    items_are_checked_stored_and_shown,
);

const NOW: Millis = Millis(1_700_000_000_000);

pub fn event(shopper: &str, n: i64, kind: EventKind, item: &str) -> Event {
    Event {
        event_id: format!("{shopper}-{n}"),
        shopper_id: shopper.to_owned(),
        kind,
        item_id: item.to_owned(),
        price_minor: 500,
        currency: "EUR".to_owned(),
        occurred_at: Millis(NOW.0 - 3_600_000 + n * 1_000),
        ..Event::default()
    }
}

async fn open(fixture: &Fixture) -> FeatureStore {
    FeatureStore::new(fixture.open().await, Settings::default())
}

async fn events_of(features: &FeatureStore, shopper: &str) -> Vec<LoggedEvent> {
    let wanted = Partition::of(shopper);
    let mut events = Vec::new();
    let mut take = |partition, entry: &LogEntry| {
        if partition == wanted {
            events.push(LoggedEvent::decode(&entry.value).expect("is an event"));
        }
        Ok::<_, Error>(())
    };
    let unseen = &mut |_, _| {};
    let read = features.read_log(Log::Events, &mut take, unseen);
    assert_eq!(read.await, Ok(0), "nobody was erased");
    events
}

async fn due(store: &dyn Store, now: Millis) -> Vec<(String, Millis)> {
    let partitions: Vec<_> = Partition::all().collect();
    let due = store
        .claim_due(&partitions, now, Duration::ZERO, 100)
        .await
        .expect("answers");
    due.into_iter().map(|due| (due.id, due.due_at)).collect()
}

fn reject_code(outcome: &Outcome) -> Option<RejectCode> {
    match outcome {
        Outcome::Rejected(rejection) => Some(rejection.code),
        Outcome::Accepted | Outcome::Duplicate => None,
    }
}

async fn answers_in_the_order_of_the_events(fixture: &Fixture) {
    let features = open(fixture).await;
    let view = |shopper, n| event(shopper, n, EventKind::View, "1");
    let mut early = view("b", 9);
    early.occurred_at = Millis(NOW.0 + 10 * Millis::MINUTE);
    let mut priceless = view("c", 1);
    (priceless.kind, priceless.price_minor) = (EventKind::Purchase, 0);
    let events = [
        view("b", 1),
        view("a", 1),
        view("b", 1),
        early,
        view("a", 2),
        priceless,
        view("b", 2),
    ];
    let outcomes = features.ingest(&events, NOW).await.expect("answers");
    assert_eq!(outcomes.len(), events.len());
    for accepted in [0, 1, 4, 6] {
        assert_eq!(outcomes[accepted], Outcome::Accepted);
    }
    assert_eq!(outcomes[2], Outcome::Duplicate);
    assert_eq!(reject_code(&outcomes[3]), Some(RejectCode::TooEarly));
    assert_eq!(reject_code(&outcomes[5]), Some(RejectCode::Invalid));
    let again = features.ingest(&events, NOW).await.expect("answers");
    assert!(
        [0, 1, 2, 4, 6]
            .iter()
            .all(|position| again[*position] == Outcome::Duplicate)
    );
    let views = features
        .shoppers(&["a", "c", "b"], NOW)
        .await
        .expect("answers");
    assert_eq!(
        views.iter().map(Option::is_some).collect::<Vec<_>>(),
        [true, false, true]
    );
    assert_eq!(features.ingest(&[], NOW).await, Ok(Vec::new()));
}

async fn an_accepted_event_changes_state_log_and_deadline(fixture: &Fixture) {
    let features = open(fixture).await;
    let added = event("a", 1, EventKind::AddToCart, "1");
    features
        .ingest(std::slice::from_ref(&added), NOW)
        .await
        .expect("answers");
    let view = features
        .shoppers(&["a"], NOW)
        .await
        .expect("answers")
        .remove(0)
        .expect("is there");
    assert_eq!(view.cart.lines.len(), 1);
    let logged = events_of(&features, "a").await;
    assert_eq!(logged.len(), 1);
    assert_eq!((&logged[0].event, logged[0].accepted_at), (&added, NOW));
    let due_at = added.occurred_at.saturating_add(Settings::default().idle);
    assert_eq!(
        due(&**features.store(), due_at).await,
        [("shop:a".to_owned(), due_at)]
    );
    let bought = event("a", 2, EventKind::Purchase, "1");
    features.ingest(&[bought], NOW).await.expect("answers");
    assert_eq!(due(&**features.store(), Millis::MAX).await, []);
}

async fn a_late_event_leaves_a_claimed_deadline_alone(fixture: &Fixture) {
    let features = open(fixture).await;
    features
        .ingest(&[event("a", 9, EventKind::AddToCart, "1")], NOW)
        .await
        .expect("answers");
    let all: Vec<_> = Partition::all().collect();
    let lease = Duration::from_secs(60);
    let claimed = features
        .store()
        .claim_due(&all, NOW, lease, 10)
        .await
        .expect("answers");
    assert_eq!(claimed.len(), 1);
    features
        .ingest(&[event("a", 1, EventKind::View, "2")], NOW)
        .await
        .expect("answers");
    assert_eq!(due(&**features.store(), NOW).await, []);
}

async fn a_late_change_of_the_cart_is_looked_at(fixture: &Fixture) {
    let features = open(fixture).await;
    let ingest = async |events: &[Event]| features.ingest(events, NOW).await.expect("answers");
    ingest(&[event("a", 9, EventKind::View, "1")]).await;
    let looked = features.stored_shoppers(&["a"]).await.expect("answers");
    let never = ShopperChange {
        look: Look::Never,
        ..ShopperChange::default()
    };
    let read = looked.into_iter().next().expect("is there");
    assert_eq!(
        features.change("a", read, never).await,
        Ok(Changed::Done),
        "the look was settled"
    );
    ingest(&[event("a", 1, EventKind::AddToCart, "2")]).await;
    assert_eq!(due(&**features.store(), NOW).await.len(), 1);
}

async fn who_only_looked_is_looked_at_too(fixture: &Fixture) {
    let features = open(fixture).await;
    let far = Millis(NOW.0 + 1_000 * Millis::DAY);
    let ids = async |events: &[Event]| {
        features.ingest(events, NOW).await.expect("answers");
        let due = due(&**features.store(), far).await;
        due.into_iter().map(|(id, _)| id).collect::<Vec<_>>()
    };
    assert_eq!(
        ids(&[event("a", 1, EventKind::View, "1")]).await,
        ["shop:a"]
    );
    let checkout = event("b", 1, EventKind::CheckoutStart, "");
    assert_eq!(ids(&[checkout]).await, ["shop:a"], "nothing to win back");
    let mut orders = [1, 2].map(|n| event("c", n, EventKind::Purchase, "1"));
    orders[0].occurred_at = Millis(NOW.0 - 20 * Millis::HOUR);
    assert_eq!(
        ids(&orders[..1]).await,
        ["shop:a"],
        "one order makes no rhythm"
    );
    assert_eq!(ids(&orders[1..]).await, ["shop:c", "shop:a"]);
}

async fn nothing_is_written_when_nothing_is_accepted(fixture: &Fixture) {
    let features = open(fixture).await;
    let view = event("a", 1, EventKind::View, "1");
    features
        .ingest(std::slice::from_ref(&view), NOW)
        .await
        .expect("answers");
    let stored = async || {
        features
            .store()
            .get_many(&[Key::shopper("a")])
            .await
            .expect("answers")
    };
    let before = stored().await;
    features
        .ingest(&[view.clone(), view], NOW)
        .await
        .expect("answers");
    assert_eq!(stored().await, before);
    assert_eq!(before[0].as_ref().map(|value| value.version), Some(1));
}

async fn eight_callers_lose_no_event_of_one_shopper(fixture: &Fixture) {
    push_from_eight_callers(&[open(fixture).await]).await;
}

/// 1,000 events of one shopper, pushed through these instances in turn.
async fn push_from_eight_callers(instances: &[FeatureStore]) {
    let callers = (0..8).map(|caller| {
        let features = instances[caller % instances.len()].clone();
        tokio::spawn(async move {
            for n in 0..25 {
                let caller = i64::try_from(caller).expect("is small");
                let first = (caller * 25 + n) * 5;
                let batch: Vec<_> = (first..first + 5)
                    .map(|n| event("a", n, EventKind::View, "1"))
                    .collect();
                let outcomes = features.ingest(&batch, NOW).await.expect("answers");
                assert_eq!(outcomes, vec![Outcome::Accepted; 5]);
            }
        })
    });
    for caller in callers.collect::<Vec<_>>() {
        caller.await.expect("ends");
    }
    let logged = events_of(&instances[0], "a").await;
    let mut ids: Vec<_> = logged
        .iter()
        .map(|logged| logged.event.event_id.clone())
        .collect();
    ids.sort();
    ids.dedup();
    assert_eq!((logged.len(), ids.len()), (1_000, 1_000));
    let batch: Vec<_> = (0..1_000)
        .map(|n| event("a", n, EventKind::View, "1"))
        .collect();
    let view = instances[0]
        .shoppers(&["a"], NOW)
        .await
        .expect("answers")
        .remove(0);
    assert_eq!(view.expect("is there").recent.len(), 50);
    let again = instances[0].ingest(&batch, NOW).await.expect("answers");
    assert!(!again.contains(&Outcome::Accepted));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_on_one_redis_lose_no_event_of_one_shopper() {
    let fixture = Fixture::redis().await;
    push_from_eight_callers(&[open(&fixture).await, open(&fixture).await]).await;
}

async fn the_log_replays_to_what_serving_shows(fixture: &Fixture) {
    let features = open(fixture).await;
    let kinds = [
        EventKind::View,
        EventKind::AddToCart,
        EventKind::Purchase,
        EventKind::RemoveFromCart,
    ];
    for n in (0..60_i64).rev() {
        let kind = kinds[usize::try_from(n % 4).expect("is small")];
        let events = ["a", "b"].map(|shopper| event(shopper, n, kind, &(n % 7).to_string()));
        features
            .ingest(&events, Millis(NOW.0 - n))
            .await
            .expect("answers");
    }
    for shopper in ["a", "b"] {
        let mut replay = Replay::new();
        for logged in events_of(&features, shopper).await {
            assert_eq!(replay.apply(&logged), Outcome::Accepted);
        }
        let served = features
            .shoppers(&[shopper], NOW)
            .await
            .expect("answers")
            .remove(0);
        assert_eq!(replay.view(shopper, NOW), served);
    }
}

async fn an_unreadable_state_is_refused_and_left_as_it_is(fixture: &Fixture) {
    let features = open(fixture).await;
    let key = Key::shopper("a");
    let put = Op::Put {
        key: key.clone(),
        expected: 0,
        value: Bytes::from_static(b"\xff\xff"),
    };
    let commit = Commit {
        partition: key.partition,
        ops: vec![put],
    };
    let done = features
        .store()
        .commit(vec![commit])
        .await
        .expect("answers");
    assert_eq!(done, [CommitOutcome::Done]);
    let events = ["a", "b"].map(|shopper| event(shopper, 1, EventKind::View, "1"));
    let outcomes = features.ingest(&events, NOW).await.expect("answers");
    let Outcome::Rejected(refused) = &outcomes[0] else {
        panic!("{outcomes:?}");
    };
    assert_eq!(refused.field, "shopper_id");
    assert!(refused.detail.contains("cannot be read"), "{refused}");
    assert_eq!(outcomes[1], Outcome::Accepted);
    let stored = features
        .store()
        .get_many(&[key])
        .await
        .expect("answers")
        .remove(0);
    assert_eq!(
        stored.expect("is there").value,
        Bytes::from_static(b"\xff\xff")
    );
    let error = features
        .shoppers(&["a"], NOW)
        .await
        .expect_err("is corrupt");
    assert!(error.to_string().contains(":s:… cannot be read"), "{error}");
    let profile = features.set_profile("a", ProfileUpdate::default()).await;
    assert!(profile.is_err());
}

async fn keeps_what_shoppers_say_of_themselves(fixture: &Fixture) {
    let features = open(fixture).await;
    let zone = |zone: &str| ProfileUpdate {
        time_zone: Some(zone.to_owned()),
        ..ProfileUpdate::default()
    };
    let refused = features
        .set_profile("a", zone("Mars/Olympus"))
        .await
        .expect("answers");
    assert_eq!(refused.expect_err("is refused").field, "time_zone");
    features
        .set_profile("a", zone("Europe/Berlin"))
        .await
        .expect("answers")
        .expect("is taken");
    let consent = ConsentRecord {
        purpose: "marketing".to_owned(),
        channel: "email".to_owned(),
        granted: true,
        wording: "v1".to_owned(),
        at: NOW,
        jurisdiction: "DE".to_owned(),
    };
    features
        .set_consent("a", vec![consent])
        .await
        .expect("answers")
        .expect("is taken");
    let view = features
        .shoppers(&["a"], NOW)
        .await
        .expect("answers")
        .remove(0)
        .expect("is there");
    assert_eq!(view.profile.time_zone, "Europe/Berlin");
    assert_eq!(view.consented_channels(), ["email"]);
}

async fn items_are_checked_stored_and_shown(fixture: &Fixture) {
    let features = open(fixture).await;
    let item = |id: &str, price_minor| Item {
        item_id: id.to_owned(),
        price_minor,
        currency: "EUR".to_owned(),
        ..Item::default()
    };
    let items = vec![item("a", 1), item("b", -1), item("a", 2), item("c", 3)];
    let results = features
        .upsert_items(items.clone(), NOW)
        .await
        .expect("answers");
    assert_eq!(
        results.iter().map(Result::is_ok).collect::<Vec<_>>(),
        [true, false, true, true]
    );
    assert_eq!(
        results[1].as_ref().expect_err("is refused").field,
        "price_minor"
    );
    let price = |id: &str| {
        features
            .items()
            .get(id)
            .and_then(|row| Some(row.item.as_ref()?.price_minor))
    };
    assert_eq!(
        (price("a"), price("b"), price("c")),
        (Some(2), None, Some(3))
    );
    features
        .upsert_items(vec![item("a", 2)], NOW)
        .await
        .expect("answers");
    let end = [(Partition::of("a"), Log::Catalog)];
    assert_eq!(features.store().log_ends(&end).await, Ok(vec![1]));
    let sold_out = |id: &str| Availability {
        item_id: id.to_owned(),
        stock: Some(0),
        ..Availability::default()
    };
    let changes = vec![sold_out("a"), sold_out("nobody"), sold_out("")];
    let results = features
        .set_availability(changes, NOW)
        .await
        .expect("answers");
    assert_eq!(results[0], Ok(()));
    assert!(results[1].as_ref().is_err_and(|refused| refused.not_found));
    assert!(results[2].as_ref().is_err_and(|refused| !refused.not_found));
    let row = features.items().get("a").expect("is there");
    assert_eq!(row.item.as_ref().and_then(|item| item.stock), Some(0));
    assert_eq!(
        features.store().list(Partition::of("c"), Kind::Item).await,
        Ok(vec!["c".to_owned()])
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_events_of_as_many_shoppers_are_one_batch() {
    let fixture = Fixture::redis().await;
    let features = Arc::new(open(&fixture).await);
    let events: Vec<_> = (0..1_000)
        .map(|n| event(&n.to_string(), 1, EventKind::View, "1"))
        .collect();
    let outcomes = features.ingest(&events, NOW).await.expect("answers");
    assert_eq!(outcomes, vec![Outcome::Accepted; 1_000]);
}
