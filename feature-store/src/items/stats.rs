//! How an item does.

use std::sync::Arc;

use super::Item;
use crate::Millis;

/// Counts of an item's events.
///
/// They cover the events accepted before `as_of`, the last closed minute, by the time at which
/// they happened: the 24 h counts take whole hours, the hour of `as_of` and the 23 before it, the
/// 30 d counts whole days, the day of `as_of` and the 29 before it. So a window's far end is off
/// by at most one tile.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub struct ItemStats {
    /// Views in 24 h.
    pub views_24h: u64,
    /// Additions to carts in 24 h.
    pub carts_24h: u64,
    /// Purchases in 24 h.
    pub purchases_24h: u64,
    /// Views in 30 d.
    pub views_30d: u64,
    /// Additions to carts in 30 d.
    pub carts_30d: u64,
    /// Purchases in 30 d.
    pub purchases_30d: u64,
    /// The minute before which events are counted.
    pub as_of: Millis,
}

/// What is known of one item.
#[derive(Clone, PartialEq, Debug)]
pub struct ItemRow {
    /// Which item.
    pub item_id: Arc<str>,
    /// What the catalogue says; `None` for an item that was only seen in events.
    pub item: Option<Arc<Item>>,
    /// What the event log says.
    pub stats: ItemStats,
}

impl Default for ItemRow {
    fn default() -> Self {
        Self::new(Arc::from(""))
    }
}

impl ItemRow {
    pub(crate) fn new(item_id: Arc<str>) -> Self {
        Self {
            item_id,
            item: None,
            stats: ItemStats::default(),
        }
    }
}
