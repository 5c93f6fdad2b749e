//! Deadlines: who is to be looked at, and when.

use std::fmt;
use std::time::Duration;

use super::FeatureStore;
use crate::Millis;
use crate::store::{Due, Error, Partition};

/// What a deadline is about; its id in the store.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Wake {
    /// Somebody may have left.
    Shopper(String),
    /// Something that this version does not know, by its id. It is not ours to end.
    Other(String),
}

const SHOPPER: &str = "shop:";

impl Wake {
    /// From the id of a deadline.
    pub fn parse(id: &str) -> Self {
        match id.strip_prefix(SHOPPER) {
            Some(shopper) => Self::Shopper(shopper.to_owned()),
            None => Self::Other(id.to_owned()),
        }
    }
}

impl fmt::Display for Wake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shopper(shopper) => write!(f, "{SHOPPER}{shopper}"),
            Self::Other(id) => f.write_str(id),
        }
    }
}

impl FeatureStore {
    /// Takes up to `limit` deadlines of these partitions that are due, the longest due first. Each
    /// comes due again after `lease`, unless what it is about was settled until then. A link of two
    /// ids or an erasure that somebody left half done is done here, and not answered.
    pub async fn claim_due(
        &self,
        partitions: &[Partition],
        now: Millis,
        lease: Duration,
        limit: usize,
    ) -> Result<Vec<Due>, Error> {
        let claimed = self
            .store()
            .claim_due(partitions, now, lease, limit)
            .await?;
        let mut due = Vec::with_capacity(claimed.len());
        for one in claimed {
            match self.resume(&one.id).await {
                Ok(true) => {}
                Ok(false) => due.push(one),
                Err(error @ Error::Corrupt { .. }) => {
                    tracing::error!(%error, "left a link or an erasure whose values are unreadable");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(due)
    }

    /// Brings to its end what a deadline of ours is about; says whether it was one.
    async fn resume(&self, id: &str) -> Result<bool, Error> {
        Ok(self.resume_link(id).await? || self.resume_erasure(id).await?)
    }
}
