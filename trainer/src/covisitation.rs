//! Which items share sessions, and how strongly.

use std::collections::HashMap;

use feature_store::EventKind;
use snapshot::Catalogue;
use xxhash_rust::xxh3::Xxh3DefaultBuilder;

use crate::sessions::Session;

/// Neighbours kept of an item.
pub const NEIGHBOURS: usize = 100;
/// Distinct items of a session that count, the latest: pairs grow with the square, and a session
/// of a thousand items is a robot or a wholesaler, whose items have little in common.
pub const LONGEST: usize = 100;

/// (ordinal, weight) of each item's neighbours, strongest first, ties by ordinal.
pub type Rows = Vec<Vec<(u32, f32)>>;

/// Counts pairs of items over sessions. A pair adds the smaller weight of its two items in the
/// session: 1 for a view, 2 for a cart, 3 for a purchase. So on views alone a weight is the number
/// of sessions that two items share.
pub fn covisitation(sessions: &[Session<'_>], catalogue: &Catalogue) -> Rows {
    let mut pairs: HashMap<(u32, u32), u32, Xxh3DefaultBuilder> = HashMap::default();
    for session in sessions {
        let items = weighted_items(session, catalogue);
        for (place, (a, weight_a)) in items.iter().enumerate() {
            for (b, weight_b) in &items[..place] {
                let pair = (*a.min(b), *a.max(b));
                *pairs.entry(pair).or_default() += weight_a.min(weight_b);
            }
        }
    }
    let mut rows: Rows = vec![Vec::new(); catalogue.len()];
    for ((a, b), weight) in pairs {
        let weight = small(weight);
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

#[expect(clippy::cast_precision_loss, reason = "counts beyond 2^24 may round")]
fn small(count: u32) -> f32 {
    count as f32
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
        )
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
