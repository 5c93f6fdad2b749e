//! What event files say about items on the side.

use std::collections::BTreeMap;

use feature_store::{Event, Item, Millis};

/// What one line says about its item; empty and 0 mean unsaid.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ItemHint {
    pub item_id: String,
    pub name: String,
    pub category: String,
    pub brand: String,
    pub price_minor: i64,
    pub currency: String,
}

impl ItemHint {
    /// The hint inside an event, if it names an item.
    pub fn of_event(event: &Event) -> Option<Self> {
        (!event.item_id.is_empty()).then(|| Self {
            item_id: event.item_id.clone(),
            name: String::new(),
            category: event.category.clone(),
            brand: event.brand.clone(),
            price_minor: event.price_minor,
            currency: event.currency.clone(),
        })
    }
}

/// Gathers hints into items: of each field the latest that was said.
#[derive(Clone, Debug, Default)]
pub struct ItemHints {
    by_id: BTreeMap<String, Known>,
}

#[derive(Clone, Debug, Default)]
struct Known {
    hint: ItemHint,
    /// When each of name, category, brand and price was said last.
    said: [Option<Millis>; 4],
}

impl ItemHints {
    /// Takes a hint said at `at`. Of two said at once the greater text or price stays, so that the
    /// result does not depend on the order of the file.
    pub fn observe(&mut self, hint: &ItemHint, at: Millis) {
        let known = self.by_id.entry(hint.item_id.clone()).or_default();
        let [name, category, brand, price] = &mut known.said;
        keep_later(&mut known.hint.name, name, &hint.name, at);
        keep_later(&mut known.hint.category, category, &hint.category, at);
        keep_later(&mut known.hint.brand, brand, &hint.brand, at);
        let old = (*price, known.hint.price_minor, &known.hint.currency);
        if hint.price_minor > 0 && old < (Some(at), hint.price_minor, &hint.currency) {
            known.hint.price_minor = hint.price_minor;
            known.hint.currency.clone_from(&hint.currency);
            *price = Some(at);
        }
    }

    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    /// The items in the order of their ids. Cost, margin and stock stay unknown.
    pub fn into_items(self) -> Vec<Item> {
        self.by_id
            .into_iter()
            .map(|(item_id, known)| item(item_id, known.hint))
            .collect()
    }
}

fn keep_later(kept: &mut String, said: &mut Option<Millis>, text: &str, at: Millis) {
    if !text.is_empty() && (*said, kept.as_str()) < (Some(at), text) {
        text.clone_into(kept);
        *said = Some(at);
    }
}

fn item(item_id: String, hint: ItemHint) -> Item {
    Item {
        item_id,
        name: hint.name,
        category_path: path(&hint.category),
        brand: hint.brand,
        price_minor: hint.price_minor,
        currency: hint.currency,
        cost_minor: None,
        margin_rate: None,
        stock: None,
        tags: Vec::new(),
        unsellable: false,
    }
}

/// A category with dots as the list of its parts.
pub(crate) fn path(category: &str) -> Vec<String> {
    category
        .split('.')
        .filter(|part| !part.is_empty())
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hint(name: &str, price_minor: i64) -> ItemHint {
        ItemHint {
            item_id: "7".to_owned(),
            name: name.to_owned(),
            category: "home.lamp".to_owned(),
            price_minor,
            currency: "USD".to_owned(),
            ..ItemHint::default()
        }
    }

    #[test]
    fn the_latest_word_stays_whatever_the_order() {
        let said = [
            (hint("lamp", 900), 10),
            (hint("", 1_100), 30),
            (hint("desk lamp", 0), 20),
        ];
        let mut forwards = ItemHints::default();
        let mut backwards = ItemHints::default();
        for (hint, at) in &said {
            forwards.observe(hint, Millis(*at));
        }
        for (hint, at) in said.iter().rev() {
            backwards.observe(hint, Millis(*at));
        }
        let items = forwards.into_items();
        assert_eq!(items[0].name, "desk lamp");
        assert_eq!(items[0].price_minor, 1_100);
        assert_eq!(items[0].category_path, ["home", "lamp"]);
        assert_eq!(items, backwards.into_items());
    }
}
