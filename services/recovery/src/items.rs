//! What is known of an item right now: the live item table's word first, then the generation's.

use std::borrow::Cow;
use std::sync::Arc;

use feature_store::{Item, ItemStats, ItemTable};
use snapshot::CatalogueItem;

use crate::generation::Generation;

/// Looks items up in the table that follows the features role, over the generation's catalogue.
#[derive(Clone, Debug)]
pub(crate) struct Items {
    table: Arc<ItemTable>,
}

impl Items {
    pub(crate) fn new(table: Arc<ItemTable>) -> Self {
        Self { table }
    }

    pub(crate) fn facts<'a>(&self, generation: &'a Generation, item_id: &str) -> Facts<'a> {
        self.facts_at(generation, item_id, generation.catalogue().ordinal(item_id))
    }

    /// The same, for an item whose place in the generation's catalogue is known.
    pub(crate) fn facts_at<'a>(
        &self,
        generation: &'a Generation,
        item_id: &str,
        ordinal: Option<u32>,
    ) -> Facts<'a> {
        let (live, stats) = self
            .table
            .read(item_id, |row| (row.item.clone(), row.stats));
        // All counts are as of the same minute, also those of an item without events.
        let as_of = self.table.as_of();
        Facts {
            stats: ItemStats { as_of, ..stats },
            live,
            known: ordinal.and_then(|ordinal| generation.item(ordinal)),
        }
    }

    /// Today's price of one unit and its currency, when the shop keeps one.
    pub(crate) fn price_now(&self, item_id: &str) -> Option<(i64, String)> {
        self.table.read(item_id, |row| {
            let item = row.item.as_deref().filter(|item| item.price_minor > 0)?;
            Some((item.price_minor, item.currency.clone()))
        })
    }

    /// Units in stock; `None` when nobody keeps track of it.
    pub(crate) fn stock(&self, item_id: &str) -> Option<u32> {
        self.table.read(item_id, |row| {
            let stock = row.item.as_deref()?.stock?;
            Some(u32::try_from(stock.max(0)).unwrap_or(u32::MAX))
        })
    }

    /// Not to be shown: sold out, or taken off sale.
    pub(crate) fn is_blocked(&self, item_id: &str) -> bool {
        self.table
            .read(item_id, |row| row.item.as_deref().is_some_and(is_blocked))
    }
}

/// One item, from both places.
#[derive(Clone, Debug, Default)]
pub(crate) struct Facts<'a> {
    live: Option<Arc<Item>>,
    known: Option<(&'a CatalogueItem, &'a str)>,
    /// How it does, as of the last closed minute.
    pub(crate) stats: ItemStats,
}

impl<'a> Facts<'a> {
    #[cfg(test)]
    pub(crate) fn of(live: Item) -> Self {
        Self {
            live: Some(Arc::new(live)),
            ..Self::default()
        }
    }

    /// Empty when unknown.
    pub(crate) fn name(&self) -> &str {
        self.text(|item| &item.name, |item| &item.name)
    }

    /// Empty when unknown.
    pub(crate) fn brand(&self) -> &str {
        self.text(|item| &item.brand, |item| &item.brand)
    }

    /// Category path with dots, as events carry it; empty when unknown.
    pub(crate) fn category(&self) -> Cow<'a, str> {
        match (&self.live, self.known) {
            (Some(item), _) if !item.category_path.is_empty() => {
                Cow::Owned(item.category_path.join("."))
            }
            (_, Some((_, category))) => Cow::Borrowed(category),
            (_, None) => Cow::Borrowed(""),
        }
    }

    /// Today's price of one unit and its currency; from the catalogue where the table has none.
    pub(crate) fn price(&self) -> Option<(i64, &str)> {
        self.live_price().or_else(|| {
            let (item, _) = self.known?;
            (item.price_minor > 0).then_some((item.price_minor, item.currency.as_str()))
        })
    }

    /// Today's price, when the shop keeps one.
    pub(crate) fn live_price(&self) -> Option<(i64, &str)> {
        let item = self.live.as_ref()?;
        (item.price_minor > 0).then_some((item.price_minor, item.currency.as_str()))
    }

    /// What one unit costs the shop and which share of its price is margin, as far as known.
    pub(crate) fn margin(&self) -> (Option<i64>, Option<f64>) {
        let live = self
            .live
            .as_ref()
            .map(|item| (item.cost_minor, item.margin_rate));
        let known = self
            .known
            .map(|(item, _)| (item.cost_minor, item.margin_rate));
        let stated = |margin: &(Option<i64>, Option<f64>)| margin.0.is_some() || margin.1.is_some();
        live.filter(stated).or(known).unwrap_or_default()
    }

    fn text<'s>(
        &'s self,
        live: impl Fn(&'s Item) -> &'s str,
        known: impl Fn(&'s CatalogueItem) -> &'s str,
    ) -> &'s str {
        let live = self.live.as_deref().map(live).unwrap_or_default();
        if live.is_empty() {
            self.known.map(|(item, _)| known(item)).unwrap_or_default()
        } else {
            live
        }
    }
}

fn is_blocked(item: &Item) -> bool {
    item.unsellable || item.stock.is_some_and(|units| units <= 0)
}

#[cfg(test)]
mod tests {
    use feature_store::ItemUpdate;

    use super::*;

    fn known() -> CatalogueItem {
        CatalogueItem {
            item_id: "1".to_owned(),
            name: "old name".to_owned(),
            brand: "acme".to_owned(),
            price_minor: 900,
            currency: "EUR".to_owned(),
            cost_minor: Some(500),
            ..CatalogueItem::default()
        }
    }

    #[test]
    fn the_live_word_goes_first_and_the_catalogue_fills_the_gaps() {
        let known = known();
        let facts = Facts {
            live: Some(Arc::new(Item {
                name: "new name".to_owned(),
                margin_rate: Some(0.25),
                ..Item::default()
            })),
            known: Some((&known, "shoes.boots")),
            ..Facts::default()
        };
        assert_eq!(facts.name(), "new name");
        assert_eq!(facts.brand(), "acme");
        assert_eq!(facts.category(), "shoes.boots");
        assert_eq!(facts.price(), Some((900, "EUR")));
        assert_eq!(facts.live_price(), None);
        assert_eq!(
            facts.margin(),
            (None, Some(0.25)),
            "a cost and a rate never mix"
        );
    }

    #[test]
    fn sold_out_and_withdrawn_items_are_blocked() {
        let blocked = |stock, unsellable| {
            let table = ItemTable::new();
            table.apply(vec![ItemUpdate::Item(Item {
                item_id: "1".to_owned(),
                stock,
                unsellable,
                ..Item::default()
            })]);
            Items::new(Arc::new(table)).is_blocked("1")
        };
        assert!(blocked(Some(0), false));
        assert!(blocked(None, true));
        assert!(!blocked(None, false));
        assert!(!blocked(Some(1), false));
        let empty = Items::new(Arc::new(ItemTable::new()));
        assert!(!empty.is_blocked("1"));
    }
}
