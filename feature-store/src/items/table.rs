//! The item table that every role keeps in memory.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use tokio::sync::broadcast;
use xxhash_rust::xxh3::{Xxh3DefaultBuilder, xxh3_64};

use super::{Item, ItemRow, ItemStats};
use crate::Millis;

const SHARDS: usize = 64;
const CHANGES_KEPT: usize = 1_024;

type Shard = HashMap<Arc<str>, Slot, Xxh3DefaultBuilder>;

/// One change of the table.
#[derive(Clone, PartialEq, Debug)]
pub enum ItemUpdate {
    /// What the catalogue says of an item now.
    Item(Item),
    /// How an item does now.
    Stats {
        /// Which item.
        item_id: String,
        /// Its counts.
        stats: ItemStats,
    },
}

/// A row and the version of its item in the store; 0 when the row came without one.
#[derive(Clone)]
struct Slot {
    version: u64,
    row: Arc<ItemRow>,
}

/// A change as the table makes it.
pub(crate) enum Change {
    Item { item: Arc<Item>, version: u64 },
    Stats { item_id: Arc<str>, stats: ItemStats },
}

/// Every item, in memory.
///
/// A read takes no lock: it loads a pointer, looks up one hash map and clones an `Arc`. A batch of
/// changes copies the shards it touches (for a million items about half a millisecond each) and
/// swaps them in, so bring changes in batches. Rows carry the table's `as_of`, which moves on each
/// closed minute: a row whose counts did not change is stamped when it is read.
pub struct ItemTable {
    shards: Vec<ArcSwap<Shard>>,
    rows: AtomicUsize,
    as_of: AtomicI64,
    writer: Mutex<()>,
    changes: broadcast::Sender<Arc<[Arc<str>]>>,
}

impl Default for ItemTable {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for ItemTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ItemTable")
            .field("rows", &self.len())
            .field("as_of", &self.as_of())
            .finish_non_exhaustive()
    }
}

impl ItemTable {
    /// An empty table.
    pub fn new() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| ArcSwap::default()).collect(),
            rows: AtomicUsize::new(0),
            as_of: AtomicI64::new(0),
            writer: Mutex::new(()),
            changes: broadcast::Sender::new(CHANGES_KEPT),
        }
    }

    /// The row of an item; `None` if neither the catalogue nor the event log knows it.
    pub fn get(&self, item_id: &str) -> Option<Arc<ItemRow>> {
        let shard = self.shards.get(shard_of(item_id))?.load();
        let slot = shard.get(item_id)?;
        Some(self.stamped(&slot.row))
    }

    /// What `take` makes of the row as it is stored, of an empty one where there is none: its
    /// counts are right, and their `as_of` may be that of an earlier minute. Costs no copy.
    pub fn read<T: Default>(&self, item_id: &str, take: impl FnOnce(&ItemRow) -> T) -> T {
        let Some(shard) = self.shards.get(shard_of(item_id)) else {
            return T::default();
        };
        let shard = shard.load();
        shard
            .get(item_id)
            .map(|slot| take(&slot.row))
            .unwrap_or_default()
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.rows.load(Ordering::Relaxed)
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The minute before which the events in every row's counts were accepted.
    pub fn as_of(&self) -> Millis {
        Millis(self.as_of.load(Ordering::Acquire))
    }

    /// Every row, sorted by item id. Subscribe first to miss nothing in between.
    pub fn snapshot(&self) -> Vec<Arc<ItemRow>> {
        let mut rows: Vec<_> = self
            .shards
            .iter()
            .flat_map(|shard| {
                let shard = shard.load();
                shard
                    .values()
                    .map(|slot| self.stamped(&slot.row))
                    .collect::<Vec<_>>()
            })
            .collect();
        rows.sort_unstable_by(|a, b| a.item_id.cmp(&b.item_id));
        rows
    }

    /// The ids of the rows that change from now on, sorted within each batch. Each closed minute
    /// brings a batch of at least one id, so that `as_of` travels too. A receiver that lags by
    /// more than 1,024 batches is told so and starts again from [`ItemTable::snapshot`].
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<[Arc<str>]>> {
        self.changes.subscribe()
    }

    /// Makes changes that came from another table, in their order.
    pub fn apply(&self, updates: Vec<ItemUpdate>) {
        let as_of = updates.iter().filter_map(ItemUpdate::as_of).max();
        let changes = updates.into_iter().map(Change::from).collect();
        self.change(changes, as_of);
    }

    /// Makes changes and moves `as_of` forward. An item older than the one in the row is skipped.
    pub(crate) fn change(&self, changes: Vec<Change>, as_of: Option<Millis>) {
        let _writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let mut changed = BTreeSet::new();
        for (shard, changes) in by_shard(changes) {
            let Some(shard) = self.shards.get(shard) else {
                continue;
            };
            let mut next = Shard::clone(&shard.load());
            let before = next.len();
            changed.extend(
                changes
                    .into_iter()
                    .filter_map(|change| change.make(&mut next)),
            );
            self.rows.fetch_add(next.len() - before, Ordering::Relaxed);
            shard.store(Arc::new(next));
        }
        if self.advance(as_of) && changed.is_empty() {
            changed.extend(self.any_id());
        }
        if !changed.is_empty() {
            // Nobody listening is not an error.
            let _ = self.changes.send(changed.into_iter().collect());
        }
    }

    fn advance(&self, as_of: Option<Millis>) -> bool {
        as_of.is_some_and(|as_of| self.as_of.fetch_max(as_of.0, Ordering::AcqRel) < as_of.0)
    }

    fn any_id(&self) -> Option<Arc<str>> {
        let mut shards = self.shards.iter();
        shards.find_map(|shard| shard.load().keys().min().cloned())
    }

    fn stamped(&self, row: &Arc<ItemRow>) -> Arc<ItemRow> {
        let as_of = self.as_of();
        if row.stats.as_of == as_of {
            return Arc::clone(row);
        }
        let mut stamped = ItemRow::clone(row);
        stamped.stats.as_of = as_of;
        Arc::new(stamped)
    }
}

impl ItemUpdate {
    fn as_of(&self) -> Option<Millis> {
        match self {
            Self::Item(_) => None,
            Self::Stats { stats, .. } => Some(stats.as_of),
        }
    }
}

impl From<ItemUpdate> for Change {
    fn from(update: ItemUpdate) -> Self {
        match update {
            ItemUpdate::Item(item) => Self::Item {
                item: Arc::new(item),
                version: 0,
            },
            ItemUpdate::Stats { item_id, stats } => Self::Stats {
                item_id: item_id.into(),
                stats,
            },
        }
    }
}

impl Change {
    fn item_id(&self) -> &str {
        match self {
            Self::Item { item, .. } => &item.item_id,
            Self::Stats { item_id, .. } => item_id,
        }
    }

    /// Makes the change and returns the id of the row, unless it changed nothing.
    fn make(self, shard: &mut Shard) -> Option<Arc<str>> {
        let known = shard.get(self.item_id());
        let (id, mut slot) = match known {
            Some(slot) => (Arc::clone(&slot.row.item_id), slot.clone()),
            None => Slot::empty(self.item_id()),
        };
        let mut row = ItemRow::clone(&slot.row);
        match self {
            // The catalogue log is read after the items: it repeats some that are newer already.
            Self::Item { version, .. } if version > 0 && version <= slot.version => return None,
            Self::Item { item, version } => {
                slot.version = version;
                row.item = Some(item);
            }
            Self::Stats { stats, .. } => row.stats = stats,
        }
        slot.row = Arc::new(row);
        shard.insert(Arc::clone(&id), slot);
        Some(id)
    }
}

impl Slot {
    fn empty(item_id: &str) -> (Arc<str>, Self) {
        let id: Arc<str> = Arc::from(item_id);
        let row = Arc::new(ItemRow::new(Arc::clone(&id)));
        (id, Self { version: 0, row })
    }
}

fn shard_of(item_id: &str) -> usize {
    usize::try_from(xxh3_64(item_id.as_bytes()) >> 58).unwrap_or_default()
}

fn by_shard(changes: Vec<Change>) -> BTreeMap<usize, Vec<Change>> {
    let mut shards = BTreeMap::<_, Vec<_>>::new();
    for change in changes {
        shards
            .entry(shard_of(change.item_id()))
            .or_default()
            .push(change);
    }
    shards
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(id: &str, price_minor: i64) -> Item {
        Item {
            item_id: id.to_owned(),
            price_minor,
            ..Item::default()
        }
    }

    fn stored(id: &str, price_minor: i64, version: u64) -> Change {
        Change::Item {
            item: Arc::new(item(id, price_minor)),
            version,
        }
    }

    fn viewed(id: &str, views: u64, as_of: i64) -> ItemUpdate {
        let stats = ItemStats {
            views_24h: views,
            as_of: Millis(as_of),
            ..ItemStats::default()
        };
        ItemUpdate::Stats {
            item_id: id.to_owned(),
            stats,
        }
    }

    fn price(table: &ItemTable, id: &str) -> Option<i64> {
        Some(table.get(id)?.item.as_ref()?.price_minor)
    }

    #[test]
    fn keeps_what_the_catalogue_and_what_the_log_say() {
        let table = ItemTable::new();
        table.apply(vec![ItemUpdate::Item(item("a", 5)), viewed("a", 3, 60_000)]);
        table.apply(vec![viewed("b", 1, 60_000)]);
        let row = table.get("a").expect("is there");
        assert_eq!((price(&table, "a"), row.stats.views_24h), (Some(5), 3));
        assert_eq!(price(&table, "b"), None);
        assert_eq!(table.len(), 2);
        assert!(table.get("c").is_none());
    }

    #[test]
    fn never_goes_back_to_an_older_item() {
        let table = ItemTable::new();
        table.change(vec![stored("a", 20, 2)], None);
        table.change(vec![stored("a", 10, 1)], None);
        assert_eq!(price(&table, "a"), Some(20));
        table.change(vec![stored("a", 30, 3)], None);
        assert_eq!(price(&table, "a"), Some(30));
    }

    #[test]
    fn stamps_rows_that_did_not_change() {
        let table = ItemTable::new();
        table.apply(vec![viewed("a", 3, 60_000)]);
        table.apply(vec![viewed("b", 1, 120_000)]);
        let row = table.get("a").expect("is there");
        assert_eq!((row.stats.views_24h, row.stats.as_of), (3, Millis(120_000)));
        assert!(
            table
                .snapshot()
                .iter()
                .all(|row| row.stats.as_of == Millis(120_000))
        );
    }

    #[test]
    fn snapshots_are_sorted_by_id() {
        let table = ItemTable::new();
        let updates = (0..500)
            .rev()
            .map(|n| ItemUpdate::Item(item(&format!("{n:04}"), n)));
        table.apply(updates.collect());
        let ids: Vec<_> = table
            .snapshot()
            .iter()
            .map(|row| row.item_id.to_string())
            .collect();
        assert_eq!(ids.len(), 500);
        assert!(ids.is_sorted());
    }

    #[test]
    fn tells_subscribers_what_changed() {
        let table = ItemTable::new();
        let mut changes = table.subscribe();
        table.apply(vec![
            ItemUpdate::Item(item("b", 1)),
            ItemUpdate::Item(item("a", 1)),
        ]);
        let ids = changes.try_recv().expect("was told");
        assert_eq!(ids.iter().map(|id| &**id).collect::<Vec<_>>(), ["a", "b"]);
        table.change(Vec::new(), Some(Millis(60_000)));
        assert_eq!(changes.try_recv().expect("as_of travels").len(), 1);
        table.change(vec![], Some(Millis(60_000)));
        assert!(changes.try_recv().is_err());
    }
}
