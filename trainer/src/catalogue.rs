//! The items of a generation, from what the shop and the events say.

use std::collections::BTreeMap;

use feature_store::{Event, Item};
use snapshot::{Catalogue, CatalogueItem};

use crate::readers::{ItemHint, ItemHints};

/// Every item that was given or that an event names. What `items` says goes before what events
/// say; of events the latest word counts.
pub(crate) fn assemble(events: &[Event], items: &[Item]) -> Result<Catalogue, snapshot::Error> {
    let mut hints = ItemHints::default();
    for event in events {
        if let Some(hint) = ItemHint::of_event(event) {
            hints.observe(&hint, event.occurred_at);
        }
    }
    let said: BTreeMap<String, Item> = hints
        .into_items()
        .into_iter()
        .map(|item| (item.item_id.clone(), item))
        .collect();
    let mut known: BTreeMap<&str, CatalogueItem> = BTreeMap::new();
    for item in said
        .values()
        .chain(items)
        .filter(|item| !item.item_id.is_empty())
    {
        let entry = known.entry(&item.item_id).or_default();
        merge(entry, item);
    }
    Catalogue::new(known.into_values().collect())
}

fn merge(entry: &mut CatalogueItem, item: &Item) {
    entry.item_id.clone_from(&item.item_id);
    if !item.name.is_empty() {
        entry.name.clone_from(&item.name);
    }
    if !item.category_path.is_empty() {
        entry.category_path.clone_from(&item.category_path);
    }
    if !item.brand.is_empty() {
        entry.brand.clone_from(&item.brand);
    }
    if item.price_minor > 0 {
        entry.price_minor = item.price_minor;
        entry.currency.clone_from(&item.currency);
    }
    entry.cost_minor = item.cost_minor.or(entry.cost_minor);
    entry.margin_rate = item.margin_rate.or(entry.margin_rate);
}

#[cfg(test)]
mod tests {
    use feature_store::Millis;

    use super::*;

    #[test]
    fn the_shop_goes_before_events_and_events_fill_in() {
        let event = Event {
            item_id: "a".to_owned(),
            category: "x.y".to_owned(),
            price_minor: 500,
            currency: "EUR".to_owned(),
            occurred_at: Millis(5),
            ..Event::default()
        };
        let given = Item {
            item_id: "a".to_owned(),
            name: "Lamp".to_owned(),
            price_minor: 450,
            currency: "EUR".to_owned(),
            cost_minor: Some(300),
            ..Item::default()
        };
        let other = Item {
            item_id: "b".to_owned(),
            ..Item::default()
        };
        let catalogue = assemble(&[event], &[given, other]).unwrap();
        let item = catalogue.get(0).unwrap();
        assert_eq!((item.name.as_str(), item.price_minor), ("Lamp", 450));
        assert_eq!(item.category_path, ["x", "y"]);
        assert_eq!(item.cost_minor, Some(300));
        assert_eq!(catalogue.len(), 2);
    }
}
