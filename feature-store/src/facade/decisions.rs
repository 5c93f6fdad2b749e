//! Decisions, kept once each.

use bytes::Bytes;

use super::FeatureStore;
use super::shoppers::{commit_one, read_one};
use crate::store::{CommitOutcome, Error, Key, Kind, Log, Op, Partition};

/// What became of a decision that was handed in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum DecisionCommit {
    /// It is stored, and in the log.
    Stored,
    /// Another record was there under this id; nothing was written.
    Existing(Bytes),
}

impl FeatureStore {
    /// Stores a decision unless one with its id is there, and appends it to the decision log.
    pub async fn commit_decision(
        &self,
        shopper: &str,
        decision_id: &str,
        record: Bytes,
    ) -> Result<DecisionCommit, Error> {
        let key = decision_key(shopper, decision_id);
        let put = Op::Put {
            key: key.clone(),
            expected: 0,
            value: record.clone(),
        };
        let append = Op::Append {
            log: Log::Decisions,
            value: record,
        };
        match commit_one(self, key.partition, vec![put, append]).await? {
            CommitOutcome::Done => Ok(DecisionCommit::Stored),
            CommitOutcome::Conflict { .. } => {
                let existing = read_one(self, &key).await?;
                let existing = existing.ok_or_else(|| Error::corrupt(&key, "it came and went"))?;
                Ok(DecisionCommit::Existing(existing.value))
            }
        }
    }

    /// A decision as it was stored, under the shopper's id or under that of the person.
    pub async fn decision(&self, shopper: &str, decision_id: &str) -> Result<Option<Bytes>, Error> {
        let read = self
            .stored_shopper_and_decision(shopper, decision_id)
            .await?;
        Ok(read.1)
    }
}

/// A decision lies with its shopper, so that one commit can change both.
pub(super) fn decision_key(shopper: &str, decision_id: &str) -> Key {
    Key::new(Partition::of(shopper), Kind::Decision, decision_id)
}
