//! Dead letters: rows that their receiver did not take, kept until they are redriven.

use bytes::Bytes;

use super::FeatureStore;
use super::shoppers::{commit_one, read_one};
use crate::Millis;
use crate::seal::{Opener, RowKey, Sealed, key_id};
use crate::store::{CommitOutcome, Error, Key, Kind, Log, Op, Partition, Versioned};

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
    row_key: Option<RowKey>,
}

impl FeatureStore {
    /// Keeps a dead letter about a shopper, in place of an older one of its id. None is kept of one
    /// who was erased meanwhile.
    pub async fn put_dead_letter(
        &self,
        shopper: &str,
        (partition, id): (Partition, &str),
        value: Bytes,
        at: Millis,
    ) -> Result<(), Error> {
        let (_, person) = self.person(shopper).await?;
        if person.version == 0 {
            return Ok(());
        }
        let value = match person.row_key() {
            Some(key) => key.seal(Sealed::DeadLetter, Some(at), &value)?,
            None => value,
        };
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

    /// Up to `limit` dead letters, by partition and id. Those of shoppers who were erased are left out.
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
            found.extend(self.open_letters(keys, values).await?);
        }
        Ok(found)
    }

    async fn open_letters(
        &self,
        keys: Vec<Key>,
        values: Vec<Option<Versioned>>,
    ) -> Result<Vec<DeadLetter>, Error> {
        let mut opener = Opener::default();
        let sealed = values.iter().flatten().map(|stored| &stored.value);
        opener.learn(self.store().as_ref(), sealed).await?;
        let mut letters = Vec::new();
        for (key, stored) in keys.into_iter().zip(values) {
            let Some(Versioned { version, value }) = stored else {
                continue;
            };
            let row_key = key_id(&value).and_then(|id| opener.key(id)).cloned();
            let opened = opener.open(Sealed::DeadLetter, &value)?.row();
            letters.extend(opened.map(|value| DeadLetter {
                partition: key.partition,
                id: key.id,
                value,
                version,
                row_key,
            }));
        }
        Ok(letters)
    }

    /// Takes a dead letter away and puts its row into the queue of what is redriven, in one commit.
    /// Says whether this call did: another may have been quicker.
    pub async fn redrive(&self, letter: &DeadLetter, row: Bytes) -> Result<bool, Error> {
        let key = Key::new(letter.partition, Kind::DeadLetter, &letter.id);
        let expected = letter.version;
        let value = match &letter.row_key {
            Some(key) => key.seal(Sealed::Outbox, None, &row)?,
            None => row,
        };
        let log = Log::Redriven;
        let ops = vec![Op::Delete { key, expected }, Op::Append { log, value }];
        let done = commit_one(self, letter.partition, ops).await?;
        Ok(done == CommitOutcome::Done)
    }
}
