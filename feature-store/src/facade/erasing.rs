//! Erasing a person: a saga over the values of all their ids, resumed by whoever meets it half done.
//!
//! 1. The person's value gives up all that is known and keeps what is left to remove: ids and keys.
//!    From this commit on nobody reads anything of the person, and whatever was about to be written
//!    on the value as it was conflicts. In the same commit a deadline is set that brings the saga
//!    back.
//! 2. In each other partition, in one commit: the values of the other ids, their looks and their keys
//!    go; tombstones stay, in the log of erasures as well.
//! 3. The person's own partition the same way, and with it the value and the deadline.
//!
//! Whoever is forgotten, since nobody has seen them for long, goes the same way, and leaves no
//! tombstone.
//!
//! A tombstone keeps the last version of the value that it stands for, and a new value begins above
//! it: what somebody read before the erasure is never written over what came after.

use std::collections::BTreeMap;

use super::FeatureStore;
use super::StoredShopper;
use super::deadlines::Wake;
use super::identity::{check_id, wake as link_wake};
use super::ingest::Attempts;
use super::tombstones::{Begins, Grave};
use crate::erasure::MacKey;
use crate::state::Removed;
use crate::state::erasing::Erasing;
use crate::store::{Commit, CommitOutcome, Error, Key, Log, Op, Partition, Versioned};
use crate::{Millis, Rejection, Shopper, Tombstone};
use bytes::Bytes;

/// So long after it began an erasure is brought to its end by whoever sweeps.
const RESUMED_AFTER: std::time::Duration = std::time::Duration::from_secs(10);

/// An erasure that is done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Erased {
    /// What occurred before is nobody's.
    pub at: Millis,
    /// What was removed, then.
    pub removed: Removed,
    /// False when it was done before, and nothing was known since.
    pub changed: bool,
}

impl FeatureStore {
    /// Removes all that is known of a person, under all of their ids, and destroys the keys that rows
    /// of any log are sealed with. The same again changes nothing. What occurs under an id from `now`
    /// on makes somebody new; what occurred before is refused.
    pub async fn erase(
        &self,
        shopper: &str,
        now: Millis,
    ) -> Result<Result<Erased, Rejection>, Error> {
        if let Err(refused) = check_id("shopper_id", shopper) {
            return Ok(Err(refused));
        }
        let mut attempts = Attempts::default();
        loop {
            let (root, read) = self.person(shopper).await?;
            if read.version == 0 {
                if let Some(done) = self.erase_nobody(shopper, &read, now).await? {
                    return Ok(Ok(done));
                }
            } else if !self.settle_expected(&root, &read).await? {
                let erasing = read.shopper.to_erase(now);
                let removed = erasing.erasing.as_ref().map(|erasing| erasing.removed);
                if self.begin_erasure(&root, &read, &erasing, now).await? {
                    self.finish_erasure(&root).await?;
                    return Ok(Ok(Erased {
                        at: now,
                        removed: removed.unwrap_or_default(),
                        changed: true,
                    }));
                }
            }
            attempts.wait(self.store().name()).await?;
        }
    }

    /// The first commit; says whether it was made.
    pub(super) async fn begin_erasure(
        &self,
        root: &str,
        read: &StoredShopper,
        erasing: &Shopper,
        now: Millis,
    ) -> Result<bool, Error> {
        let key = Key::shopper(root);
        self.commit_step(&key, begin(&key, read, erasing, now))
            .await
    }

    /// Of an id without a value only the tombstone is missing: what is known of it elsewhere, and what
    /// is sent of it late, is erased as well.
    async fn erase_nobody(
        &self,
        shopper: &str,
        read: &StoredShopper,
        now: Millis,
    ) -> Result<Option<Erased>, Error> {
        if let Some(grave) = read.begins.grave {
            return Ok(Some(Erased {
                at: grave.erased_at,
                removed: grave.removed,
                changed: false,
            }));
        }
        let key = Key::shopper(shopper);
        let mut ops = vec![Op::Expect {
            key: key.clone(),
            expected: 0,
        }];
        let grave = Grave {
            erased_at: now,
            ..Grave::default()
        };
        let mac_key = self.mac_key().await?;
        ops.extend(bury(&mac_key, shopper, &read.begins, grave));
        let done = self.commit_step(&key, ops).await?;
        Ok(done.then_some(Erased {
            at: now,
            removed: Removed::default(),
            changed: true,
        }))
    }

    /// Links that are on their way come to their end first: whose state arrives is erased as well.
    /// Says whether there was anything to do.
    pub(super) async fn settle_expected(
        &self,
        root: &str,
        read: &StoredShopper,
    ) -> Result<bool, Error> {
        let mut did = false;
        for expected in &read.shopper.links.expected {
            did |= self.settle(root, &expected.id).await?.is_ok_and(|did| did);
        }
        Ok(did)
    }

    /// Brings an erasure to its end, wherever it stands. For a value that is not being erased nothing
    /// happens.
    pub(super) async fn finish_erasure(&self, root: &str) -> Result<(), Error> {
        let mac_key = self.mac_key().await?;
        let mut attempts = Attempts::default();
        loop {
            let read = self.values_as_stored(&[root]).await?.pop();
            let Some(StoredShopper {
                version, shopper, ..
            }) = read
            else {
                return Ok(());
            };
            let Some(erasing) = shopper.erasing else {
                return Ok(());
            };
            let work = Work {
                root,
                version,
                erasing: &erasing,
                mac_key: &mac_key,
            };
            let found = self.find_left(&work).await?;
            let own = Partition::of(root);
            let mut by_partition = work.elsewhere(&found);
            let mut last = by_partition.remove(&own).unwrap_or_default();
            last.extend(work.last(&found));
            let commits = by_partition.into_iter();
            let commits = commits.map(|(partition, ops)| Commit { partition, ops });
            let done = self.store().commit(commits.collect()).await?;
            if done.iter().all(|one| *one == CommitOutcome::Done)
                && self.commit_step(&Key::shopper(root), last).await?
            {
                return Ok(());
            }
            attempts.wait(self.store().name()).await?;
        }
    }

    async fn find_left(&self, work: &Work<'_>) -> Result<Left, Error> {
        let erasing = work.erasing;
        let ids: Vec<&str> = erasing.ids.iter().map(|one| one.id.as_str()).collect();
        let values = self.values_as_stored(&ids).await?;
        let with_root: Vec<&str> = ids.iter().copied().chain([work.root]).collect();
        let begins = self.begins(&with_root).await?;
        let keys: Vec<Key> = erasing.keys.iter().filter_map(|id| id.key()).collect();
        let stored = match keys.is_empty() {
            true => Vec::new(),
            false => self.store().get_many(&keys).await?,
        };
        let keys = keys.into_iter().zip(stored);
        let present = |(key, stored): (Key, Option<Versioned>)| Some((key, stored?.version));
        Ok(Left {
            values,
            begins,
            keys: keys.filter_map(present).collect(),
        })
    }

    /// A deadline of an erasure came due: whoever began it did not end it.
    pub(super) async fn resume_erasure(&self, id: &str) -> Result<bool, Error> {
        let Some(root) = id.strip_prefix(ERASE) else {
            return Ok(false);
        };
        self.finish_erasure(root).await?;
        let read = self.values_as_stored(&[root]).await?.pop();
        let key = Key::shopper(root);
        let stands = Op::Expect {
            key: key.clone(),
            expected: read.map_or(0, |read| read.version),
        };
        let over = Op::Cancel { id: id.to_owned() };
        self.commit_step(&key, vec![stands, over]).await?;
        Ok(true)
    }
}

const ERASE: &str = "erase:";

/// The deadline of an erasure lies with the person's value.
fn wake(root: &str) -> String {
    format!("{ERASE}{root}")
}

/// The first commit.
fn begin(key: &Key, read: &StoredShopper, erasing: &Shopper, now: Millis) -> Vec<Op> {
    let root = &key.id;
    let mut ops = read.put(key, erasing);
    let look = Wake::Shopper(root.clone()).to_string();
    ops.push(Op::Cancel { id: look });
    let links = &read.shopper.links;
    let expected = links.expected.iter().map(|expected| &expected.id);
    let linked = links.parts.iter().map(|part| &part.id);
    for other in expected.chain(linked) {
        let id = link_wake(root, other);
        ops.push(Op::Cancel { id });
    }
    ops.push(Op::Schedule {
        id: wake(root),
        due_at: now.saturating_add(RESUMED_AFTER),
    });
    ops
}

/// An erasure that was begun.
struct Work<'a> {
    root: &'a str,
    version: u64,
    erasing: &'a Erasing,
    mac_key: &'a MacKey,
}

/// What was found of what there is to remove.
struct Left {
    /// Of the other ids, in their order.
    values: Vec<StoredShopper>,
    /// Of the other ids, in their order, and of the person's.
    begins: Vec<Begins>,
    /// Keys that are there, and their versions.
    keys: Vec<(Key, u64)>,
}

impl Work<'_> {
    /// What is to be done about the other ids and the keys, by partition.
    fn elsewhere(&self, left: &Left) -> BTreeMap<Partition, Vec<Op>> {
        let mut by_partition: BTreeMap<Partition, Vec<Op>> = BTreeMap::new();
        let others = self.erasing.ids.iter().zip(&left.values).zip(&left.begins);
        for ((erased, value), begins) in others {
            let key = Key::shopper(&erased.id);
            let ops = by_partition.entry(key.partition).or_default();
            let is_ours = value.shopper.moved_to() == Some(self.root);
            match erased.apart_since {
                // The unlinking was not done yet: the id begins anew, by itself.
                Some(since) if is_ours => ops.extend(value.put(&key, &Shopper::apart_since(since))),
                Some(_) => {}
                None => ops.extend(self.remove(&key, is_ours.then_some(value.version), begins)),
            }
        }
        for (key, expected) in &left.keys {
            let ops = by_partition.entry(key.partition).or_default();
            ops.push(Op::Delete {
                key: key.clone(),
                expected: *expected,
            });
        }
        by_partition.retain(|_, ops| !ops.is_empty());
        by_partition
    }

    /// The person's own id, and what is told only once.
    fn last(&self, left: &Left) -> Vec<Op> {
        let key = Key::shopper(self.root);
        let begins = left.begins.last().cloned().unwrap_or_default();
        let mut ops = self.remove(&key, Some(self.version), &begins);
        let told = self.erasing.ids.iter().filter(|_| !self.erasing.forgotten);
        for erased in told {
            ops.extend(erased.apart_since.map(|since| {
                let shopper = self.mac_key.of(&erased.id);
                tell(Tombstone {
                    shopper,
                    erased_at: since,
                })
            }));
        }
        ops.push(Op::Cancel {
            id: wake(self.root),
        });
        ops
    }

    /// Removes the value of this version, if there is one, and leaves a tombstone, if that is not done.
    fn remove(&self, key: &Key, version: Option<u64>, begins: &Begins) -> Vec<Op> {
        let (grave, forgotten) = (begins.grave, self.erasing.forgotten);
        let is_done = forgotten || grave.is_some_and(|grave| grave.erased_at >= self.erasing.at);
        if is_done && version.is_none() {
            return Vec::new();
        }
        let mut ops = Vec::new();
        ops.extend(version.map(|expected| Op::Delete {
            key: key.clone(),
            expected,
        }));
        let look = Wake::Shopper(key.id.clone()).to_string();
        ops.push(Op::Cancel { id: look });
        let before = grave.map_or(0, |grave| grave.versions);
        let versions = before.max(version.unwrap_or(0));
        if forgotten {
            // Who was erased before stays so.
            let grave = grave.map(|grave| Grave { versions, ..grave });
            ops.extend(grave.and_then(|grave| begins.bury(grave.encode())));
            return ops;
        }
        let grave = Grave {
            erased_at: self.erasing.at,
            versions,
            removed: self.erasing.removed,
        };
        ops.extend(bury(self.mac_key, &key.id, begins, grave));
        ops
    }
}

/// The tombstone of an id, under the id's hash and in the log.
fn bury(mac_key: &MacKey, id: &str, begins: &Begins, grave: Grave) -> Vec<Op> {
    let tombstone = Tombstone {
        shopper: mac_key.of(id),
        erased_at: grave.erased_at,
    };
    let put = begins.bury(grave.encode());
    put.into_iter().chain([tell(tombstone)]).collect()
}

fn tell(tombstone: Tombstone) -> Op {
    Op::Append {
        log: Log::Erasures,
        value: Bytes::from(tombstone.encode()),
    }
}
