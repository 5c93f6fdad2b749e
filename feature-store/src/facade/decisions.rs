//! Decisions, kept once each.

use bytes::Bytes;

use super::FeatureStore;
use crate::seal::{Opened, Opener};
use crate::store::{Error, Key, Kind, Partition};

/// A decision that was found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum FoundDecision {
    /// Its record.
    Record(Bytes),
    /// It was made, and erased with its shopper.
    Erased,
}

impl FeatureStore {
    /// A decision as it was stored, under the shopper's id or under that of the person.
    pub async fn decision(
        &self,
        shopper: &str,
        decision_id: &str,
    ) -> Result<Option<FoundDecision>, Error> {
        let own = decision_key(shopper, decision_id);
        let (person, read) = self.person(shopper).await?;
        let mut keys = vec![own];
        if person != shopper {
            keys.push(decision_key(&person, decision_id));
        }
        let values = self.store().get_many(&keys).await?;
        let known = Opener::knowing(read.shopper.row_keys());
        let opened = self.open_values(known, &keys, values).await?;
        let found = opened.into_iter().flatten().next();
        Ok(found.map(|(_, opened)| match opened {
            Opened::Row(record) => FoundDecision::Record(record),
            Opened::Erased => FoundDecision::Erased,
        }))
    }
}

/// A decision lies with its shopper, so that one commit can change both.
pub(super) fn decision_key(shopper: &str, decision_id: &str) -> Key {
    Key::new(Partition::of(shopper), Kind::Decision, decision_id)
}
