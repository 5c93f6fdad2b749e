//! Queues of rows for consumer groups, over all partitions: the outbox, and what is redriven.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;

use super::FeatureStore;
use crate::Millis;
use crate::seal::Opener;
use crate::store::{Error, Log, LogEntry, Partition};

/// Partitions whose outboxes are read at the same time.
const PARTITIONS_AT_ONCE: usize = 32;

/// Who reads a queue.
#[derive(Copy, Clone, Debug)]
pub struct Reader<'a> {
    /// The queue: [`Log::Outbox`] or [`Log::Redriven`].
    pub log: Log,
    /// Each group gets every row.
    pub group: &'a str,
    /// The member of the group.
    pub consumer: &'a str,
    /// How long a row is the member's, on the clock of `now`.
    pub lease: Duration,
}

/// A row of a queue that was handed to a consumer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Delivery {
    /// Where it lies.
    pub partition: Partition,
    /// Its place in the partition's queue.
    pub sequence: u64,
    /// The row as it was appended.
    pub row: Bytes,
    /// The end of its lease.
    pub until: Millis,
}

impl FeatureStore {
    /// How many rows were ever appended to the queue of each partition, in their order. One round
    /// trip.
    pub async fn queue_ends(&self, log: Log) -> Result<Vec<(Partition, u64)>, Error> {
        let logs: Vec<_> = Partition::all().map(|one| (one, log)).collect();
        let ends = self.store().log_ends(&logs).await?;
        Ok(Partition::all().zip(ends).collect())
    }

    /// Hands `reader` rows of these partitions that nobody in its group has acknowledged: those
    /// whose lease ran out, then new ones. It stops at the partitions that fill `limit`, and may
    /// go beyond it by what some partitions had that were read at the same time.
    pub async fn read_queue(
        &self,
        reader: Reader<'_>,
        partitions: &[Partition],
        now: Millis,
        limit: usize,
    ) -> Result<Vec<Delivery>, Error> {
        let Reader {
            log,
            group,
            consumer,
            lease,
        } = reader;
        let mut read = Vec::new();
        let store = self.store();
        for some in partitions.chunks(PARTITIONS_AT_ONCE) {
            let left = limit.saturating_sub(read.len());
            if left == 0 {
                break;
            }
            let reading = some.iter().map(|partition| {
                store.read_group(*partition, log, group, consumer, lease, now, left)
            });
            let entries = futures::future::join_all(reading).await;
            let entries: Vec<Vec<LogEntry>> = entries.into_iter().collect::<Result<_, _>>()?;
            let entries = some.iter().copied().zip(entries).collect();
            let until = now.saturating_add(lease);
            read.extend(self.open_queue((log, group), entries, until).await?);
        }
        Ok(read)
    }

    /// Opens rows that were handed out. Those of shoppers who were erased are handed to nobody: they
    /// are over.
    async fn open_queue(
        &self,
        (log, group): (Log, &str),
        entries: Vec<(Partition, Vec<LogEntry>)>,
        until: Millis,
    ) -> Result<Vec<Delivery>, Error> {
        let mut opener = Opener::default();
        let rows = entries.iter().flat_map(|(_, entries)| entries);
        let rows: Vec<&Bytes> = rows.map(|entry| &entry.value).collect();
        opener.learn(self.store().as_ref(), rows).await?;
        let (mut read, mut over) = (Vec::new(), Vec::new());
        for (partition, entries) in entries {
            let all: Vec<u64> = entries.iter().map(|entry| entry.sequence).collect();
            let (open, _) = Self::open_entries(&opener, log, entries);
            let is_open = |sequence: &u64| open.iter().any(|entry| entry.sequence == *sequence);
            let erased = all.into_iter().filter(|sequence| !is_open(sequence));
            over.extend(erased.map(|sequence| (partition, sequence)));
            read.extend(open.into_iter().map(|entry| Delivery {
                partition,
                sequence: entry.sequence,
                row: entry.value,
                until,
            }));
        }
        if !over.is_empty() {
            tracing::info!(rows = over.len(), "took back what was for erased shoppers");
            self.ack_queue(log, group, &over).await?;
        }
        Ok(read)
    }

    /// Moves the end of a row's lease to `until`. `false` when the row was acknowledged, or handed to
    /// somebody else since: then it is the holder's no longer. A lease that ran out is extended as
    /// long as nobody else has the row.
    pub async fn extend_lease(
        &self,
        (log, group): (Log, &str),
        (partition, sequence): (Partition, u64),
        held_until: Millis,
        until: Millis,
    ) -> Result<bool, Error> {
        let held = [(sequence, held_until)];
        let store = self.store();
        let extended = store.extend_group(partition, log, group, &held, until);
        Ok(!extended.await?.is_empty())
    }

    /// Ends the delivery of these rows to `group`. One that was never delivered may be named.
    pub async fn ack_queue(
        &self,
        log: Log,
        group: &str,
        rows: &[(Partition, u64)],
    ) -> Result<(), Error> {
        let mut by_partition: BTreeMap<Partition, Vec<u64>> = BTreeMap::new();
        for (partition, sequence) in rows {
            by_partition.entry(*partition).or_default().push(*sequence);
        }
        let store = self.store();
        let acks = by_partition
            .iter()
            .map(|(partition, sequences)| store.ack_group(*partition, log, group, sequences));
        let acks = futures::future::join_all(acks).await;
        acks.into_iter().collect()
    }
}
