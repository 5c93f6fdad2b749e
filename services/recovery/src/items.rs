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
        let row = self.table.get(item_id);
        // An item without events has counts of 0, as of the same minute as all others.
        let none = || ItemStats {
            as_of: self.table.as_of(),
            ..ItemStats::default()
        };
        Facts {
            stats: row.as_ref().map_or_else(none, |row| row.stats),
            live: row.and_then(|row| row.item.clone()),
            known: generation.item(item_id),
        }
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

    /// Not to be shown: sold out, or taken off sale.
    pub(crate) fn is_blocked(&self) -> bool {
        self.live
            .as_ref()
            .is_some_and(|item| item.unsellable || item.stock.is_some_and(|units| units <= 0))
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

#[cfg(test)]
mod tests {
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
            Facts::of(Item {
                stock,
                unsellable,
                ..Item::default()
            })
            .is_blocked()
        };
        assert!(blocked(Some(0), false));
        assert!(blocked(None, true));
        assert!(!blocked(None, false));
        assert!(!blocked(Some(1), false));
        assert!(!Facts::default().is_blocked());
    }
}
