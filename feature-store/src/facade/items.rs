//! Changing the catalogue.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::FeatureStore;
use super::ingest::Attempts;
use crate::Millis;
use crate::items::{Availability, CatalogEntry, Change, Item, ItemRejection};
use crate::store::{Commit, CommitOutcome, Error, Key, Kind, Log, Op, Partition, Versioned};

/// One result for each change, in the order given; the outer error is the store's.
type Results = Vec<Result<(), ItemRejection>>;

/// Positions of the changes, by item, by partition.
type Batch = BTreeMap<Partition, BTreeMap<String, Vec<usize>>>;

enum ItemChange {
    Upsert(Item),
    Availability(Availability),
}

impl ItemChange {
    fn item_id(&self) -> &str {
        match self {
            Self::Upsert(item) => &item.item_id,
            Self::Availability(change) => &change.item_id,
        }
    }

    fn validate(&self) -> Result<(), ItemRejection> {
        match self {
            Self::Upsert(item) => item.validate(),
            Self::Availability(change) => change.validate(),
        }
    }

    fn apply(&self, before: Option<&Item>) -> Result<Item, ItemRejection> {
        match (self, before) {
            (Self::Upsert(item), _) => Ok(item.clone()),
            (Self::Availability(change), None) => Err(ItemRejection::unknown(&change.item_id)),
            (Self::Availability(change), Some(before)) => {
                let mut item = before.clone();
                change.apply(&mut item)?;
                Ok(item)
            }
        }
    }
}

impl FeatureStore {
    /// Creates or replaces items. An item that is stored as it is already writes nothing.
    pub async fn upsert_items(&self, items: Vec<Item>, now: Millis) -> Result<Results, Error> {
        self.change_items(items.into_iter().map(ItemChange::Upsert).collect(), now)
            .await
    }

    /// Changes stock, price or availability of items that exist.
    pub async fn set_availability(
        &self,
        changes: Vec<Availability>,
        now: Millis,
    ) -> Result<Results, Error> {
        self.change_items(
            changes.into_iter().map(ItemChange::Availability).collect(),
            now,
        )
        .await
    }

    async fn change_items(&self, changes: Vec<ItemChange>, _now: Millis) -> Result<Results, Error> {
        let mut results: Results = changes.iter().map(ItemChange::validate).collect();
        let mut batch = Batch::new();
        for (position, change) in changes.iter().enumerate() {
            if results.get(position).is_some_and(Result::is_ok) {
                let items = batch.entry(Partition::of(change.item_id())).or_default();
                items
                    .entry(change.item_id().to_owned())
                    .or_default()
                    .push(position);
            }
        }
        let ids = batch.values().flat_map(BTreeMap::keys);
        let _lanes = self.lanes(ids.map(String::as_str)).await;
        let mut attempts = Attempts::default();
        while !batch.is_empty() {
            let changed = self.apply_changes(&changes, &batch, &mut results).await?;
            let (commits, rows): (Vec<_>, Vec<_>) = changed.into_iter().unzip();
            let partitions: Vec<_> = commits.iter().map(|commit| commit.partition).collect();
            let outcomes = self.store().commit(commits).await?;
            let mut conflicts = Vec::new();
            let mut visible = Vec::new();
            for ((partition, rows), outcome) in partitions.into_iter().zip(rows).zip(outcomes) {
                match outcome {
                    CommitOutcome::Done => visible.extend(rows),
                    CommitOutcome::Conflict { .. } => conflicts.push(partition),
                }
            }
            self.items().change(visible, None);
            batch.retain(|partition, _| conflicts.contains(partition));
            if !batch.is_empty() {
                attempts.wait(self.store().name()).await?;
            }
        }
        Ok(results)
    }

    /// Reads the items of a batch and says, for each partition, what to write and which rows of
    /// the table that changes.
    async fn apply_changes(
        &self,
        changes: &[ItemChange],
        batch: &Batch,
        results: &mut Results,
    ) -> Result<Vec<(Commit, Vec<Change>)>, Error> {
        let keys: Vec<_> = batch
            .iter()
            .flat_map(|(partition, items)| items.keys().map(|id| (*partition, id)))
            .map(|(partition, id)| Key::new(partition, Kind::Item, id.clone()))
            .collect();
        let mut stored = keys.iter().zip(self.store().get_many(&keys).await?);
        let mut commits = Vec::new();
        for (partition, items) in batch {
            let mut ops = Vec::new();
            let mut rows = Vec::new();
            for positions in items.values() {
                let Some((key, value)) = stored.next() else {
                    continue;
                };
                let after = fold(key, value.as_ref(), changes, positions, results);
                if let Some(item) = after {
                    let expected = value.map_or(0, |value| value.version);
                    ops.extend(write(key, expected, &item));
                    rows.push(Change::Item {
                        item: Arc::new(item),
                        version: expected + 1,
                    });
                }
            }
            if !ops.is_empty() {
                commits.push((
                    Commit {
                        partition: *partition,
                        ops,
                    },
                    rows,
                ));
            }
        }
        Ok(commits)
    }
}

/// The item after all its changes; `None` if that is what is stored already.
fn fold(
    key: &Key,
    stored: Option<&Versioned>,
    changes: &[ItemChange],
    positions: &[usize],
    results: &mut Results,
) -> Option<Item> {
    let before = stored
        .map(|value| Item::decode(key, &value.value))
        .transpose();
    let mut item = before.as_ref().ok().cloned().flatten();
    for position in positions {
        let (Some(change), Some(result)) = (changes.get(*position), results.get_mut(*position))
        else {
            continue;
        };
        *result = match (&before, change.apply(item.as_ref())) {
            (Err(error), _) => Err(ItemRejection::unreadable(error)),
            (Ok(_), Err(refused)) => Err(refused),
            (Ok(_), Ok(changed)) => {
                item = Some(changed);
                Ok(())
            }
        };
    }
    if before.is_ok_and(|before| before == item) {
        None
    } else {
        item
    }
}

fn write(key: &Key, expected: u64, item: &Item) -> [Op; 2] {
    let put = Op::Put {
        key: key.clone(),
        expected,
        value: item.encode(),
    };
    let append = Op::Append {
        log: Log::Catalog,
        value: CatalogEntry::encode(expected + 1, item),
    };
    [put, append]
}
