//! Reading logs from their beginning.

use super::FeatureStore;
use crate::LoggedEvent;
use crate::point_in_time::EventLog;
use crate::store::{Error, Log, Partition};

/// Entries read at once from each partition, and partitions read at once.
const ENTRIES: usize = 512;
const PARTITIONS_AT_ONCE: usize = 64;

impl FeatureStore {
    /// Every entry that the event log holds as the reading begins. `progress` is told how many
    /// entries are read, of how many at most.
    pub async fn event_log(
        &self,
        progress: &mut (impl FnMut(u64, u64) + Send),
    ) -> Result<EventLog, Error> {
        let logs: Vec<_> = Partition::all()
            .map(|partition| (partition, Log::Events))
            .collect();
        let ends = self.store().log_ends(&logs).await?;
        let of = ends.iter().sum();
        let mut entries = Vec::new();
        let mut ranges: Vec<_> = logs
            .into_iter()
            .zip(ends)
            .filter(|(_, end)| *end > 0)
            .map(|((partition, _), end)| Range {
                partition,
                after: 0,
                end,
            })
            .collect();
        for ranges in ranges.chunks_mut(PARTITIONS_AT_ONCE) {
            while self.read_more(ranges, &mut entries).await? {
                progress(entries.len() as u64, of);
            }
        }
        Ok(EventLog::new(entries))
    }

    /// Hands every entry that a log holds as the reading begins to `take`; those of a partition come in
    /// the order of its log, and the first error ends the reading. `progress` is told how many
    /// entries were read, of how many at most.
    pub async fn read_log<E: From<Error>>(
        &self,
        log: Log,
        take: &mut (impl FnMut(&[u8]) -> Result<(), E> + Send),
        progress: &mut (impl FnMut(u64, u64) + Send),
    ) -> Result<(), E> {
        let logs: Vec<_> = Partition::all().map(|one| (one, log)).collect();
        let ends = self.store().log_ends(&logs).await?;
        let (mut taken, of) = (0, ends.iter().sum());
        let mut left: Vec<(Partition, u64, u64)> = Partition::all()
            .zip(ends)
            .filter(|(_, end)| *end > 0)
            .map(|(partition, end)| (partition, 0, end))
            .collect();
        while !left.is_empty() {
            let now = left.iter().take(PARTITIONS_AT_ONCE);
            let from: Vec<_> = now.map(|(one, after, _)| (*one, log, *after)).collect();
            let read = self.store().read_logs(&from, ENTRIES).await?;
            for ((_, after, end), entries) in left.iter_mut().zip(read) {
                // A log that was cut at its beginning may end before its end.
                *after = entries.last().map_or(*end, |entry| entry.sequence);
                for entry in entries.iter().filter(|one| one.sequence <= *end) {
                    take(&entry.value)?;
                    taken += 1;
                }
            }
            left.retain(|(_, after, end)| after < end);
            progress(taken, of);
        }
        Ok(())
    }

    /// Reads the next entries of each partition; says whether there were any.
    async fn read_more(
        &self,
        ranges: &mut [Range],
        entries: &mut Vec<LoggedEvent>,
    ) -> Result<bool, Error> {
        let mut unread: Vec<_> = ranges
            .iter_mut()
            .filter(|range| range.after < range.end)
            .collect();
        let from: Vec<_> = unread
            .iter()
            .map(|range| (range.partition, Log::Events, range.after))
            .collect();
        if from.is_empty() {
            return Ok(false);
        }
        let read = self.store().read_logs(&from, ENTRIES).await?;
        for (range, read) in unread.iter_mut().zip(read) {
            // A log that was cut at its beginning may end before its end.
            range.after = read.last().map_or(range.end, |entry| entry.sequence);
            for entry in read.into_iter().filter(|entry| entry.sequence <= range.end) {
                entries.push(decode(range.partition, entry.sequence, &entry.value)?);
            }
        }
        Ok(true)
    }
}

/// How far a partition is read, and how far it is to be.
struct Range {
    partition: Partition,
    after: u64,
    end: u64,
}

/// The store gives an entry its number, so that the bytes do not hold it.
fn decode(partition: Partition, sequence: u64, bytes: &[u8]) -> Result<LoggedEvent, Error> {
    let entry = LoggedEvent::decode(bytes)
        .map_err(|error| Error::corrupt(format!("event {sequence} of {partition}"), error))?;
    Ok(LoggedEvent {
        partition: partition.number(),
        sequence,
        ..entry
    })
}
