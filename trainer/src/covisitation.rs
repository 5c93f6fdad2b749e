//! Which items share sessions, and how strongly.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use feature_store::{EventKind, Millis};
use snapshot::Catalogue;
use xxhash_rust::xxh3::Xxh3DefaultBuilder;

use crate::metrics::real;
use crate::sessions::Session;

/// Neighbours kept of an item.
pub const NEIGHBOURS: usize = 100;
/// Distinct items of a session that count, the latest: pairs grow with the square, and a session
/// of a thousand items is a robot or a wholesaler, whose items have little in common.
pub const LONGEST: usize = 100;

/// Half-lives to choose from, in days.
const HALF_LIVES: [Option<u64>; 5] = [None, Some(180), Some(60), Some(20), Some(7)];
/// Newest sessions, at most and as one part of all, that choose among them; prefixes of each that
/// count, and places.
const CHOOSERS: usize = 500;
const PART: usize = 10;
const PREFIXES: usize = 10;
const PLACES: usize = 20;
/// A shorter half-life has to gain this part.
const WORTH: f64 = 0.005;

/// (ordinal, weight) of each item's neighbours, strongest first, ties by ordinal.
pub type Rows = Vec<Vec<(u32, f32)>>;

/// Counts pairs of items over sessions. A pair adds the smaller weight of its two items in the
/// session: 1 for a view, 2 for a cart, 3 for a purchase. So on views alone a weight is the number
/// of sessions that two items share. With a half-life a session counts by its age against the
/// newest event: half as much for each half-life.
pub fn covisitation(
    sessions: &[Session<'_>],
    catalogue: &Catalogue,
    half_life: Option<Duration>,
) -> Rows {
    let newest = newest(sessions);
    let mut pairs: HashMap<(u32, u32), f64, Xxh3DefaultBuilder> = HashMap::default();
    for session in sessions {
        let items = weighted_items(session, catalogue);
        let decay = half_life.map_or(1.0, |half_life| decay(session, newest, half_life));
        for (place, (a, weight_a)) in items.iter().enumerate() {
            for (b, weight_b) in &items[..place] {
                let pair = (*a.min(b), *a.max(b));
                let weight = f64::from(*weight_a.min(weight_b));
                *pairs.entry(pair).or_default() += weight * decay;
            }
        }
    }
    let mut rows: Rows = vec![Vec::new(); catalogue.len()];
    for ((a, b), weight) in pairs {
        // A pair so old that nothing is left of it keeps its place behind all others.
        let weight = narrow(weight).max(f32::MIN_POSITIVE);
        rows[a as usize].push((b, weight));
        rows[b as usize].push((a, weight));
    }
    for row in &mut rows {
        row.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        row.truncate(NEIGHBOURS);
        row.shrink_to_fit();
    }
    rows
}

fn newest(sessions: &[Session<'_>]) -> Millis {
    let ends = sessions.iter().map(Session::end);
    ends.max().unwrap_or(Millis(0))
}

fn decay(session: &Session<'_>, newest: Millis, half_life: Duration) -> f64 {
    let age = u64::try_from(newest.0.saturating_sub(session.end().0)).unwrap_or(0);
    (-Duration::from_millis(age).as_secs_f64() / half_life.as_secs_f64()).exp2()
}

/// The half-life under which the older sessions best predict the newest ones; `None`, as where all
/// sessions are of one day, when none gains anything. Of equally good ones the longest.
pub fn half_life(sessions: &[Session<'_>], catalogue: &Catalogue) -> Option<Duration> {
    let newest = (sessions.len() / PART).min(CHOOSERS);
    let mut by_end: Vec<&Session<'_>> = sessions.iter().collect();
    by_end.sort_by_key(|session| session.end());
    let (past, late) = by_end.split_at(by_end.len() - newest);
    let past: Vec<Session<'_>> = past.iter().map(|one| (*one).clone()).collect();
    let visits: Vec<Vec<u32>> = late.iter().map(|one| visit(one, catalogue)).collect();
    let (mut best, mut most) = (None, 0.0);
    for days in HALF_LIVES {
        let tried = days.map(|days| Duration::from_secs(days * 86_400));
        let rows = covisitation(&past, catalogue, tried);
        let gained = visits.iter().map(|visit| predicted(visit, &rows)).sum();
        if gained > most * (1.0 + WORTH) {
            (best, most) = (tried, gained);
        }
    }
    best
}

/// A session's items in their order, without runs of one.
fn visit(session: &Session<'_>, catalogue: &Catalogue) -> Vec<u32> {
    let events = session.events.iter();
    let known = events.filter_map(|event| catalogue.ordinal(&event.item_id));
    let mut items: Vec<u32> = known.collect();
    items.dedup();
    items
}

/// Σ over the first prefixes of 1 / place of the next item among the first [`PLACES`].
fn predicted(visit: &[u32], rows: &Rows) -> f64 {
    let mut gained = 0.0;
    for at in 1..visit.len().min(PREFIXES + 1) {
        let seen = &visit[..at];
        let mut sums: BTreeMap<u32, f32> = BTreeMap::new();
        for item in seen {
            for (other, weight) in &rows[*item as usize] {
                *sums.entry(*other).or_default() += weight;
            }
        }
        let Some(own) = sums.get(&visit[at]).copied() else {
            continue;
        };
        let before = |(item, sum): &(&u32, &f32)| **sum > own || **sum >= own && **item < visit[at];
        let place = sums.iter().filter(before).count();
        if place < PLACES {
            gained += 1.0 / real(place + 1);
        }
    }
    gained
}

/// Sessions with more distinct items than count.
pub fn capped(sessions: &[Session<'_>], catalogue: &Catalogue) -> usize {
    let distinct = |session: &&Session<'_>| {
        let mut seen: Vec<u32> = session
            .events
            .iter()
            .filter_map(|event| catalogue.ordinal(&event.item_id))
            .collect();
        seen.sort_unstable();
        seen.dedup();
        seen.len() > LONGEST
    };
    sessions
        .iter()
        .filter(|session| session.events.len() > LONGEST)
        .filter(distinct)
        .count()
}

/// The latest distinct items of a session, each with the greatest weight it had there.
fn weighted_items(session: &Session<'_>, catalogue: &Catalogue) -> Vec<(u32, u32)> {
    let mut items: Vec<(u32, u32)> = Vec::new();
    for event in session.events.iter().rev() {
        let (Some(ordinal), Some(weight)) = (catalogue.ordinal(&event.item_id), weight(event.kind))
        else {
            continue;
        };
        match items.iter().position(|(item, _)| *item == ordinal) {
            Some(place) => items[place].1 = weight.max(items[place].1),
            None if items.len() < LONGEST => items.push((ordinal, weight)),
            None => {}
        }
    }
    items
}

fn weight(kind: EventKind) -> Option<u32> {
    match kind {
        EventKind::View => Some(1),
        EventKind::AddToCart => Some(2),
        EventKind::Purchase => Some(3),
        EventKind::RemoveFromCart
        | EventKind::CheckoutStart
        | EventKind::MessageSent
        | EventKind::MessageDelivered
        | EventKind::MessageOpened
        | EventKind::MessageClicked
        | EventKind::MessageUnsubscribed => None,
    }
}

#[expect(clippy::cast_possible_truncation, reason = "weights are stored as f32")]
fn narrow(weight: f64) -> f32 {
    weight as f32
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use feature_store::{Event, Millis};
    use snapshot::CatalogueItem;

    use super::*;
    use crate::sessions::sessions;

    fn event(session: &str, item: usize, second: i64, kind: EventKind) -> Event {
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

    fn catalogue(items: usize) -> Catalogue {
        let item = |at: usize| CatalogueItem {
            item_id: format!("{at:04}"),
            ..Default::default()
        };
        Catalogue::new((0..items).map(item).collect()).unwrap()
    }

    fn rows(events: &[Event], items: usize) -> Rows {
        covisitation(
            &sessions(events, Duration::from_secs(1_800)),
            &catalogue(items),
            None,
        )
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
        let rows = covisitation(&sessions, &catalogue(3), ten_days);
        assert_eq!(rows[0], [(2, 1.0), (1, 0.5)]);
    }

    #[test]
    fn a_fashion_that_changes_asks_for_a_half_life_and_one_that_stays_does_not() {
        let chosen = |switch: usize| {
            let mut events = Vec::new();
            for (at, day) in (0..400_usize).zip(0..) {
                let next = if at < switch { 1 } else { 2 };
                let name = format!("s{at:03}");
                events.push(event(&name, 0, day * 86_400, EventKind::View));
                events.push(event(&name, next, day * 86_400 + 1, EventKind::View));
            }
            let sessions = sessions(&events, Duration::from_secs(1_800));
            half_life(&sessions, &catalogue(3))
        };
        assert!(chosen(300).is_some());
        assert_eq!(chosen(0), None);
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
}
