//! Forgetting shoppers whom nobody has seen for long.
//!
//! It is an erasure that nobody asked for, and so without a tombstone: nothing is to be refused for
//! good, and what there was to keep of everybody who ever came would never end. Somebody who comes
//! back is somebody new; what they did of old and is sent again makes them known again, and is old at
//! the next look. Whether they are in the holdout is told by a hash of the id, so that stays.

use super::{Ages, Ended, Ender};
use crate::facade::FeatureStore;
use crate::facade::deadlines::Wake;
use crate::facade::person::StoredShopper;
use crate::facade::shoppers::decode;
use crate::store::{Error, Key, Kind, Partition, Place};
use crate::{Millis, Shopper};

/// Values read at once.
const VALUES: usize = 256;

/// Somebody who may be idle.
struct Found {
    id: String,
    read: StoredShopper,
}

impl Ender {
    pub(super) async fn end_idle(&self, now: Millis, ended: &mut Ended) -> Result<(), Error> {
        let Some(span) = self.keep.shoppers else {
            return Ok(());
        };
        let before = now.saturating_sub(span);
        let store = self.features.store();
        let mut from = Some(Place::default());
        while let Some(place) = from {
            let (keys, next) = store.walk(Kind::Shopper, &place, VALUES).await?;
            for some in keys.chunks(VALUES) {
                for Found { id, read } in self.idle(some, before).await? {
                    if self.features.forget(&id, &read, now).await? {
                        *ended.records.entry(Kind::Shopper).or_default() += 1;
                    }
                }
            }
            from = next;
        }
        Ok(())
    }

    /// Those among them whom nobody has seen since `before`, and nobody is to look at.
    async fn idle(&self, keys: &[Key], before: Millis) -> Result<Vec<Found>, Error> {
        let mut found = Vec::new();
        for (key, stored) in self.features.read(keys.to_vec()).await? {
            let shopper = match decode(&key, &stored) {
                Ok(shopper) => shopper,
                Err(error) => {
                    tracing::error!(%error, "left a shopper who may be idle");
                    continue;
                }
            };
            // What somebody else left half done.
            if shopper.erasing.is_some() {
                self.features.finish_erasure(&key.id).await?;
            } else if last_seen(&shopper, &self.ages).is_some_and(|at| at <= before) {
                let read = StoredShopper {
                    version: stored.version,
                    shopper,
                    ..StoredShopper::default()
                };
                found.push(Found { id: key.id, read });
            }
        }
        let looks = found.iter().map(|found| {
            let look = Wake::Shopper(found.id.clone()).to_string();
            (Partition::of(&found.id), look)
        });
        let looks: Vec<_> = looks.collect();
        let due = self.features.store().deadlines(&looks).await?.into_iter();
        let found = found.into_iter().zip(due);
        // A look that nobody has taken for as long is nobody's.
        let idle = found.filter(|(_, due)| due.is_none_or(|at| at <= before));
        Ok(idle.map(|(found, _)| found).collect())
    }
}

/// The newest moment that a value tells of; `None` for one that tells of none, that cannot be read, or
/// that is kept with another id.
fn last_seen(shopper: &Shopper, ages: &Ages) -> Option<Millis> {
    if shopper.moved_to().is_some() {
        return None;
    }
    let mut newest = shopper.newest_moment();
    for (_, section) in shopper.recoveries("") {
        newest = newest.max(Some((ages.section)(section)?));
    }
    newest
}

impl FeatureStore {
    /// Removes all that is known of a person, and the keys of their rows, if the value is still the one
    /// that was read. Says whether it did.
    async fn forget(&self, root: &str, read: &StoredShopper, now: Millis) -> Result<bool, Error> {
        if !read.shopper.links.expected.is_empty() {
            // A link that is half done comes to its end, and is looked at the next time.
            self.settle_expected(root, read).await?;
            return Ok(false);
        }
        let forgetting = read.shopper.to_forget(now);
        if !self.begin_erasure(root, read, &forgetting, now).await? {
            return Ok(false);
        }
        self.finish_erasure(root).await?;
        Ok(true)
    }
}
