//! What is left under an erased shopper's id, and how a value begins where there is none.

use bytes::Bytes;
use prost::Message;

use super::FeatureStore;
use crate::erasure::MacKey;
use crate::state::Removed;
use crate::state::erasing::wire as removed_wire;
use crate::store::{Error, Key, Kind, Op, Partition, Versioned};
use crate::{Millis, Shopper};

/// The layout written; older ones stay readable for ever.
const FORMAT: u32 = 1;

/// That a shopper id was erased.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Grave {
    pub(super) erased_at: Millis,
    /// The last version that a value under the id ever had.
    pub(super) versions: u64,
    pub(super) removed: Removed,
}

/// Hand-written protobuf; field numbers are for ever.
#[derive(Clone, PartialEq, Message)]
struct Wire {
    #[prost(uint32, tag = "1")]
    format: u32,
    #[prost(int64, tag = "2")]
    erased_at: i64,
    #[prost(uint64, tag = "3")]
    versions: u64,
    #[prost(message, optional, tag = "4")]
    removed: Option<crate::state::wire::Removed>,
}

impl Grave {
    pub(super) fn encode(&self) -> Bytes {
        let wire = Wire {
            format: FORMAT,
            erased_at: self.erased_at.0,
            versions: self.versions,
            removed: Some(removed_wire::encode(&self.removed)),
        };
        Bytes::from(wire.encode_to_vec())
    }

    pub(super) fn decode(key: &Key, bytes: &[u8]) -> Result<Self, Error> {
        let wire = Wire::decode(bytes).map_err(|error| Error::corrupt(key, error))?;
        if wire.format != FORMAT {
            let detail = format!(
                "its format is {}, {FORMAT} is the newest one known",
                wire.format
            );
            return Err(Error::corrupt(key, detail));
        }
        Ok(Self {
            erased_at: Millis(wire.erased_at),
            versions: wire.versions,
            removed: removed_wire::decode(&wire.removed.unwrap_or_default()),
        })
    }
}

/// How a value begins that is not there: on the tombstone that was read, above every version of a
/// value that was erased.
#[derive(Clone, Debug, Default)]
pub(crate) struct Begins {
    tombstone: Option<Key>,
    version: u64,
    pub(super) grave: Option<Grave>,
}

impl Begins {
    /// As if nobody of the id was ever erased: the commit finds out.
    pub(super) fn unread(mac_key: &MacKey, shopper: &str) -> Self {
        Self {
            tombstone: Some(tombstone_key(mac_key, shopper)),
            ..Self::default()
        }
    }

    fn read(key: Key, stored: Option<&Versioned>) -> Result<Self, Error> {
        let grave = stored.map(|stored| Grave::decode(&key, &stored.value));
        Ok(Self {
            version: stored.map_or(0, |stored| stored.version),
            grave: grave.transpose()?,
            tombstone: Some(key),
        })
    }

    /// What is known at first: nothing, and after an erasure that nothing of before counts.
    pub(super) fn shopper(&self) -> Shopper {
        let apart = self
            .grave
            .map(|grave| Shopper::apart_since(grave.erased_at));
        apart.unwrap_or_else(Shopper::empty)
    }

    /// Puts a value whose version is `expected`.
    pub(super) fn put(&self, key: &Key, expected: u64, value: Bytes) -> Vec<Op> {
        let key = key.clone();
        let put = match self.grave {
            Some(grave) if expected == 0 => Op::Create {
                key,
                version: grave.versions.saturating_add(1),
                value,
            },
            Some(_) | None => Op::Put {
                key,
                expected,
                value,
            },
        };
        let stands = self.tombstone.clone().filter(|_| expected == 0);
        let stands = stands.map(|key| Op::Expect {
            key,
            expected: self.version,
        });
        stands.into_iter().chain([put]).collect()
    }
}

impl Begins {
    /// Puts a tombstone in the place of the one that was read.
    pub(super) fn bury(&self, grave: Bytes) -> Option<Op> {
        Some(Op::Put {
            key: self.tombstone.clone()?,
            expected: self.version,
            value: grave,
        })
    }
}

/// The tombstone of an id lies with its value, so that one commit can rest on both.
pub(super) fn tombstone_key(mac_key: &MacKey, shopper: &str) -> Key {
    let mac = mac_key.of(shopper).to_string();
    Key::new(Partition::of(shopper), Kind::Tombstone, mac)
}

impl FeatureStore {
    /// How values of these ids begin. One round trip.
    pub(super) async fn begins(&self, ids: &[&str]) -> Result<Vec<Begins>, Error> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mac_key = self.mac_key().await?;
        let keys: Vec<Key> = ids.iter().map(|id| tombstone_key(&mac_key, id)).collect();
        let found = self.store().get_many(&keys).await?;
        let read = keys.into_iter().zip(found);
        read.map(|(key, found)| Begins::read(key, found.as_ref()))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tombstone_survives_its_bytes_and_is_the_golden() {
        let grave = Grave {
            erased_at: Millis(5),
            versions: 7,
            removed: Removed {
                ids: 2,
                keys: 1,
                ..Removed::default()
            },
        };
        let golden = b"\x08\x01\x10\x05\x18\x07\x22\x04\x08\x02\x10\x01";
        assert_eq!(grave.encode(), golden[..]);
        assert_eq!(Grave::decode(&Key::shopper("x"), golden), Ok(grave));
    }

    #[test]
    fn a_value_begins_above_the_versions_of_the_erased_one() {
        let grave = Grave {
            versions: 7,
            ..Grave::default()
        };
        let key = Key::shopper("ann");
        let tombstone = Key::new(key.partition, Kind::Tombstone, "0");
        let begins = Begins {
            tombstone: Some(tombstone.clone()),
            version: 3,
            grave: Some(grave),
        };
        let value = Bytes::from_static(b"v");
        let stands = Op::Expect {
            key: tombstone,
            expected: 3,
        };
        let create = Op::Create {
            key: key.clone(),
            version: 8,
            value: value.clone(),
        };
        assert_eq!(begins.put(&key, 0, value), [stands, create]);
    }
}
