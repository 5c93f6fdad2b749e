//! The feature store: events in, views, items and decisions out, on either store.

mod budgets;
mod deadlines;
mod decisions;
mod erasing;
mod erasures;
mod exporting;
mod following;
mod history;
mod identity;
mod ingest;
mod issued;
mod items;
mod lanes;
mod letters;
mod opening;
mod outbox;
mod person;
mod policies;
mod retention;
mod shoppers;
mod tombstones;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{MutexGuard, OnceCell};
use tracing::Span;

use self::lanes::Lanes;
use crate::MacKey;
use crate::items::ItemTable;
use crate::store::{Key, Observed, Observer, Store};

pub use budgets::Swapped;
pub use deadlines::Wake;
pub use decisions::FoundDecision;
pub use erasing::Erased;
pub use erasures::ErasuresRead;
pub use exporting::{Exported, Exporter};
pub use identity::{LinkRefusal, Linked};
pub use issued::{Issued, StoredIssue};
pub use letters::DeadLetter;
pub use outbox::{Delivery, Reader};
pub use person::{Changed, Look, NewOutcome, ShopperChange, StoredShopper};
pub use retention::{Ages, Ended, Ender, Retention};

/// What the feature store does by itself.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How long after a shopper's last act somebody looks first whether they have left: as short as
    /// the shortest idle time of any policy in use. 10 minutes.
    pub idle: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            idle: Duration::from_secs(10 * 60),
        }
    }
}

/// Everything that serving needs to know of shoppers and items. Cheap to clone.
#[derive(Clone, Debug)]
pub struct FeatureStore {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    store: Arc<dyn Store>,
    settings: Settings,
    items: Arc<ItemTable>,
    lanes: Arc<Lanes>,
    /// Read once.
    mac_key: Arc<OnceCell<MacKey>>,
}

impl FeatureStore {
    /// A feature store over `store`. Its item table is empty until
    /// [`FeatureStore::follow_items`] runs.
    pub fn new(store: Arc<dyn Store>, settings: Settings) -> Self {
        Self {
            inner: Arc::new(Inner {
                store,
                settings,
                items: Arc::new(ItemTable::new()),
                lanes: Arc::new(Lanes::new()),
                mac_key: Arc::default(),
            }),
        }
    }

    /// The same store, items and lanes; `observer` is told of the calls that are made through this
    /// one. Roles that share a store each see their own.
    #[must_use]
    pub fn observed(&self, observer: Arc<dyn Observer>) -> Self {
        let inner = &self.inner;
        Self {
            inner: Arc::new(Inner {
                store: Arc::new(Observed::new(inner.store.clone(), observer)),
                settings: inner.settings.clone(),
                items: inner.items.clone(),
                lanes: inner.lanes.clone(),
                mac_key: inner.mac_key.clone(),
            }),
        }
    }

    /// The items, in memory.
    pub fn items(&self) -> &Arc<ItemTable> {
        &self.inner.items
    }

    /// The store underneath.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.inner.store
    }

    /// The stage of reading these keys from the store.
    fn reading(&self, keys: &[Key]) -> Span {
        let (store, keys) = (self.store().name(), keys.len());
        tracing::info_span!(target: crate::STAGE, "read", store, keys)
    }

    /// The stage of writing to so many partitions of the store.
    fn writing(&self, partitions: usize) -> Span {
        let store = self.store().name();
        tracing::info_span!(target: crate::STAGE, "write", store, partitions)
    }

    /// Lets nobody else of this process write the values of these ids.
    async fn lanes(&self, ids: impl Iterator<Item = &str>) -> Vec<MutexGuard<'_, ()>> {
        self.inner.lanes.hold(ids).await
    }
}
