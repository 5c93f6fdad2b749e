//! Keeping the item table up to date: the catalogue log, and statistics from the event logs.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use super::FeatureStore;
use crate::Millis;
use crate::items::{CatalogEntry, Change, Counting, Item};
use crate::store::{Error, Key, Kind, Log, LogEntry, Partition};

const PERIOD: Duration = Duration::from_millis(250);
const PAUSE_AFTER_ERROR: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
/// Items read at once.
const READ: usize = 1_024;
/// Rows changed at once while loading: a change copies the shards it touches.
const ROWS: usize = 64 * 1_024;
/// Catalogue entries read at once from each partition.
const ENTRIES: usize = 256;

impl FeatureStore {
    /// Loads the item table, then follows the catalogue and counts events until `stop`.
    ///
    /// Several processes may follow one store: each keeps its own table, and whoever comes first
    /// stores the counts. The table's `as_of` is 0 until it is loaded.
    pub async fn follow_items(
        &self,
        now: impl Fn() -> Millis + Send + 'static,
        stop: impl Future<Output = ()> + Send,
    ) {
        let following = async {
            let mut follower = Follower::new(self.clone());
            loop {
                let pause = match follower.step(now()).await {
                    Ok(()) => PERIOD,
                    Err(error) => {
                        tracing::warn!(%error, "the item table stays as it is");
                        PAUSE_AFTER_ERROR
                    }
                };
                tokio::time::sleep(pause).await;
            }
        };
        tokio::select! {
            () = stop => {}
            () = following => {}
        }
    }
}

struct Follower {
    features: FeatureStore,
    /// The last catalogue entry seen, by partition; `None` until the items are loaded.
    catalog: Option<Vec<(Partition, Log, u64)>>,
    counting: Option<Counting>,
}

impl Follower {
    fn new(features: FeatureStore) -> Self {
        Self {
            features,
            catalog: None,
            counting: None,
        }
    }

    async fn step(&mut self, now: Millis) -> Result<(), Error> {
        let catalog = match &mut self.catalog {
            Some(catalog) => catalog,
            None => self.catalog.insert(load_items(&self.features).await?),
        };
        follow_catalog(&self.features, catalog).await?;
        let closed = now.floor(MINUTE);
        let store = self.features.store();
        let counting = match &mut self.counting {
            Some(counting) => counting,
            None => self
                .counting
                .insert(Counting::load(store.as_ref(), closed).await?),
        };
        if let Some(changed) = counting.catch_up(store.as_ref(), closed).await? {
            let rows = changed
                .into_iter()
                .map(|(item_id, stats)| Change::Stats { item_id, stats });
            self.features.items().change(rows.collect(), Some(closed));
        }
        Ok(())
    }
}

/// Loads all items; returns from where to follow the log, which repeats a few of them.
async fn load_items(features: &FeatureStore) -> Result<Vec<(Partition, Log, u64)>, Error> {
    let store = features.store();
    let logs: Vec<_> = Partition::all()
        .map(|partition| (partition, Log::Catalog))
        .collect();
    let ends = store.log_ends(&logs).await?;
    let mut rows = Vec::new();
    each_item(features, |item, version| {
        rows.push(item_row(item, version));
        if rows.len() >= ROWS {
            features.items().change(std::mem::take(&mut rows), None);
        }
    })
    .await?;
    features.items().change(rows, None);
    let from = logs.into_iter().zip(ends);
    Ok(from
        .map(|((partition, log), end)| (partition, log, end))
        .collect())
}

/// Shows all items, each with its version. One that cannot be read is left out, and logged.
async fn each_item(features: &FeatureStore, mut show: impl FnMut(Item, u64)) -> Result<(), Error> {
    let store = features.store();
    let mut keys = Vec::new();
    for partition in Partition::all() {
        let ids = store.list(partition, Kind::Item).await?;
        let key = |id| Key::new(partition, Kind::Item, id);
        keys.extend(ids.into_iter().map(key));
    }
    for keys in keys.chunks(READ) {
        let values = store.get_many(keys).await?;
        for (key, value) in keys.iter().zip(values) {
            let Some(value) = value else { continue };
            match Item::decode(key, &value.value) {
                Ok(item) => show(item, value.version),
                Err(error) => tracing::error!(%error, "left out an unreadable item"),
            }
        }
    }
    Ok(())
}

impl FeatureStore {
    /// All items as they are stored now. One that cannot be read is left out, and logged.
    pub async fn stored_items(&self) -> Result<Vec<Item>, Error> {
        let mut items = Vec::new();
        each_item(self, |item, _| items.push(item)).await?;
        Ok(items)
    }
}

/// Applies all catalogue entries that came since the last time.
async fn follow_catalog(
    features: &FeatureStore,
    from: &mut [(Partition, Log, u64)],
) -> Result<(), Error> {
    loop {
        let logs = features.store().read_logs(from, ENTRIES).await?;
        let mut rows = Vec::new();
        let mut more = false;
        for ((partition, _, after), entries) in from.iter_mut().zip(&logs) {
            rows.extend(entries.iter().filter_map(|entry| row(*partition, entry)));
            *after = entries.last().map_or(*after, |entry| entry.sequence);
            more |= entries.len() == ENTRIES;
        }
        if !rows.is_empty() {
            features.items().change(rows, None);
        }
        if !more {
            return Ok(());
        }
    }
}

fn row(partition: Partition, entry: &LogEntry) -> Option<Change> {
    let decoded = CatalogEntry::decode(&entry.value);
    if decoded.is_none() {
        let sequence = entry.sequence;
        tracing::error!(%partition, sequence, "skipped an unreadable catalogue entry");
    }
    decoded.map(|decoded| item_row(decoded.item, decoded.version))
}

fn item_row(item: Item, version: u64) -> Change {
    Change::Item {
        item: Arc::new(item),
        version,
    }
}
