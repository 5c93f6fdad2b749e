//! Budgets: one value for each campaign and period, changed by compare-and-set.

use bytes::Bytes;

use super::FeatureStore;
use super::shoppers::{commit_one, read_one};
use crate::store::{CommitOutcome, Error, Key, Kind, Op, Partition, Versioned};

/// What became of a compare-and-set.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Swapped {
    /// The value is stored; its version is one more than the one expected.
    Done,
    /// Somebody else was first; nothing was written.
    Conflict,
}

impl FeatureStore {
    /// The budget of a campaign in a period, with its version; `None` before its first use.
    pub async fn budget(&self, campaign: &str, period: &str) -> Result<Option<Versioned>, Error> {
        read_one(self, &budget_key(campaign, period)).await
    }

    /// Replaces the budget of a campaign in a period if its version is `expected`, 0 for none.
    pub async fn swap_budget(
        &self,
        campaign: &str,
        period: &str,
        expected: u64,
        value: Bytes,
    ) -> Result<Swapped, Error> {
        let key = budget_key(campaign, period);
        let put = Op::Put {
            key: key.clone(),
            expected,
            value,
        };
        match commit_one(self, key.partition, vec![put]).await? {
            CommitOutcome::Done => Ok(Swapped::Done),
            CommitOutcome::Conflict { .. } => Ok(Swapped::Conflict),
        }
    }
}

/// No campaign id holds a `/`.
fn budget_key(campaign: &str, period: &str) -> Key {
    let id = format!("{campaign}/{period}");
    Key::new(Partition::of(&id), Kind::Budget, id)
}
