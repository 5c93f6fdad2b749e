//! What holds for every log of events, checked on random ones.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::wildcard_enum_match_arm,
    reason = "a test fails by panicking, and its numbers are small"
)]

use feature_store::view::Window;
use feature_store::{
    Event, EventKind, FeatureValue, LoggedEvent, Millis, Outcome, Registry, RejectCode, Replay,
    Shopper, ShopperView, Value,
};
use proptest::prelude::*;

const START: i64 = 1_600_000_000_000;
const LATE: Millis = Millis(i64::MAX);

/// An event `offset` milliseconds after the start; `code` picks everything else.
fn event(index: usize, offset: i64, code: u64) -> Event {
    // Views are the most common kind, and there are more brands than interests are kept.
    let kind = EventKind::ALL
        .get((code % 20) as usize)
        .copied()
        .unwrap_or_default();
    let item = (code / 20) % 12;
    // Many events share an instant, as they do in logs that only know seconds.
    let offset = if code % 7 < 4 {
        offset - offset % Millis::HOUR
    } else {
        offset
    };
    let price_minor = (1 + (code / 240) % 5) as i64 * 777;
    Event {
        event_id: format!("e{index}"),
        shopper_id: "s".into(),
        device_id: ["", "phone", "laptop"][(code / 1_200 % 3) as usize].into(),
        kind,
        item_id: format!("item-{item}"),
        quantity: (code / 3_600 % 4) as u32,
        price_minor,
        currency: "EUR".into(),
        occurred_at: Millis(START + offset),
        category: ["", "home.kitchen", "home.bath", "toys"][(item % 4) as usize].into(),
        brand: format!("brand-{}", code / 14_400 % 120),
        ..Event::default()
    }
}

/// Events over a span in milliseconds, each with the delay after which it arrives.
fn log(span_ms: i64, max: usize) -> impl Strategy<Value = Vec<(Event, i64)>> {
    let day = Millis::DAY;
    prop::collection::vec((0..span_ms, any::<u64>(), 0..day), 1..max).prop_map(|rows| {
        let rows = rows.into_iter().enumerate();
        rows.map(|(index, (at, code, delay))| (event(index, at, code), delay))
            .collect()
    })
}

/// In the order of arrival: an event is never more than a day behind the newest one.
fn arriving(log: &[(Event, i64)]) -> Vec<Event> {
    let mut log = log.to_vec();
    log.sort_by_key(|(event, delay)| event.occurred_at.0 + delay);
    log.into_iter().map(|(event, _)| event).collect()
}

fn in_order(log: &[(Event, i64)]) -> Vec<Event> {
    let mut events: Vec<Event> = log.iter().map(|(event, _)| event.clone()).collect();
    events.sort_by_key(|event| event.occurred_at);
    events
}

fn state(events: &[Event]) -> Shopper {
    let mut shopper = Shopper::empty();
    for event in events {
        assert_eq!(shopper.apply(event, LATE), Outcome::Accepted, "{event:?}");
    }
    shopper
}

/// Every feature, to the last bit.
fn bits(view: &ShopperView) -> Vec<String> {
    let names: Vec<&str> = Registry::standard()
        .features()
        .iter()
        .map(|def| def.name)
        .collect();
    let plan = Registry::standard()
        .plan(&names)
        .expect("every listed name resolves");
    plan.shopper(Some(view)).iter().map(exact).collect()
}

fn exact(value: &FeatureValue) -> String {
    let double = match &value.value {
        Some(Value::Double(double)) => vec![double.to_bits()],
        Some(Value::Doubles(doubles)) => doubles.iter().map(|d| d.to_bits()).collect(),
        _ => Vec::new(),
    };
    format!("{value:?} {double:?}")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..Default::default() })]

    #[test]
    fn any_arrival_gives_the_same_bytes(log in log(70 * Millis::DAY, 400)) {
        let (orderly, jumbled) = (state(&in_order(&log)), state(&arriving(&log)));
        prop_assert_eq!(orderly.encode(), jumbled.encode());
        let now = Millis(START + 71 * Millis::DAY);
        prop_assert_eq!(bits(&orderly.view(now)), bits(&jumbled.view(now)));
    }

    #[test]
    fn a_day_of_events_may_arrive_in_any_order(
        log in log(Millis::DAY, 120),
        shuffle in any::<prop::sample::Index>(),
    ) {
        let mut reversed = in_order(&log);
        reversed.reverse();
        let middle = shuffle.index(reversed.len());
        reversed.rotate_left(middle);
        prop_assert_eq!(state(&in_order(&log)).encode(), state(&reversed).encode());
    }

    #[test]
    fn a_repeated_event_changes_nothing(log in log(3 * Millis::DAY, 80)) {
        let events = arriving(&log);
        let mut shopper = Shopper::empty();
        for (index, event) in events.iter().enumerate() {
            prop_assert_eq!(shopper.apply(event, LATE), Outcome::Accepted);
            let bytes = shopper.encode();
            for known in &events[..=index] {
                match shopper.apply(known, LATE) {
                    Outcome::Duplicate => {}
                    Outcome::Rejected(why) => prop_assert_eq!(why.code, RejectCode::TooLate),
                    Outcome::Accepted => prop_assert!(false, "{:?} counted twice", known),
                }
            }
            prop_assert_eq!(shopper.encode(), bytes);
        }
    }

    #[test]
    fn storing_a_value_between_events_leaves_no_trace(log in log(40 * Millis::DAY, 100)) {
        let events = arriving(&log);
        let mut stored = Shopper::empty();
        for event in &events {
            prop_assert_eq!(stored.apply(event, LATE), Outcome::Accepted);
            stored = Shopper::decode(&stored.encode()).expect("own bytes decode");
        }
        let bytes = state(&events).encode();
        prop_assert_eq!(stored.encode(), bytes.clone());
        prop_assert_eq!(Shopper::decode(&bytes).expect("own bytes decode").encode(), bytes);
    }

    #[test]
    fn the_replay_sees_what_serving_saw(log in log(9 * Millis::DAY, 100), asked in 0..100_usize) {
        let mut shopper = Shopper::empty();
        let mut entries = Vec::new();
        let mut served = None;
        for (sequence, event) in arriving(&log).into_iter().enumerate() {
            let accepted_at = Millis(START + 20 * Millis::DAY + sequence as i64);
            if shopper.apply(&event, accepted_at) == Outcome::Accepted {
                let sequence = sequence as u64;
                entries.push(LoggedEvent { accepted_at, partition: 0, sequence, event }.encode());
            }
            if sequence == asked {
                served = Some((accepted_at, shopper.view(accepted_at)));
            }
        }
        let Some((at, served)) = served else { return Ok(()) };
        let mut replay = Replay::new();
        for entry in entries {
            let entry = LoggedEvent::decode(&entry).expect("own bytes decode");
            if entry.accepted_at <= at {
                prop_assert_eq!(replay.apply(&entry), Outcome::Accepted);
            }
        }
        let replayed = replay.view("s", at).expect("the shopper has events");
        prop_assert_eq!(bits(&replayed), bits(&served));
        prop_assert_eq!(replayed, served);
    }

    #[test]
    fn window_counts_are_right_to_one_tile(
        log in log(45 * Millis::DAY, 200),
        back in 0..2 * Millis::HOUR,
    ) {
        let events = in_order(&log);
        let newest = events.last().map_or(Millis(START), |event| event.occurred_at);
        let now = Millis(newest.0 - back);
        let view = state(&events).view(now);
        let tile = [0, 0, Millis::HOUR, Millis::DAY, Millis::DAY];
        for (window, tile) in Window::ALL.into_iter().zip(tile) {
            for kind in EventKind::ALL {
                let counted = view.counts.get(kind, window);
                let width = i64::try_from(window.width().as_millis()).expect("a short time");
                let within = |width: i64| {
                    let inside = events.iter().filter(|event| {
                        let age = now.0 - event.occurred_at.0;
                        event.kind == kind && age >= 0 && age < width
                    });
                    u32::try_from(inside.count()).expect("few events")
                };
                let (least, most) = (within(width), within(width + tile));
                prop_assert!((least..=most).contains(&counted), "{kind:?} {window:?}");
            }
        }
    }

    #[test]
    fn no_event_makes_it_panic(
        texts in prop::collection::vec(any::<String>(), 7),
        numbers in any::<(u32, i64, i64, i64)>(),
        kind in 0..10_usize,
    ) {
        let (quantity, price_minor, occurred_at, now) = numbers;
        let text = |index: usize| texts[index].clone();
        let event = Event {
            event_id: text(0), shopper_id: text(1), device_id: text(2), item_id: text(3),
            category: text(4), brand: text(5), currency: text(6),
            kind: EventKind::ALL[kind], quantity, price_minor,
            occurred_at: Millis(occurred_at), ..Event::default()
        };
        let mut shopper = Shopper::empty();
        shopper.apply(&event, Millis(now));
        let _ = (shopper.view(Millis(now)), shopper.encode());
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        survive(&bytes);
    }

    #[test]
    fn no_damage_makes_it_panic(
        log in log(5 * Millis::DAY, 60),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut bytes = state(&arriving(&log)).encode();
        for (place, byte) in damage {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        survive(&bytes);
    }
}

/// Bytes that happen to decode must also stand every use.
fn survive(bytes: &[u8]) {
    let Ok(mut shopper) = Shopper::decode(bytes) else {
        return;
    };
    for now in [Millis(i64::MIN), Millis(START), LATE] {
        bits(&shopper.view(now));
    }
    shopper.apply(&event(0, 50 * Millis::DAY, 1), LATE);
    let _ = (
        shopper.cart_deadline(std::time::Duration::from_secs(1_800)),
        shopper.encode(),
    );
    let _ = LoggedEvent::decode(bytes);
}
