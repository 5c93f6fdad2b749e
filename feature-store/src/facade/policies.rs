//! The texts of policies, each kept once under its hash, so that what was decided by one can be
//! decided again.

use bytes::Bytes;

use super::FeatureStore;
use super::shoppers::{commit_one, read_one};
use crate::store::{Error, Key, Kind, Log, Op, Partition};

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
}

fn policy_key(id: &str) -> Key {
    Key::new(Partition::of(id), Kind::Policy, id)
}
