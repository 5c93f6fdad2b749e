//! The texts of policies, each kept once under its hash, so that what was decided by one can be
//! decided again; and the whole of a log.

use bytes::Bytes;

use super::FeatureStore;
use super::shoppers::{commit_one, read_one};
use crate::store::{Error, Key, Kind, Log, Op, Partition};

/// Entries read at once from each partition, and partitions read at once.
const ENTRIES: usize = 512;
const PARTITIONS_AT_ONCE: usize = 64;

impl FeatureStore {
    /// Keeps a policy's text under its id and in the log of policies, unless it is there.
    pub async fn keep_policy(&self, id: &str, text: Bytes) -> Result<(), Error> {
        let key = policy_key(id);
        let put = Op::Put {
            key: key.clone(),
            expected: 0,
            value: text.clone(),
        };
        let append = Op::Append {
            log: Log::Policies,
            value: text,
        };
        // A conflict says that it is there.
        commit_one(self, key.partition, vec![put, append]).await?;
        Ok(())
    }

    /// The text of a policy.
    pub async fn policy(&self, id: &str) -> Result<Option<Bytes>, Error> {
        let read = read_one(self, &policy_key(id)).await?;
        Ok(read.map(|stored| stored.value))
    }

    /// Hands every entry of a log that is there as the reading begins to `take`; those of a partition
    /// come in the order of its log. The first error of `take` ends the reading.
    pub async fn read_whole_log<E>(
        &self,
        log: Log,
        mut take: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<Result<(), E>, Error> {
        let logs: Vec<_> = Partition::all().map(|partition| (partition, log)).collect();
        let ends = self.store().log_ends(&logs).await?;
        let mut left: Vec<(Partition, u64, u64)> = Partition::all()
            .zip(ends)
            .filter(|(_, end)| *end > 0)
            .map(|(partition, end)| (partition, 0, end))
            .collect();
        while !left.is_empty() {
            let now: Vec<_> = left.iter().take(PARTITIONS_AT_ONCE).collect();
            let from: Vec<_> = now
                .iter()
                .map(|(partition, after, _)| (*partition, log, *after))
                .collect();
            let read = self.store().read_logs(&from, ENTRIES).await?;
            for ((_, after, end), entries) in left.iter_mut().zip(read) {
                // A log that was cut at its beginning may end before its end.
                let last = entries.last().map_or(*end, |entry| entry.sequence);
                for entry in entries.into_iter().filter(|one| one.sequence <= *end) {
                    if let Err(stopped) = take(&entry.value) {
                        return Ok(Err(stopped));
                    }
                }
                *after = last;
            }
            left.retain(|(_, after, end)| after < end);
        }
        Ok(Ok(()))
    }
}

fn policy_key(id: &str) -> Key {
    Key::new(Partition::of(id), Kind::Policy, id)
}
