//! Who had a cart, and what became of it.

use std::collections::BTreeMap;

use feature_store::{Event, EventKind};
use proto::v1 as pb;
use serde::Serialize;

/// Carts by what became of them.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Counts {
    /// Neither bought nor left: still in use, or emptied by hand.
    pub(super) open: usize,
    /// Empty, because every line was bought.
    pub(super) purchased: usize,
    /// Lines are left, and the shopper has been quiet for the idle time.
    pub(super) abandoned: usize,
}

impl Counts {
    pub(super) fn total(&self) -> usize {
        self.open + self.purchased + self.abandoned
    }
}

/// A cart of the log, as the server has it now.
#[derive(Clone, Debug)]
pub(super) struct Carted {
    pub(super) shopper_id: String,
    pub(super) cart: pb::Cart,
    /// Whether the last thing that happened to the cart was a purchase.
    pub(super) ends_bought: bool,
}

/// The last thing that happened to the cart of everyone who ever put something into one.
pub(in crate::commands) fn last_changes(events: &[Event]) -> BTreeMap<&str, EventKind> {
    let mut changes: Vec<&Event> = events.iter().filter(|e| e.kind.changes_cart()).collect();
    changes.sort_by_key(|event| (event.occurred_at, event.kind));
    let mut last = BTreeMap::new();
    for event in &changes {
        if event.kind == EventKind::AddToCart || last.contains_key(event.shopper_id.as_str()) {
            last.insert(event.shopper_id.as_str(), event.kind);
        }
    }
    last
}

/// Counts carts, at `now` and with this idle time, both in milliseconds.
pub(super) fn count(carts: &[Carted], now_ms: i64, idle_ms: i64) -> Counts {
    let mut counts = Counts::default();
    for carted in carts {
        let active = carted.cart.last_active_at.as_ref();
        let quiet = active.is_none_or(|at| now_ms - crate::wire::millis(at).0 >= idle_ms);
        match (carted.cart.lines.is_empty(), carted.ends_bought, quiet) {
            (true, true, _) => counts.purchased += 1,
            (false, _, true) => counts.abandoned += 1,
            (true, false, _) | (false, _, false) => counts.open += 1,
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;
    use feature_store::Millis;

    fn event(shopper: &str, kind: EventKind, at: i64) -> Event {
        Event {
            shopper_id: shopper.to_owned(),
            kind,
            occurred_at: Millis(at),
            ..Event::default()
        }
    }

    fn carted(lines: usize, active_at: i64, ends_bought: bool) -> Carted {
        let cart = pb::Cart {
            lines: vec![pb::CartLine::default(); lines],
            last_active_at: Some(crate::wire::timestamp(Millis(active_at))),
            ..pb::Cart::default()
        };
        Carted {
            shopper_id: String::new(),
            cart,
            ends_bought,
        }
    }

    #[test]
    fn a_purchase_without_a_cart_is_no_cart() {
        let events = [
            event("a", EventKind::Purchase, 1),
            event("b", EventKind::Purchase, 5),
            event("b", EventKind::AddToCart, 2),
            event("c", EventKind::AddToCart, 2),
            event("c", EventKind::RemoveFromCart, 3),
        ];
        let last = last_changes(&events);
        assert_eq!(last.len(), 2);
        assert_eq!(last["b"], EventKind::Purchase);
        assert_eq!(last["c"], EventKind::RemoveFromCart);
    }

    #[test]
    fn every_cart_counts_once() {
        let carts = [
            carted(0, 0, true),
            carted(0, 0, false),
            carted(2, 0, false),
            carted(1, 9_000, true),
        ];
        let counts = count(&carts, 10_000, 5_000);
        assert_eq!(
            counts,
            Counts {
                open: 2,
                purchased: 1,
                abandoned: 1
            }
        );
        assert_eq!(counts.total(), carts.len());
    }
}
