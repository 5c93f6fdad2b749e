//! What codes and links stand for: a value each, found by what the code or the link says; and the
//! campaigns, found by their name.

use bytes::Bytes;

use super::{FeatureStore, Swapped};
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
}

impl FeatureStore {
    /// Keeps each of these unless something is there under its id; says of each whether it is new.
    /// One round trip.
    pub async fn issue(&self, issued: Vec<Issued>) -> Result<Vec<bool>, Error> {
        if issued.is_empty() {
            return Ok(Vec::new());
        }
        let commit = |one: Issued| {
            let key = issued_key(one.kind, &one.id);
            let put = Op::Put {
                key: key.clone(),
                expected: 0,
                value: one.value,
            };
            Commit {
                partition: key.partition,
                ops: vec![put],
            }
        };
        let commits = issued.into_iter().map(commit).collect();
        let outcomes = self.store().commit(commits).await?;
        let is_new = |outcome: &CommitOutcome| *outcome == CommitOutcome::Done;
        Ok(outcomes.iter().map(is_new).collect())
    }

    /// What these stand for, in the order asked. One round trip.
    pub async fn issued(&self, asked: &[(Kind, &str)]) -> Result<Vec<Option<Versioned>>, Error> {
        let keys: Vec<Key> = asked
            .iter()
            .map(|(kind, id)| issued_key(*kind, id))
            .collect();
        self.store().get_many(&keys).await
    }

    /// Replaces what one stands for, if it is still of the version that was read, 0 for none.
    pub async fn reissue(&self, issued: Issued, expected: u64) -> Result<Swapped, Error> {
        let key = issued_key(issued.kind, &issued.id);
        let partition = key.partition;
        let put = Op::Put {
            key,
            expected,
            value: issued.value,
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
