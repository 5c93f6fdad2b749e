//! Reading logs from their beginning.

use super::FeatureStore;
use crate::LoggedEvent;
use crate::point_in_time::EventLog;
use crate::store::{Error, Log, LogEntry, Partition};

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
        let mut entries = Vec::new();
        let mut take = |partition, entry: &LogEntry| {
            entries.push(decode(partition, entry)?);
            Ok::<_, Error>(())
        };
        self.read_log(Log::Events, &mut take, progress).await?;
        Ok(EventLog::new(entries))
    }

    /// Hands every entry that a log holds as the reading begins to `take`; those of a partition come in
    /// the order of its log, and the first error ends the reading. `progress` is told how many
    /// entries were read, of how many at most.
    pub async fn read_log<E: From<Error>>(
        &self,
        log: Log,
        take: &mut (impl FnMut(Partition, &LogEntry) -> Result<(), E> + Send),
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
            for ((partition, after, end), entries) in left.iter_mut().zip(read) {
                // A log that was cut at its beginning may end before its end.
                *after = entries.last().map_or(*end, |entry| entry.sequence);
                for entry in entries.iter().filter(|one| one.sequence <= *end) {
                    take(*partition, entry)?;
                    taken += 1;
                }
            }
            left.retain(|(_, after, end)| after < end);
            progress(taken, of);
        }
        Ok(())
    }
}

/// The store gives an entry its number, so that the bytes do not hold it.
fn decode(partition: Partition, entry: &LogEntry) -> Result<LoggedEvent, Error> {
    let sequence = entry.sequence;
    let entry = LoggedEvent::decode(&entry.value)
        .map_err(|error| Error::corrupt(format!("event {sequence} of {partition}"), error))?;
    Ok(LoggedEvent {
        partition: partition.number(),
        sequence,
        ..entry
    })
}
