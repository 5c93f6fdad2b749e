use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use feature_store::{Event, Millis};
use proptest::prelude::*;
use snapshot::CatalogueItem;

use super::*;
use crate::sessions::sessions;

pub(super) fn event(session: &str, item: usize, second: i64, kind: EventKind) -> Event {
    Event {
        event_id: format!("{session}-{item}-{second}"),
        shopper_id: session.to_owned(),
        session_id: session.to_owned(),
        item_id: format!("{item:04}"),
        occurred_at: Millis(1_000 * second),
        kind,
        ..Event::default()
    }
}

pub(super) fn catalogue(items: usize) -> Catalogue {
    let item = |at: usize| CatalogueItem {
        item_id: format!("{at:04}"),
        ..Default::default()
    };
    Catalogue::new((0..items).map(item).collect()).unwrap()
}

fn covisits(events: &[Event], items: usize, min_people: u32) -> Covisits {
    let sessions = sessions(events, Duration::from_secs(1_800));
    covisitation(&sessions, &catalogue(items), None, min_people)
}

fn rows(events: &[Event], items: usize) -> Rows {
    covisits(events, items, 1).rows
}

#[test]
fn a_session_of_one_half_life_ago_counts_half() {
    let day = 86_400;
    let view = |session, item, at| event(session, item, at, EventKind::View);
    let events = [
        view("a", 0, 1),
        view("a", 1, 1),
        view("b", 0, 1 + 10 * day),
        view("b", 2, 1 + 10 * day),
    ];
    let sessions = sessions(&events, Duration::from_secs(1_800));
    let ten_days = Some(Duration::from_secs(10 * 86_400));
    let rows = covisitation(&sessions, &catalogue(3), ten_days, 1).rows;
    assert_eq!(rows[0], [(2, 1.0), (1, 0.5)]);
}

#[test]
fn counts_shared_sessions_and_breaks_ties_by_ordinal() {
    let view = |session, item, at| event(session, item, at, EventKind::View);
    let events = [
        view("a", 0, 1),
        view("a", 2, 2),
        view("a", 1, 3),
        view("a", 1, 4),
        view("b", 0, 1),
        view("b", 3, 2),
        view("c", 0, 1),
        view("c", 3, 2),
    ];
    let rows = rows(&events, 4);
    assert_eq!(rows[0], [(3, 2.0), (1, 1.0), (2, 1.0)]);
    assert_eq!(rows[1], [(0, 1.0), (2, 1.0)]);
}

#[test]
fn a_pair_counts_as_its_weaker_half() {
    let events = [
        event("a", 0, 1, EventKind::Purchase),
        event("a", 1, 2, EventKind::AddToCart),
        event("a", 2, 3, EventKind::RemoveFromCart),
    ];
    let rows = rows(&events, 3);
    assert_eq!(rows[0], [(1, 2.0)]);
    assert!(rows[2].is_empty());
}

#[test]
fn a_session_of_a_thousand_items_counts_with_its_latest_ones_only() {
    let events: Vec<Event> = (0..1_114_usize)
        .zip(0..)
        .map(|(item, at)| event("robot", item, at, EventKind::View))
        .collect();
    let rows = rows(&events, 1_114);
    let pairs: usize = rows.iter().map(Vec::len).sum();
    assert_eq!(pairs, LONGEST * (LONGEST - 1));
    assert!(rows[1_013].is_empty() && !rows[1_014].is_empty());
}

/// Visits of shoppers, each a few items out of a small shop: (shopper, items).
fn visits() -> impl Strategy<Value = Vec<(usize, Vec<usize>)>> {
    let visit = (0_usize..9, prop::collection::vec(0_usize..12, 1..7));
    prop::collection::vec(visit, 1..60)
}

fn events_of(visits: &[(usize, Vec<usize>)]) -> Vec<Event> {
    let mut events = Vec::new();
    for ((shopper, items), number) in visits.iter().zip(0_i64..) {
        for (item, at) in items.iter().zip(0_i64..) {
            let mut event = event(&format!("v{number}"), *item, 0, EventKind::View);
            event.event_id = format!("{number}-{at}");
            event.shopper_id = format!("p{shopper}");
            event.occurred_at = Millis(10_000 * number + at);
            events.push(event);
        }
    }
    events
}

proptest! {
    #[test]
    fn a_pair_is_published_exactly_when_enough_different_people_made_it(
        visits in visits(),
        min_people in 1_u32..6,
    ) {
        let mut people: BTreeMap<(usize, usize), BTreeSet<usize>> = BTreeMap::new();
        for (shopper, items) in &visits {
            let items: BTreeSet<usize> = items.iter().copied().collect();
            for (a, b) in items.iter().flat_map(|a| items.iter().map(move |b| (*a, *b))) {
                if a != b {
                    people.entry((a, b)).or_default().insert(*shopper);
                }
            }
        }
        let enough = |of: &BTreeSet<usize>| of.len() >= min_people as usize;
        let expected: BTreeSet<(usize, usize)> =
            people.iter().filter(|(_, of)| enough(of)).map(|(pair, _)| *pair).collect();
        let events = events_of(&visits);
        let found = covisits(&events, 12, min_people);
        let published: BTreeSet<(usize, usize)> = found
            .rows
            .iter()
            .enumerate()
            .flat_map(|(a, row)| row.iter().map(move |(b, _)| (a, *b as usize)))
            .collect();
        prop_assert_eq!(&published, &expected);
        prop_assert_eq!(found.pairs, people.len() as u64 / 2);
        prop_assert_eq!(found.left_out, (people.len() - expected.len()) as u64 / 2);
        // What is left is what all pairs say, without those of few.
        let all = covisits(&events, 12, 1).rows;
        for (row, (a, all)) in found.rows.iter().zip(all.iter().enumerate()) {
            let kept = all.iter().filter(|(b, _)| expected.contains(&(a, *b as usize)));
            let kept: Vec<(u32, f32)> = kept.copied().collect();
            prop_assert_eq!(row, &kept);
        }
    }
}

#[test]
fn one_person_who_comes_back_every_day_is_one_person() {
    let visit = |shopper: usize| (shopper, vec![0, 1]);
    let faithful: Vec<_> = (0..100).map(|_| visit(0)).collect();
    let four_more = (1..5).map(visit);
    assert!(covisits(&events_of(&faithful), 2, 2).rows[0].is_empty());
    let five: Vec<_> = faithful.iter().cloned().chain(four_more).collect();
    assert_eq!(covisits(&events_of(&five), 2, 5).rows[0], [(1, 104.0)]);
    assert!(covisits(&events_of(&five), 2, 6).rows[0].is_empty());
}
