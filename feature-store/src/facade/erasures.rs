//! The deployment's key for hashes of shopper ids, and reading who was erased.

use bytes::Bytes;

use super::FeatureStore;
use super::shoppers::{commit_one, read_one};
use crate::erasure::{MacKey, Tombstone};
use crate::seal;
use crate::store::{Error, Key, Kind, Log, Op, Partition};

/// Entries read at once from each partition.
const ENTRIES: usize = 512;

/// How far somebody has read who was erased; the beginning by default.
#[derive(Clone, Debug)]
pub struct ErasuresRead(Vec<(Partition, Log, u64)>);

impl Default for ErasuresRead {
    fn default() -> Self {
        Self(
            Partition::all()
                .map(|one| (one, Log::Erasures, 0))
                .collect(),
        )
    }
}

impl FeatureStore {
    /// The key for hashes of shopper ids. The first to ask makes it; it never changes after that.
    pub async fn mac_key(&self) -> Result<MacKey, Error> {
        let known = &self.inner.mac_key;
        known.get_or_try_init(|| self.find_mac_key()).await.cloned()
    }

    async fn find_mac_key(&self) -> Result<MacKey, Error> {
        let partition = Partition::of(MAC_KEY);
        let key = Key::new(partition, Kind::Secret, MAC_KEY);
        if read_one(self, &key).await?.is_none() {
            let put = Op::Put {
                key: key.clone(),
                expected: 0,
                value: Bytes::copy_from_slice(&seal::random::<32>()?),
            };
            // Whoever was quicker made the key of all.
            commit_one(self, partition, vec![put]).await?;
        }
        let stored = read_one(self, &key).await?;
        let stored = stored.ok_or_else(|| Error::corrupt(&key, "it came and went"))?;
        let bytes = <[u8; 32]>::try_from(stored.value.as_ref());
        let bytes = bytes.map_err(|_| Error::corrupt(&key, "it is not 32 bytes long"))?;
        Ok(MacKey::from_bytes(bytes))
    }

    /// The next page of who was erased, by partition and in the order of each one's log; none when
    /// all that there was is read. One round trip.
    pub async fn erasures(&self, read: &mut ErasuresRead) -> Result<Vec<Tombstone>, Error> {
        let logs = self.store().read_logs(&read.0, ENTRIES).await?;
        let mut found = Vec::new();
        for ((partition, _, after), entries) in read.0.iter_mut().zip(logs) {
            for entry in entries {
                let tombstone = Tombstone::decode(&entry.value).map_err(|error| {
                    let place = format!("erasure {} of {partition}", entry.sequence);
                    Error::corrupt(place, error)
                })?;
                found.push(tombstone);
                *after = entry.sequence;
            }
        }
        Ok(found)
    }
}

/// The id of the one secret that every process of a deployment shares.
const MAC_KEY: &str = "shopper-mac";
