//! The cart, folded from adds, removes and purchases.

use crate::Text;
use crate::event::EventKind;
use crate::state::tail::TailEvent;
use crate::time::Millis;
use crate::view;

/// Beyond these the oldest line goes, so that a value stays bounded.
pub(crate) const MAX_LINES: usize = 256;
const MAX_TEXT: usize = 24 * 1024;
/// Adds of one line that are told apart by their time; older ones count as of the first.
const MAX_ADDS: usize = 8;
/// What was taken out of the cart is kept for so many items, for the carts of other ids of the person.
const MAX_TAKES: usize = 32;

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Line {
    pub(crate) item: Text,
    pub(crate) quantity: u32,
    pub(crate) price_minor: i64,
    pub(crate) currency: Text,
    pub(crate) added_at: Millis,
    pub(crate) category: Text,
    pub(crate) brand: Text,
    /// When units came in after the first add, and how many; the rest of `quantity` is of the first.
    pub(crate) later: Vec<Units>,
}

/// So many units at a time.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) struct Units {
    pub(crate) at: Millis,
    pub(crate) units: u32,
}

/// Units of an item that were taken out of the cart.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Take {
    pub(crate) item: Text,
    pub(crate) at: Millis,
    /// [`u32::MAX`] for a purchase, which takes them all.
    pub(crate) units: u32,
}

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct CartState {
    /// In the order of their first add.
    pub(crate) lines: Vec<Line>,
    pub(crate) version: u64,
    pub(crate) updated_at: Option<Millis>,
    /// In the order of their events; a purchase stands for all takes of its item before it.
    pub(crate) takes: Vec<Take>,
    /// Time of the newest take that is forgotten: whatever other ids of the person added up to then
    /// counts as taken.
    pub(crate) taken_until: Option<Millis>,
}

impl CartState {
    pub(crate) fn fold(&mut self, event: &TailEvent) {
        if !event.kind.changes_cart() {
            return;
        }
        self.version = self.version.saturating_add(1);
        self.updated_at = Some(event.at);
        match event.kind {
            EventKind::AddToCart => self.add(event),
            EventKind::RemoveFromCart => self.remove(event),
            EventKind::Purchase => self.purchase(event),
            EventKind::View
            | EventKind::CheckoutStart
            | EventKind::MessageSent
            | EventKind::MessageDelivered
            | EventKind::MessageOpened
            | EventKind::MessageClicked
            | EventKind::MessageUnsubscribed => {}
        }
    }

    fn add(&mut self, event: &TailEvent) {
        match self
            .lines
            .iter_mut()
            .find(|line| line.item == event.fact.item)
        {
            Some(line) => line.add(event),
            None => {
                let mut line = Line {
                    item: event.fact.item.clone(),
                    added_at: event.at,
                    ..Line::default()
                };
                line.add(event);
                self.lines.push(line);
                self.bound();
            }
        }
    }

    fn remove(&mut self, event: &TailEvent) {
        for line in self
            .lines
            .iter_mut()
            .filter(|line| line.item == event.fact.item)
        {
            line.take(event.quantity);
        }
        self.lines.retain(|line| line.quantity > 0);
        self.record_take(event, event.quantity);
    }

    fn purchase(&mut self, event: &TailEvent) {
        self.lines.retain(|line| line.item != event.fact.item);
        self.takes.retain(|take| take.item != event.fact.item);
        self.record_take(event, u32::MAX);
    }

    fn record_take(&mut self, event: &TailEvent, units: u32) {
        if self.takes.len() >= MAX_TAKES {
            let oldest = self.takes.remove(0);
            self.taken_until = self.taken_until.max(Some(oldest.at));
        }
        self.takes.push(Take {
            item: event.fact.item.clone(),
            at: event.at,
            units,
        });
    }

    fn bound(&mut self) {
        let mut text: usize = self.lines.iter().map(Line::text_len).sum();
        while self.lines.len() > MAX_LINES || (text > MAX_TEXT && self.lines.len() > 1) {
            text -= self.lines.remove(0).text_len();
        }
    }

    pub(crate) fn view(&self) -> view::Cart {
        view::Cart {
            lines: self.lines.iter().map(Line::view).collect(),
            version: self.version,
            updated_at: self.updated_at,
        }
    }
}

impl Line {
    /// The newest units go first.
    fn take(&mut self, units: u32) {
        self.quantity = self.quantity.saturating_sub(units);
        let mut left = units;
        while let Some(newest) = self.later.last_mut() {
            if newest.units > left {
                newest.units -= left;
                return;
            }
            left -= newest.units;
            self.later.pop();
        }
    }

    fn count_add(&mut self, at: Millis, units: u32) {
        let is_first = self.quantity == 0;
        self.quantity = self.quantity.saturating_add(units);
        if is_first {
            return;
        }
        self.later.push(Units { at, units });
        if self.later.len() >= MAX_ADDS {
            self.later.remove(0);
        }
    }

    /// When units came in last.
    pub(crate) fn last_add(&self) -> Millis {
        self.later.last().map_or(self.added_at, |add| add.at)
    }

    /// What the newest add says of price and item replaces what was known; silence does not.
    fn add(&mut self, event: &TailEvent) {
        self.count_add(event.at, event.quantity);
        let fact = &event.fact;
        if fact.price_minor > 0 {
            self.price_minor = fact.price_minor;
            self.currency = fact.currency.clone();
        }
        if !fact.category.is_empty() {
            self.category = fact.category.clone();
        }
        if !fact.brand.is_empty() {
            self.brand = fact.brand.clone();
        }
    }

    pub(crate) fn texts(&self) -> [&Text; 4] {
        [&self.item, &self.currency, &self.category, &self.brand]
    }

    fn text_len(&self) -> usize {
        self.texts().into_iter().map(|text| text.len()).sum()
    }

    pub(crate) fn view(&self) -> view::CartLine {
        view::CartLine {
            item_id: self.item.clone(),
            quantity: self.quantity,
            price_minor: self.price_minor,
            currency: self.currency.clone(),
            added_at: self.added_at,
            category: self.category.clone(),
            brand: self.brand.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Event;

    fn event(kind: EventKind, item: &str, quantity: u32, price_minor: i64) -> TailEvent {
        TailEvent::new(&Event {
            kind,
            item_id: item.into(),
            quantity,
            price_minor,
            currency: if price_minor > 0 {
                "EUR".into()
            } else {
                String::new()
            },
            occurred_at: Millis(1),
            ..Event::default()
        })
    }

    fn cart(events: &[TailEvent]) -> CartState {
        let mut cart = CartState::default();
        events.iter().for_each(|event| cart.fold(event));
        cart
    }

    #[test]
    fn a_quantity_is_a_delta() {
        let cart = cart(&[
            event(EventKind::AddToCart, "a", 2, 100),
            event(EventKind::AddToCart, "a", 0, 0),
            event(EventKind::RemoveFromCart, "a", 1, 0),
        ]);
        assert_eq!(cart.lines.len(), 1);
        assert_eq!(
            (cart.lines[0].quantity, cart.lines[0].price_minor),
            (2, 100)
        );
        assert_eq!(cart.version, 3);
    }

    #[test]
    fn a_line_goes_at_zero_or_when_its_item_is_bought() {
        let cart = cart(&[
            event(EventKind::AddToCart, "a", 5, 100),
            event(EventKind::AddToCart, "b", 1, 100),
            event(EventKind::AddToCart, "c", 1, 100),
            event(EventKind::Purchase, "a", 1, 100),
            event(EventKind::RemoveFromCart, "b", 9, 0),
        ]);
        let items: Vec<&str> = cart.lines.iter().map(|line| line.item.as_str()).collect();
        assert_eq!(items, ["c"]);
    }

    #[test]
    fn a_purchase_of_something_else_leaves_the_lines_and_raises_the_version() {
        let cart = cart(&[
            event(EventKind::AddToCart, "a", 1, 100),
            event(EventKind::Purchase, "z", 1, 100),
            event(EventKind::View, "a", 1, 0),
        ]);
        assert_eq!((cart.lines.len(), cart.version), (1, 2));
    }

    #[test]
    fn a_cart_without_end_loses_its_oldest_lines() {
        let events: Vec<_> = (0..300)
            .map(|n| event(EventKind::AddToCart, &n.to_string(), 1, 5))
            .collect();
        let cart = cart(&events);
        assert_eq!(cart.lines.len(), MAX_LINES);
        assert_eq!(cart.lines[0].item.as_str(), "44");
    }
}
