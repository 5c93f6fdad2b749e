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
            let catalog = load_catalog(self).await;
            // Counting a busy minute takes a while, which no price is to wait for.
            tokio::join!(follow_catalog(self, catalog), count_events(self, now));
        };
        tokio::select! {
            () = stop => {}
            () = following => {}
        }
    }
}

/// The last catalogue entry seen, by partition.
type Catalog = Vec<(Partition, Log, u64)>;

/// Loads the items, as soon as the store allows it.
async fn load_catalog(features: &FeatureStore) -> Catalog {
    loop {
        match load_items(features).await {
            Ok(catalog) => return catalog,
            Err(error) => pause_after(Err(error)).await,
        }
    }
}

async fn follow_catalog(features: &FeatureStore, mut catalog: Catalog) {
    loop {
        pause_after(catch_up(features, &mut catalog).await).await;
    }
}

async fn count_events(features: &FeatureStore, now: impl Fn() -> Millis) {
    let mut counting = None;
    loop {
        let counted = count_closed(features, &mut counting, now().floor(MINUTE)).await;
        pause_after(counted).await;
    }
}

async fn pause_after(step: Result<(), Error>) {
    let pause = match step {
        Ok(()) => PERIOD,
        Err(error) => {
            tracing::warn!(%error, "the item table stays as it is");
            PAUSE_AFTER_ERROR
        }
    };
    tokio::time::sleep(pause).await;
}

/// Counts the events of the minutes closed, and shows the items' statistics up to then.
async fn count_closed(
    features: &FeatureStore,
    counting: &mut Option<Counting>,
    closed: Millis,
) -> Result<(), Error> {
    let store = features.store();
    let counting = match counting {
        Some(counting) => counting,
        None => counting.insert(Counting::load(store.as_ref(), closed).await?),
    };
    if let Some(changed) = counting.catch_up(store.as_ref(), closed).await? {
        let rows = changed
            .into_iter()
            .map(|(item_id, stats)| Change::Stats { item_id, stats });
        features.items().change(rows.collect(), Some(closed));
    }
    Ok(())
}

/// Loads all items; returns from where to follow the log, which repeats a few of them.
async fn load_items(features: &FeatureStore) -> Result<Catalog, Error> {
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
async fn catch_up(features: &FeatureStore, from: &mut Catalog) -> Result<(), Error> {
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
