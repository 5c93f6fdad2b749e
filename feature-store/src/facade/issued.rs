//! What codes and links stand for: a value each, found by what the code or the link says; and the
//! campaigns, found by their name.

use bytes::Bytes;

use super::{FeatureStore, Swapped};
use crate::Millis;
use crate::seal::{Opener, RowKey, Sealed, key_id};
use crate::store::{Commit, CommitOutcome, Error, Key, Kind, Op, Partition, Versioned};

/// A value that a code or a link stands for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Issued {
    /// [`Kind::Coupon`], [`Kind::StoredCart`] or [`Kind::Campaigns`].
    pub kind: Kind,
    /// What the code or the link says.
    pub id: String,
    /// What it stands for.
    pub value: Bytes,
    /// The key of whom it is for, which it is sealed with, and the clock; `None` for what is nobody's.
    pub of: Option<(RowKey, Millis)>,
}

/// A value that a code or a link stands for, as it was read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredIssue {
    /// Of the value.
    pub version: u64,
    /// What it stands for.
    pub value: Bytes,
    /// What it is sealed with.
    pub row_key: Option<RowKey>,
}

impl Issued {
    fn sealed(&self) -> Result<Bytes, Error> {
        match (&self.of, Sealed::of_kind(self.kind)) {
            (Some((key, at)), Some(what)) => key.seal(what, Some(*at), &self.value),
            _ => Ok(self.value.clone()),
        }
    }
}

impl FeatureStore {
    /// Keeps each of these unless something is there under its id; says of each whether it is new.
    /// One round trip.
    pub async fn issue(&self, issued: Vec<Issued>) -> Result<Vec<bool>, Error> {
        if issued.is_empty() {
            return Ok(Vec::new());
        }
        let commit = |one: &Issued| {
            let key = issued_key(one.kind, &one.id);
            let partition = key.partition;
            let put = Op::Put {
                key,
                expected: 0,
                value: one.sealed()?,
            };
            let ops = vec![put];
            Ok(Commit { partition, ops })
        };
        let commits = issued.iter().map(commit).collect::<Result<_, Error>>()?;
        let outcomes = self.store().commit(commits).await?;
        let is_new = |outcome: &CommitOutcome| *outcome == CommitOutcome::Done;
        Ok(outcomes.iter().map(is_new).collect())
    }

    /// What these stand for, in the order asked; what was for a shopper who was erased stands for
    /// nothing. One round trip, and one for the keys.
    pub async fn issued(&self, asked: &[(Kind, &str)]) -> Result<Vec<Option<StoredIssue>>, Error> {
        let keys: Vec<Key> = asked
            .iter()
            .map(|(kind, id)| issued_key(*kind, id))
            .collect();
        let values = self.store().get_many(&keys).await?;
        let mut opener = Opener::default();
        let sealed = values.iter().flatten().map(|stored| &stored.value);
        opener.learn(self.store().as_ref(), sealed).await?;
        let open = keys.iter().zip(values).map(|(key, stored)| {
            let Some(Versioned { version, value }) = stored else {
                return Ok(None);
            };
            let row_key = key_id(&value).and_then(|id| opener.key(id)).cloned();
            let value = match Sealed::of_kind(key.kind) {
                Some(what) => opener.open(what, &value)?.row(),
                None => Some(value),
            };
            Ok(value.map(|value| StoredIssue {
                version,
                value,
                row_key,
            }))
        });
        open.collect()
    }

    /// Replaces what one stands for, if it is still of the version that was read, 0 for none.
    pub async fn reissue(&self, issued: Issued, expected: u64) -> Result<Swapped, Error> {
        let key = issued_key(issued.kind, &issued.id);
        let partition = key.partition;
        let put = Op::Put {
            key,
            expected,
            value: issued.sealed()?,
        };
        match super::shoppers::commit_one(self, partition, vec![put]).await? {
            CommitOutcome::Done => Ok(Swapped::Done),
            CommitOutcome::Conflict { .. } => Ok(Swapped::Conflict),
        }
    }
}

fn issued_key(kind: Kind, id: &str) -> Key {
    Key::new(Partition::of(id), kind, id)
}
