//! Ending what lies under an id of its own: decisions, dead letters, codes, links and reports.

use crate::Millis;
use crate::seal::{Opened, Opener, Sealed, sealed_on};
use crate::store::{Commit, CommitOutcome, Error, Key, Kind, Op, Partition, Place, Versioned};

use super::{Ended, Ender};
use crate::facade::FeatureStore;
use crate::facade::person::{TAKEN, taken, taken_on};

/// Records read at once.
const RECORDS: usize = 256;

impl Ender {
    /// Of decisions and dead letters of a partition.
    pub(super) async fn end_listed(
        &self,
        partition: Partition,
        now: Millis,
        ended: &mut Ended,
    ) -> Result<(), Error> {
        let kinds = [
            (Kind::Decision, self.keep.decisions),
            (Kind::DeadLetter, self.keep.outbox),
        ];
        for (kind, span) in kinds {
            let Some(span) = span else { continue };
            let before = now.saturating_sub(span);
            let ids = self.features.store().list(partition, kind).await?;
            for some in ids.chunks(RECORDS) {
                let keys = some.iter().map(|id| Key::new(partition, kind, id));
                let read = self.features.read(keys.collect()).await?;
                let is_old = |stored: &Versioned| {
                    // By the end of its day.
                    let on = sealed_on(&stored.value).map(end_of_day);
                    Ok(on.is_some_and(|on| on <= before))
                };
                self.features.remove(kind, read, is_old, ended).await?;
            }
        }
        Ok(())
    }

    /// Of codes and links: those that expired long enough ago, and those that stand for nothing since
    /// their shopper was erased.
    pub(super) async fn end_codes(&self, now: Millis, ended: &mut Ended) -> Result<(), Error> {
        let Some(span) = self.keep.codes else {
            return Ok(());
        };
        let before = now.saturating_sub(span);
        for kind in [Kind::Coupon, Kind::StoredCart] {
            let Some(what) = Sealed::of_kind(kind) else {
                continue;
            };
            let mut from = Some(Place::default());
            while let Some(place) = from {
                let (keys, next) = self.features.store().walk(kind, &place, RECORDS).await?;
                let read = self.features.read(keys).await?;
                let mut opener = Opener::default();
                let sealed = read.iter().map(|(_, stored)| &stored.value);
                opener.learn(self.features.store().as_ref(), sealed).await?;
                let is_old = |stored: &Versioned| {
                    Ok(match opener.open(what, &stored.value)? {
                        Opened::Erased => true,
                        Opened::Row(row) => {
                            let expired = (self.ages.expiry)(kind, &row);
                            expired.is_some_and(|at| at <= before)
                        }
                    })
                };
                self.features.remove(kind, read, is_old, ended).await?;
                from = next;
            }
        }
        Ok(())
    }

    /// Of reports that were taken. Those that were taken before the day was kept are old from the day
    /// on that they are met.
    pub(super) async fn end_reports(&self, now: Millis, ended: &mut Ended) -> Result<(), Error> {
        let Some(span) = self.keep.reports else {
            return Ok(());
        };
        let before = now.saturating_sub(span);
        let mut from = Some(Place::default());
        while let Some(place) = from {
            let store = self.features.store();
            let (keys, next) = store.walk(Kind::Outcome, &place, RECORDS).await?;
            let read = self.features.read(keys).await?;
            let undated = read.iter().filter(|(_, stored)| *stored.value == *TAKEN);
            let undated = undated.map(|(key, stored)| Commit {
                partition: key.partition,
                ops: vec![Op::Put {
                    key: key.clone(),
                    expected: stored.version,
                    value: taken(now),
                }],
            });
            let undated: Vec<Commit> = undated.collect();
            if !undated.is_empty() {
                store.commit(undated).await?;
            }
            let is_old = |stored: &Versioned| {
                let on = taken_on(&stored.value).map(end_of_day);
                Ok(on.is_some_and(|on| on <= before))
            };
            self.features
                .remove(Kind::Outcome, read, is_old, ended)
                .await?;
            from = next;
        }
        Ok(())
    }
}

fn end_of_day(day: Millis) -> Millis {
    Millis(day.0.saturating_add(Millis::DAY))
}

impl FeatureStore {
    /// What there is under these keys.
    pub(super) async fn read(&self, keys: Vec<Key>) -> Result<Vec<(Key, Versioned)>, Error> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let values = self.store().get_many(&keys).await?;
        let read = keys.into_iter().zip(values);
        Ok(read
            .filter_map(|(key, stored)| Some((key, stored?)))
            .collect())
    }

    /// Removes those that are old, if they still are what was read. One that cannot be opened stays,
    /// and is logged.
    async fn remove(
        &self,
        kind: Kind,
        read: Vec<(Key, Versioned)>,
        is_old: impl Fn(&Versioned) -> Result<bool, Error>,
        ended: &mut Ended,
    ) -> Result<(), Error> {
        let commits = read.into_iter().filter_map(|(key, stored)| {
            let old = is_old(&stored);
            let old = old.inspect_err(|error| tracing::error!(%error, "left what may be old"));
            let partition = key.partition;
            let expected = stored.version;
            let ops = vec![Op::Delete { key, expected }];
            old.is_ok_and(|old| old)
                .then_some(Commit { partition, ops })
        });
        let commits: Vec<Commit> = commits.collect();
        if commits.is_empty() {
            return Ok(());
        }
        let done = self.store().commit(commits).await?;
        let done = done.iter().filter(|one| **one == CommitOutcome::Done);
        let done = u64::try_from(done.count()).unwrap_or(u64::MAX);
        if done > 0 {
            *ended.records.entry(kind).or_default() += done;
        }
        Ok(())
    }
}
