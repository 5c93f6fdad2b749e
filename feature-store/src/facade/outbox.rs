//! The outbox of all partitions, as consumer groups read it.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;

use super::FeatureStore;
use crate::Millis;
use crate::store::{Error, Log, Partition};

/// Partitions whose outboxes are read at the same time.
const PARTITIONS_AT_ONCE: usize = 32;

/// A row of the outbox that was handed to a consumer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Delivery {
    /// Where it lies.
    pub partition: Partition,
    /// Its place in the partition's outbox.
    pub sequence: u64,
    /// The row as it was appended.
    pub row: Bytes,
}

impl FeatureStore {
    /// How many rows were ever appended to the outbox of each partition, in their order. One round
    /// trip.
    pub async fn outbox_ends(&self) -> Result<Vec<(Partition, u64)>, Error> {
        let logs: Vec<_> = Partition::all().map(|one| (one, Log::Outbox)).collect();
        let ends = self.store().log_ends(&logs).await?;
        Ok(Partition::all().zip(ends).collect())
    }

    /// Hands `consumer` rows of these partitions that nobody in `group` has acknowledged: those
    /// whose lease ran out, then new ones. It stops at the partitions that fill `limit`, and may
    /// go beyond it by what some partitions had that were read at the same time.
    pub async fn read_outbox(
        &self,
        partitions: &[Partition],
        group: &str,
        consumer: &str,
        lease: Duration,
        now: Millis,
        limit: usize,
    ) -> Result<Vec<Delivery>, Error> {
        let mut read = Vec::new();
        let store = self.store();
        for some in partitions.chunks(PARTITIONS_AT_ONCE) {
            let left = limit.saturating_sub(read.len());
            if left == 0 {
                break;
            }
            let reading = some.iter().map(|partition| {
                store.read_group(*partition, Log::Outbox, group, consumer, lease, now, left)
            });
            let entries = futures::future::join_all(reading).await;
            for (partition, entries) in some.iter().zip(entries) {
                read.extend(entries?.into_iter().map(|entry| Delivery {
                    partition: *partition,
                    sequence: entry.sequence,
                    row: entry.value,
                }));
            }
        }
        Ok(read)
    }

    /// Ends the delivery of these rows to `group`. One that was never delivered may be named.
    pub async fn ack_outbox(&self, group: &str, rows: &[(Partition, u64)]) -> Result<(), Error> {
        let mut by_partition: BTreeMap<Partition, Vec<u64>> = BTreeMap::new();
        for (partition, sequence) in rows {
            by_partition.entry(*partition).or_default().push(*sequence);
        }
        let store = self.store();
        let acks = by_partition.iter().map(|(partition, sequences)| {
            store.ack_group(*partition, Log::Outbox, group, sequences)
        });
        let acks = futures::future::join_all(acks).await;
        acks.into_iter().collect()
    }
}
