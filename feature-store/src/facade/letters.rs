//! Dead letters: rows that their receiver did not take, kept until they are redriven.

use bytes::Bytes;

use super::FeatureStore;
use super::shoppers::{commit_one, read_one};
use crate::store::{CommitOutcome, Error, Key, Kind, Log, Op, Partition};

/// A row that waits to be redriven.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DeadLetter {
    /// Where it lies.
    pub partition: Partition,
    /// Names it within the partition.
    pub id: String,
    /// As it was put.
    pub value: Bytes,
    version: u64,
}

impl FeatureStore {
    /// Keeps a dead letter, in place of an older one of its id.
    pub async fn put_dead_letter(
        &self,
        partition: Partition,
        id: &str,
        value: Bytes,
    ) -> Result<(), Error> {
        let key = Key::new(partition, Kind::DeadLetter, id);
        let read = read_one(self, &key).await?;
        let put = Op::Put {
            expected: read.map_or(0, |read| read.version),
            key,
            value,
        };
        // Whoever was quicker kept the same one.
        commit_one(self, partition, vec![put]).await?;
        Ok(())
    }

    /// Up to `limit` dead letters, by partition and id.
    pub async fn dead_letters(&self, limit: usize) -> Result<Vec<DeadLetter>, Error> {
        let mut found = Vec::new();
        for partition in Partition::all() {
            let left = limit.saturating_sub(found.len());
            if left == 0 {
                break;
            }
            let ids = self.store().list(partition, Kind::DeadLetter).await?;
            let keys: Vec<Key> = ids
                .into_iter()
                .take(left)
                .map(|id| Key::new(partition, Kind::DeadLetter, id))
                .collect();
            let values = match keys.is_empty() {
                true => Vec::new(),
                false => self.store().get_many(&keys).await?,
            };
            for (key, value) in keys.into_iter().zip(values) {
                found.extend(value.map(|stored| DeadLetter {
                    partition,
                    id: key.id,
                    value: stored.value,
                    version: stored.version,
                }));
            }
        }
        Ok(found)
    }

    /// Takes a dead letter away and puts its row into the queue of what is redriven, in one commit.
    /// Says whether this call did: another may have been quicker.
    pub async fn redrive(&self, letter: &DeadLetter, row: Bytes) -> Result<bool, Error> {
        let key = Key::new(letter.partition, Kind::DeadLetter, &letter.id);
        let expected = letter.version;
        let ops = vec![
            Op::Delete { key, expected },
            Op::Append {
                log: Log::Redriven,
                value: row,
            },
        ];
        let done = commit_one(self, letter.partition, ops).await?;
        Ok(done == CommitOutcome::Done)
    }
}
