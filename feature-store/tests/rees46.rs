//! A real log: the first three hours of a shop's October, where `CARTWRIGHT_DATA` names a folder
//! that holds it.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::wildcard_enum_match_arm,
    reason = "a test fails by panicking, and its numbers are small"
)]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use feature_store::{Event, EventKind, Millis, Outcome, Shopper};
use xxhash_rust::xxh3::xxh3_64;

fn log_file() -> Option<PathBuf> {
    let folder = std::env::var_os("CARTWRIGHT_DATA")?;
    let file = PathBuf::from(folder).join("rees46-oct2019-head/events.csv.zst");
    file.exists().then_some(file)
}

fn event(row: &csv::StringRecord) -> Event {
    let whole_row = row.iter().collect::<Vec<_>>().join(",");
    let time = row[0]
        .replace(" UTC", "Z")
        .parse::<jiff::Timestamp>()
        .expect("a time in UTC");
    Event {
        event_id: format!("{:016x}", xxh3_64(whole_row.as_bytes())),
        shopper_id: row[7].to_owned(),
        kind: match &row[1] {
            "view" => EventKind::View,
            "cart" => EventKind::AddToCart,
            "purchase" => EventKind::Purchase,
            other => panic!("unknown event type {other}"),
        },
        item_id: row[2].to_owned(),
        price_minor: (row[6].parse::<f64>().expect("a price") * 100.0).round() as i64,
        currency: "USD".into(),
        occurred_at: Millis(time.as_millisecond()),
        session_id: row[8].to_owned(),
        category: row[4].to_owned(),
        brand: row[5].to_owned(),
        ..Event::default()
    }
}

#[test]
fn a_real_log_gives_the_known_counts() {
    let Some(file) = log_file() else {
        println!("skipped: CARTWRIGHT_DATA names no folder with rees46-oct2019-head");
        return;
    };
    let file = std::fs::File::open(file).expect("the log opens");
    let mut rows = csv::Reader::from_reader(zstd::Decoder::new(file).expect("zstd"));
    let events: Vec<Event> = rows
        .records()
        .map(|row| event(&row.expect("a row")))
        .collect();
    let mut shoppers: BTreeMap<String, Shopper> = BTreeMap::new();
    let (mut accepted, mut duplicates) = (0, 0);
    let mut carted = std::collections::BTreeSet::new();
    for event in &events {
        let shopper = shoppers.entry(event.shopper_id.clone()).or_default();
        match shopper.apply(event, event.occurred_at) {
            Outcome::Accepted => accepted += 1,
            Outcome::Duplicate => duplicates += 1,
            Outcome::Rejected(why) => panic!("{why}: {event:?}"),
        }
        if event.kind == EventKind::AddToCart {
            carted.insert(event.shopper_id.as_str());
        }
    }
    assert_eq!((accepted, duplicates, shoppers.len()), (17_429, 5, 4_504));
    assert_eq!(carted.len(), 111);
    for (id, reversed) in backwards(&events) {
        assert_eq!(reversed.encode(), shoppers[id].encode(), "{id}");
    }

    let end = events
        .iter()
        .map(|event| event.occurred_at)
        .max()
        .expect("events");
    let is_empty = |id: &&&str| shoppers[**id].view(end).cart.lines.is_empty();
    assert_eq!(carted.iter().filter(is_empty).count(), 55);
    let idle = Duration::from_secs(1_800);
    let due = shoppers
        .values()
        .filter(|shopper| shopper.cart_deadline(idle).is_some());
    assert_eq!(due.count(), 111 - 55);

    let mut sizes: Vec<usize> = shoppers
        .values()
        .map(|shopper| shopper.encode().len())
        .collect();
    sizes.sort_unstable();
    let at = |share: f64| sizes[((sizes.len() - 1) as f64 * share) as usize];
    println!(
        "encoded bytes: p50 {}, p99 {}, largest {}",
        at(0.5),
        at(0.99),
        at(1.0)
    );
    assert!(at(0.99) <= 8 * 1_024 && at(1.0) <= 16 * 1_024);
}

/// Every shopper, from the log read backwards: it spans less than a day, so nothing is too late.
fn backwards(events: &[Event]) -> BTreeMap<&str, Shopper> {
    let mut shoppers: BTreeMap<&str, Shopper> = BTreeMap::new();
    for event in events.iter().rev() {
        let shopper = shoppers.entry(&event.shopper_id).or_default();
        let outcome = shopper.apply(event, Millis(i64::MAX));
        assert!(!matches!(outcome, Outcome::Rejected(_)), "{outcome:?}");
    }
    shoppers
}
