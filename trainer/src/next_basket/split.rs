use std::collections::{BTreeMap, BTreeSet};

use feature_store::{Event, EventKind, Millis};

use crate::sessions::order;

/// The first basket that a shopper bought in a window of time, and what went before it.
#[derive(Clone, Debug)]
pub struct Basket<'a> {
    pub shopper: &'a str,
    /// Distinct items, in the order of the log.
    pub items: Vec<&'a str>,
    /// Events before the window, in the order of time; empty for a new shopper.
    pub history: Vec<&'a Event>,
    /// When the window starts: what is asked, is asked then.
    pub asked_at: Millis,
}

impl Basket<'_> {
    /// Items that the shopper dealt with before.
    #[must_use]
    pub fn known_items(&self) -> BTreeSet<&str> {
        self.history.iter().map(|event| &*event.item_id).collect()
    }
}

/// The first baskets of all shoppers from `from` (included) to `until` (excluded), by shopper. A
/// basket is the purchases of one order; without an order id, those of one moment.
#[must_use]
pub fn baskets(events: &[Event], from: Millis, until: Millis) -> Vec<Basket<'_>> {
    let mut by_shopper: BTreeMap<&str, Vec<&Event>> = BTreeMap::new();
    let named = events.iter().filter(|event| !event.item_id.is_empty());
    for event in named.filter(|event| event.occurred_at < until) {
        by_shopper.entry(&event.shopper_id).or_default().push(event);
    }
    by_shopper
        .into_iter()
        .filter_map(|(shopper, events)| first_basket(shopper, events, from))
        .collect()
}

fn first_basket<'a>(
    shopper: &'a str,
    mut events: Vec<&'a Event>,
    from: Millis,
) -> Option<Basket<'a>> {
    events.sort_by_key(|event| order(event));
    let split = events.partition_point(|event| event.occurred_at < from);
    let later = events.split_off(split);
    let first = later
        .iter()
        .find(|event| event.kind == EventKind::Purchase)?;
    let belongs = |event: &&&Event| {
        event.kind == EventKind::Purchase
            && (&event.order_id, moment(event)) == (&first.order_id, moment(first))
    };
    let mut items: Vec<&str> = Vec::new();
    for event in later.iter().filter(belongs) {
        if !items.contains(&&*event.item_id) {
            items.push(&event.item_id);
        }
    }
    Some(Basket {
        shopper,
        items,
        history: events,
        asked_at: from,
    })
}

/// What tells baskets without an order id apart.
fn moment(event: &Event) -> Option<Millis> {
    event.order_id.is_empty().then_some(event.occurred_at)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(crate) fn bought(shopper: &str, order: &str, item: &str, at: i64) -> Event {
        Event {
            event_id: format!("{order}-{item}-{at}"),
            shopper_id: shopper.to_owned(),
            order_id: order.to_owned(),
            item_id: item.to_owned(),
            kind: EventKind::Purchase,
            occurred_at: Millis(at),
            ..Event::default()
        }
    }

    #[test]
    fn the_first_basket_of_the_window_is_asked_about_with_all_that_went_before() {
        let events = [
            bought("a", "1", "x", 5),
            bought("b", "4", "y", 12),
            bought("a", "2", "z", 11),
            bought("a", "2", "x", 11),
            bought("a", "2", "z", 11),
            bought("a", "3", "w", 13),
            bought("c", "5", "x", 9),
            bought("d", "6", "x", 20),
        ];
        let found = baskets(&events, Millis(10), Millis(20));
        let shown: Vec<_> = found
            .iter()
            .map(|basket| (basket.shopper, &basket.items[..], basket.history.len()))
            .collect();
        // Items that were bought in one moment stand in the order of their ids in the log.
        assert_eq!(shown, [("a", &["x", "z"][..], 1), ("b", &["y"], 0)]);
        assert_eq!(found[0].asked_at, Millis(10));
    }

    #[test]
    fn without_an_order_id_a_moment_is_a_basket() {
        let events = [
            bought("a", "", "x", 11),
            bought("a", "", "y", 11),
            bought("a", "", "z", 12),
        ];
        let found = baskets(&events, Millis(10), Millis(20));
        assert_eq!(found[0].items, ["x", "y"]);
    }
}
