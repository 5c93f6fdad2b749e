//! The cart, folded from adds, removes and purchases.

use std::sync::Arc;

use crate::event::EventKind;
use crate::state::tail::TailEvent;
use crate::time::Millis;
use crate::view;

/// Beyond these the oldest line goes, so that a value stays bounded.
const MAX_LINES: usize = 256;
const MAX_TEXT: usize = 24 * 1024;

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Line {
    pub(crate) item: Arc<str>,
    pub(crate) quantity: u32,
    pub(crate) price_minor: i64,
    pub(crate) currency: Arc<str>,
    pub(crate) added_at: Millis,
    pub(crate) category: Arc<str>,
    pub(crate) brand: Arc<str>,
}

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct CartState {
    /// In the order of their first add.
    pub(crate) lines: Vec<Line>,
    pub(crate) version: u64,
    pub(crate) updated_at: Option<Millis>,
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
            EventKind::Purchase => self.lines.retain(|line| line.item != event.fact.item),
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
                    item: Arc::clone(&event.fact.item),
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
            line.quantity = line.quantity.saturating_sub(event.quantity);
        }
        self.lines.retain(|line| line.quantity > 0);
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
    /// What the newest add says of price and item replaces what was known; silence does not.
    fn add(&mut self, event: &TailEvent) {
        self.quantity = self.quantity.saturating_add(event.quantity);
        let fact = &event.fact;
        if fact.price_minor > 0 {
            self.price_minor = fact.price_minor;
            self.currency = Arc::clone(&fact.currency);
        }
        if !fact.category.is_empty() {
            self.category = Arc::clone(&fact.category);
        }
        if !fact.brand.is_empty() {
            self.brand = Arc::clone(&fact.brand);
        }
    }

    pub(crate) fn texts(&self) -> [&Arc<str>; 4] {
        [&self.item, &self.currency, &self.category, &self.brand]
    }

    fn text_len(&self) -> usize {
        self.texts().into_iter().map(|text| text.len()).sum()
    }

    fn view(&self) -> view::CartLine {
        view::CartLine {
            item_id: self.item.to_string(),
            quantity: self.quantity,
            price_minor: self.price_minor,
            currency: self.currency.to_string(),
            added_at: self.added_at,
            category: self.category.to_string(),
            brand: self.brand.to_string(),
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
        let items: Vec<&str> = cart.lines.iter().map(|line| line.item.as_ref()).collect();
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
        assert_eq!(cart.lines[0].item.as_ref(), "44");
    }
}
