//! What is computed of the past is what serving answered then, to the last bit.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    reason = "a test says what it expects"
)]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use feature_store::{
    Event, EventKind, EventLog, FeatureStore, FeatureValue, Item, LoggedEvent, Millis, Outcome,
    Plan, PointInTime, Registry, Settings, Value,
};
use proptest::prelude::*;
use support::Fixture;

on_both_stores!(answers_what_serving_answered_bit_for_bit);

const START: i64 = 1_700_000_040_000;
const SHOPPERS: [&str; 5] = ["ann", "bob", "cleo", "dan", "nobody"];
const ITEMS: [&str; 6] = ["i0", "i1", "i2", "i3", "listed", "unheard of"];

fn all() -> Plan {
    let features = Registry::standard().features().iter();
    let names: Vec<_> = features.map(|feature| feature.name).collect();
    Registry::standard().plan(&names).expect("names are known")
}

/// Values with every bit of their numbers: `==` takes -0 for 0.
fn bits(values: &[FeatureValue]) -> Vec<String> {
    let exact = |value: &FeatureValue| match &value.value {
        Some(Value::Double(double)) => format!("{value:?} {:x}", double.to_bits()),
        Some(Value::Doubles(doubles)) => {
            let doubles: Vec<_> = doubles.iter().map(|double| double.to_bits()).collect();
            format!("{value:?} {doubles:x?}")
        }
        _ => format!("{value:?}"),
    };
    values.iter().map(exact).collect()
}

/// The row that a client puts together of `GetFeatures` for a shopper and for an item.
async fn served(features: &FeatureStore, plan: &Plan, label: Label<'_>) -> Vec<FeatureValue> {
    let views = features.shoppers(&[label.shopper], label.at).await;
    let views = views.expect("answers");
    let of_shopper = plan.shopper(views[0].as_ref());
    let row = features.items().get(label.item);
    let of_item = plan.item(row.as_deref(), label.at);
    let pairs = plan
        .features()
        .iter()
        .zip(of_shopper.into_iter().zip(of_item));
    pairs
        .map(|(feature, (of_shopper, of_item))| {
            if feature.name.starts_with("item.") {
                of_item
            } else {
                of_shopper
            }
        })
        .collect()
}

#[derive(Copy, Clone, Debug)]
struct Label<'a> {
    shopper: &'a str,
    item: &'a str,
    at: Millis,
}

fn labels_at(at: Millis) -> impl Iterator<Item = Label<'static>> {
    SHOPPERS.into_iter().flat_map(move |shopper| {
        ITEMS
            .into_iter()
            .map(move |item| Label { shopper, item, at })
    })
}

struct Dice(u64);

impl Dice {
    fn below(&mut self, most: i64) -> i64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        i64::try_from(self.0 >> 33).expect("31 bits") % most
    }
}

/// Events of all kinds; some come late, some twice, some from too far ahead.
fn batch(dice: &mut Dice, now: Millis, moment: i64) -> Vec<Event> {
    let mut events = Vec::new();
    for n in 0..12 {
        let kind = EventKind::ALL[usize::try_from(dice.below(10)).expect("small")];
        let late =
            dice.below(4) * dice.below(20) * Millis::HOUR / 2 - dice.below(7 * Millis::MINUTE);
        let item = dice.below(4);
        let id = if dice.below(9) == 0 {
            moment * 100
        } else {
            moment * 100 + n
        };
        events.push(Event {
            event_id: id.to_string(),
            shopper_id: SHOPPERS[usize::try_from(dice.below(4)).expect("small")].to_owned(),
            device_id: ["", "phone"][usize::try_from(dice.below(2)).expect("small")].to_owned(),
            kind,
            item_id: ITEMS[usize::try_from(item).expect("small")].to_owned(),
            quantity: 1 + u32::try_from(dice.below(3)).expect("small"),
            price_minor: 500 + item * 777,
            currency: "EUR".to_owned(),
            occurred_at: Millis(now.0 - late),
            category: ["home.bath", "toys", "home.kitchen", ""]
                [usize::try_from(item).expect("small")]
            .to_owned(),
            brand: format!("b{item}"),
            ..Event::default()
        });
    }
    events
}

async fn answers_what_serving_answered_bit_for_bit(fixture: &Fixture) {
    let features = FeatureStore::new(fixture.open().await, Settings::default());
    let listed = Item {
        item_id: "listed".to_owned(),
        price_minor: 1_234,
        currency: "EUR".to_owned(),
        ..Item::default()
    };
    let upserted = features
        .upsert_items(vec![listed.clone()], Millis(START))
        .await;
    upserted.expect("answers")[0]
        .clone()
        .expect("is a sound item");
    let clock = Arc::new(AtomicI64::new(START));
    let following = tokio::spawn({
        let (features, clock) = (features.clone(), Arc::clone(&clock));
        let now = move || Millis(clock.load(Ordering::SeqCst));
        async move { features.follow_items(now, std::future::pending()).await }
    });
    let plan = all();
    let mut dice = Dice(7);
    let mut now = START;
    let mut asked = Vec::new();
    let mut refused = 0;
    for moment in 0..14 {
        // From within a minute to a fortnight.
        now +=
            1 + dice.below([50_000, Millis::HOUR, 3 * Millis::DAY, 14 * Millis::DAY][moment % 4]);
        let at = Millis(now);
        clock.store(now, Ordering::SeqCst);
        let events = batch(&mut dice, at, i64::try_from(moment).expect("small"));
        let outcomes = features.ingest(&events, at).await.expect("answers");
        refused += outcomes
            .iter()
            .filter(|outcome| **outcome != Outcome::Accepted)
            .count();
        let closed = at.floor(Duration::from_secs(60));
        while features.items().as_of() < closed {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        for label in labels_at(at) {
            asked.push((label, served(&features, &plan, label).await));
        }
    }
    following.abort();
    assert!(refused > 5, "some events are duplicates, late or early");
    let log = features.event_log(&mut |_, _| {}).await.expect("answers");
    assert_eq!(log.len(), 14 * 12 - refused);
    let mut past = PointInTime::new(plan, [listed], log);
    for (label, answer) in asked {
        let replayed = past.answer(label.shopper, Some(label.item), label.at);
        assert_eq!(bits(&replayed), bits(&answer), "{label:?}");
    }
    assert_eq!(past.applied().duplicate, 0, "a log holds what was accepted");
}

fn logged(events: Vec<Event>, accepted: impl Fn(&Event) -> Millis) -> EventLog {
    let entries = events
        .into_iter()
        .zip(0..)
        .map(|(event, sequence)| LoggedEvent {
            accepted_at: accepted(&event),
            // As many partitions as in a store would leave each shopper alone.
            partition: u16::from(event.shopper_id.as_bytes()[0]),
            sequence,
            event,
        });
    EventLog::new(entries.collect())
}

#[test]
fn an_event_one_millisecond_later_changes_nothing() {
    let at = Millis(START + 10 * Millis::DAY);
    let mut dice = Dice(3);
    let before = batch(&mut dice, Millis(at.0 - Millis::HOUR), 1);
    let after = batch(&mut dice, at, 2);
    let answer = |shift: Option<i64>| {
        let mut events = before.clone();
        if shift.is_some() {
            events.extend(after.clone());
        }
        let mut past = PointInTime::new(
            all(),
            [],
            logged(events, |event| {
                let later = event.event_id.starts_with('2');
                Millis(if later {
                    at.0 + shift.unwrap_or(0)
                } else {
                    at.0 - Millis::HOUR
                })
            }),
        );
        let row = past.answer("ann", Some("i1"), at);
        bits(&row)
    };
    assert_eq!(answer(Some(1)), answer(None));
    assert_ne!(
        answer(Some(0)),
        answer(None),
        "at the moment itself it counts"
    );
}

#[test]
fn a_shopper_whose_events_were_all_refused_is_unknown() {
    let event = Event {
        event_id: "1".to_owned(),
        shopper_id: "ann".to_owned(),
        kind: EventKind::View,
        occurred_at: Millis(START),
        ..Event::default()
    };
    let mut past = PointInTime::new(all(), [], logged(vec![event], |event| event.occurred_at));
    let row = past.answer("ann", None, Millis(START + 1));
    assert!(row.iter().all(|value| *value == FeatureValue::NOT_FOUND));
    assert_eq!(past.applied().rejected["invalid"], 1);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..Default::default() })]

    #[test]
    fn the_order_of_the_file_and_what_comes_later_change_nothing(
        seed in any::<u64>(),
        shuffle in any::<u64>(),
        offsets in prop::collection::vec(0..40 * Millis::DAY, 1..8),
    ) {
        let mut dice = Dice(seed);
        let moments = (0..9_i64).map(|moment| {
            let now = Millis(START + moment * 5 * Millis::DAY);
            (now, batch(&mut dice, now, moment))
        });
        let mut entries = Vec::new();
        for (now, events) in moments.collect::<Vec<_>>() {
            for event in events {
                let accepted_at = Millis(now.0 + dice.below(3 * Millis::MINUTE));
                let partition = u16::from(event.shopper_id.as_bytes()[0]);
                let sequence = entries.len() as u64;
                entries.push(LoggedEvent { accepted_at, partition, sequence, event });
            }
        }
        let whole = EventLog::new(entries.clone());
        let mut shuffled = entries;
        let mut dice = Dice(shuffle);
        for place in (1..shuffled.len()).rev() {
            let other = dice.below(i64::try_from(place).expect("small") + 1);
            shuffled.swap(place, usize::try_from(other).expect("small"));
        }
        let mut times: Vec<_> = offsets.iter().map(|offset| Millis(START + offset)).collect();
        times.sort();
        let mut once = PointInTime::new(all(), [], EventLog::new(shuffled));
        for at in times {
            let seen = whole.entries().filter(|seen| seen.at <= at);
            let until = seen.map(|seen| seen.entry.clone()).collect();
            let mut alone = PointInTime::new(all(), [], EventLog::new(until));
            for label in labels_at(at) {
                let answer = once.answer(label.shopper, Some(label.item), at);
                let expected = alone.answer(label.shopper, Some(label.item), at);
                prop_assert_eq!(bits(&answer), bits(&expected), "{:?}", label);
            }
        }
    }
}
