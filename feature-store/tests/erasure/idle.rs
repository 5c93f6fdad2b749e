//! Shoppers whom nobody has seen for long, and what lies under codes and reports.

use std::sync::Arc;

use bytes::Bytes;
use feature_store::store::{Commit, CommitOutcome, Key, Kind, Log, Op, Partition, Place, Store};
use feature_store::{
    Changed, FeatureStore, Issued, Look, Millis, NewOutcome, Outcome, Retention, Settings,
    ShopperChange, Wake,
};

use super::retention::{AGES, DAYS_30, day, run};
use super::{MARK, NOW, change, erase, event, ingest, link, open, raw, read, rows, told};
use crate::on_both_stores;
use crate::support::Fixture;
use crate::support::cut::Cut;

on_both_stores!(
    who_was_not_seen_for_long_is_forgotten_and_nobody_else,
    nothing_of_somebody_forgotten_is_left_in_any_byte,
    who_is_forgotten_is_new_when_they_come_back,
    who_was_erased_stays_erased_when_they_are_forgotten_later,
    a_forgetting_cut_at_any_commit_is_finished_by_the_next_run,
    codes_and_carts_end_after_they_expired_and_those_of_the_erased_at_once,
    a_report_counts_again_when_it_was_taken_long_ago,
);

const IDLE: Retention = Retention {
    events: None,
    decisions: None,
    outcomes: None,
    outbox: None,
    unread: None,
    shoppers: Some(DAYS_30),
    codes: Some(DAYS_30),
    reports: Some(DAYS_30),
};

async fn changes(features: &FeatureStore, shopper: &str, change: ShopperChange) {
    let before = read(features, shopper).await;
    let changed = features.change(shopper, before, change).await;
    assert_eq!(changed, Ok(Changed::Done));
}

async fn is_known(features: &FeatureStore, shopper: &str) -> bool {
    read(features, shopper).await.version > 0
}

fn section(text: &str) -> ShopperChange {
    ShopperChange {
        at: NOW,
        recovery: Some(text.as_bytes().to_vec()),
        ..ShopperChange::default()
    }
}

async fn who_was_not_seen_for_long_is_forgotten_and_nobody_else(fixture: &Fixture) {
    let features = open(fixture).await;
    let ids = [
        "idle", "acts", "waits", "said", "looked", "linked", "garbled",
    ];
    for id in ids {
        ingest(&features, &[event(id, 1)]).await;
        changes(&features, id, section("done 0")).await;
    }
    let mut late = event("acts", 2);
    late.occurred_at = day(35);
    let accepted = features.ingest(&[late], day(35)).await;
    assert_eq!(accepted, Ok(vec![Outcome::Accepted]));
    changes(
        &features,
        "waits",
        section("an action is on its way until 35"),
    )
    .await;
    changes(&features, "garbled", section("of a later version")).await;
    let mut consent = change("d").consents.remove(0);
    consent.at = day(35);
    let set = features.set_consent("said", vec![consent]).await;
    assert_eq!(set, Ok(Ok(())));
    let look = ShopperChange {
        look: Look::At(day(45)),
        ..ShopperChange::default()
    };
    changes(&features, "looked", look).await;
    let linked = features.link("linked", "their phone", "l", day(35)).await;
    linked.expect("answers").expect("is linked");
    let mut ender = features.ender(IDLE, AGES);
    assert_eq!(run(&mut ender, day(29)).await, (0, 0));
    for id in ids {
        assert!(is_known(&features, id).await, "{id}");
    }
    let ended = ender.run(day(40)).await.expect("answers");
    assert_eq!(ended.records[&Kind::Shopper], 1);
    for id in ids {
        assert_eq!(is_known(&features, id).await, id != "idle", "{id}");
    }
    assert_eq!(
        rows(&features, Log::Events).await,
        (7, 1),
        "keys go with the value"
    );
    let again = ender.run(Millis(day(40).0 + Millis::HOUR)).await;
    assert_eq!(again.expect("answers").total(), 0);
    let ended = ender.run(day(80)).await.expect("answers");
    assert_eq!(ended.records[&Kind::Shopper], 5);
    assert!(is_known(&features, "garbled").await);
}

async fn nothing_of_somebody_forgotten_is_left_in_any_byte(fixture: &Fixture) {
    let features = open(fixture).await;
    ingest(&features, &[event("bob-id", 9)]).await;
    changes(&features, "bob-id", section("bob-id waits until 60")).await;
    super::ann(&features).await;
    changes(&features, "ann-id", section("0")).await;
    let mut ender = features.ender(IDLE, AGES);
    assert_eq!(run(&mut ender, NOW).await, (0, 0));
    let ended = ender.run(day(40)).await.expect("answers");
    let of = |kind| ended.records.get(&kind).copied().unwrap_or(0);
    assert_eq!(of(Kind::Shopper), 1, "two ids are one person");
    assert_eq!(told(&features).await, [], "no tombstone is left");
    let all: Vec<_> = Partition::all().collect();
    let due = features
        .store()
        .claim_due(&all, Millis::MAX, std::time::Duration::ZERO, 99);
    let due = due.await.expect("answers").into_iter().map(|due| due.id);
    let bob = Wake::Shopper("bob-id".to_owned()).to_string();
    assert_eq!(due.collect::<Vec<_>>(), [bob]);
    assert_eq!(rows(&features, Log::Events).await, (1, 4));
    drop((ender, features));
    let all = raw::everything(fixture).await;
    assert!(raw::holds(&all, "bob-id"), "the scan sees what is there");
    for text in ["ann-id", "phone-id", MARK] {
        let is_bobs = text == MARK && raw::holds(&all, "bob-id");
        assert!(!raw::holds(&all, text) || is_bobs, "{text} is still there");
    }
}

async fn who_is_forgotten_is_new_when_they_come_back(fixture: &Fixture) {
    let features = open(fixture).await;
    ingest(&features, &[event("ann-id", 1)]).await;
    let said = vec![change("d").consents.remove(0)];
    assert_eq!(features.set_consent("ann-id", said).await, Ok(Ok(())));
    let mut ender = features.ender(IDLE, AGES);
    assert_eq!(run(&mut ender, day(40)).await, (0, 1));
    // What is sent late makes them known, and is as old as it was.
    ingest(&features, &[event("ann-id", 1)]).await;
    assert!(is_known(&features, "ann-id").await);
    assert_eq!(run(&mut ender, day(42)).await, (0, 1));
    let mut back = event("ann-id", 2);
    back.occurred_at = day(43);
    let accepted = features.ingest(&[back], day(43)).await;
    assert_eq!(accepted, Ok(vec![Outcome::Accepted]));
    let view = features.shoppers(&["ann-id"], day(43)).await;
    let view = view.expect("answers").remove(0).expect("is known");
    assert_eq!((view.carted_units, view.consents.len()), (1, 0));
    assert_eq!(run(&mut ender, day(44)).await, (0, 0));
}

async fn who_was_erased_stays_erased_when_they_are_forgotten_later(fixture: &Fixture) {
    let features = open(fixture).await;
    ingest(&features, &[event("ann-id", 1)]).await;
    erase(&features, "ann-id", NOW).await;
    let told_before = told(&features).await;
    for n in 1..4 {
        let mut after = event("ann-id", n);
        after.occurred_at = Millis(NOW.0 + n);
        ingest(&features, &[after]).await;
    }
    let old = read(&features, "ann-id").await;
    let mut ender = features.ender(IDLE, AGES);
    assert_eq!(run(&mut ender, day(40)).await, (0, 1));
    assert_eq!(told(&features).await, told_before);
    let late = features.ingest(&[event("ann-id", 8)], NOW).await;
    assert!(matches!(late.expect("answers")[0], Outcome::Rejected(_)));
    let mut back = event("ann-id", 9);
    back.occurred_at = day(41);
    let accepted = features.ingest(&[back], day(41)).await;
    assert_eq!(accepted, Ok(vec![Outcome::Accepted]));
    assert!(read(&features, "ann-id").await.version > old.version);
}

async fn a_forgetting_cut_at_any_commit_is_finished_by_the_next_run(fixture: &Fixture) {
    let store = fixture.open().await;
    let features = FeatureStore::new(store.clone(), Settings::default());
    let mut lived = 0;
    for commits in 1..6 {
        for made in [false, true] {
            let [ann, phone] = ["ann", "phone"].map(|id| format!("{id} {commits} {made}"));
            ingest(&features, &[event(&ann, 1), event(&phone, 2)]).await;
            link(&features, &ann, &phone).await;
            let before = rows(&features, Log::Events).await.1;
            let cut = Arc::new(Cut::after(store.clone(), commits, made));
            let cut = FeatureStore::new(cut, Settings::default());
            lived += usize::from(cut.ender(IDLE, AGES).run(day(40)).await.is_ok());
            let mut ender = features.ender(IDLE, AGES);
            ender.run(day(40)).await.expect("answers");
            for id in [&ann, &phone] {
                let key = Key {
                    partition: Partition::of(id),
                    kind: Kind::Shopper,
                    id: id.clone(),
                };
                assert_eq!(store.get_many(&[key]).await, Ok(vec![None]), "{id}");
            }
            assert_eq!(rows(&features, Log::Events).await.1, before + 2);
            assert_eq!(told(&features).await, []);
        }
    }
    let all: Vec<_> = Partition::all().collect();
    let due = store.claim_due(&all, Millis::MAX, std::time::Duration::ZERO, 99);
    assert_eq!(due.await, Ok(Vec::new()), "no deadline is left");
    assert!(lived > 0, "some lived long enough, so every commit was cut");
}

/// Keys of a kind.
async fn keys(store: &Arc<dyn Store>, kind: Kind) -> Vec<String> {
    let (mut ids, mut from) = (Vec::new(), Some(Place::default()));
    while let Some(place) = from {
        let (keys, next) = store.walk(kind, &place, 1_000).await.expect("walks");
        ids.extend(keys.into_iter().map(|key| key.id));
        from = next;
    }
    ids.sort();
    ids.dedup();
    ids
}

async fn codes_and_carts_end_after_they_expired_and_those_of_the_erased_at_once(fixture: &Fixture) {
    let features = open(fixture).await;
    let mut of = Vec::new();
    for id in ["ann-id", "bob-id"] {
        ingest(&features, &[event(id, 1)]).await;
        let row_key = read(&features, id).await.row_key().expect("was sealed");
        of.push(Some((row_key, NOW)));
    }
    for kind in [Kind::Coupon, Kind::StoredCart] {
        let issue = |of: &Option<_>, id: &str, value: &str| Issued {
            kind,
            id: id.to_owned(),
            value: format!("expires 1 {value}").into(),
            of: of.clone(),
        };
        let issued = vec![
            issue(&of[0], "of bob's erasure", "60"),
            issue(&of[1], "early", "0"),
            issue(&of[1], "late", "20"),
            issue(&of[1], "garbled", "never"),
            issue(&None, "in the clear", "0"),
        ];
        assert_eq!(features.issue(issued).await, Ok(vec![true; 5]));
    }
    erase(&features, "ann-id", NOW).await;
    let keep = Retention {
        shoppers: None,
        ..IDLE
    };
    let mut ender = features.ender(keep, AGES);
    let expected: [(i64, &[&str]); 4] = [
        (28, &["early", "garbled", "in the clear", "late"]),
        (31, &["garbled", "late"]),
        (49, &["garbled", "late"]),
        (51, &["garbled"]),
    ];
    for (now, left) in expected {
        ender.run(day(now)).await.expect("answers");
        for kind in [Kind::Coupon, Kind::StoredCart] {
            assert_eq!(
                keys(features.store(), kind).await,
                left,
                "{kind:?} day {now}"
            );
        }
    }
}

async fn a_report_counts_again_when_it_was_taken_long_ago(fixture: &Fixture) {
    let features = open(fixture).await;
    let report = |at| ShopperChange {
        at,
        outcomes: vec![NewOutcome {
            id: "r1".to_owned(),
            entry: Bytes::from_static(b"an order"),
        }],
        ..ShopperChange::default()
    };
    changes(&features, "ann-id", report(NOW)).await;
    let partition = Partition::of("ann-id");
    let key = Key {
        partition,
        kind: Kind::Outcome,
        id: "of before".to_owned(),
    };
    let put = Op::Put {
        key,
        expected: 0,
        value: Bytes::from_static(&[1]),
    };
    let ops = vec![put];
    let done = features
        .store()
        .commit(vec![Commit { partition, ops }])
        .await;
    assert_eq!(done, Ok(vec![CommitOutcome::Done]));
    let keep = Retention {
        shoppers: None,
        ..IDLE
    };
    let mut ender = features.ender(keep, AGES);
    let taken = async || keys(features.store(), Kind::Outcome).await;
    for now in [20, 30] {
        assert_eq!(run(&mut ender, day(now)).await, (0, 0), "day {now}");
        let again = read(&features, "ann-id").await;
        let again = features.change("ann-id", again, report(day(now))).await;
        assert_eq!(again, Ok(Changed::Conflict), "it was taken");
    }
    assert_eq!(run(&mut ender, day(32)).await, (0, 1));
    assert_eq!(
        taken().await,
        ["of before"],
        "whose age is known from day 20 on"
    );
    changes(&features, "ann-id", report(day(32))).await;
    assert_eq!(run(&mut ender, day(49)).await, (0, 0));
    assert_eq!(run(&mut ender, day(52)).await, (0, 1));
    assert_eq!(taken().await, ["r1"]);
}
