//! Reading logs from their beginning.

use super::FeatureStore;
use crate::LoggedEvent;
use crate::point_in_time::EventLog;
use crate::seal::Opener;
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
        let erased = self.read_log(Log::Events, &mut take, progress).await?;
        Ok(EventLog::new(entries).with_erased(erased))
    }

    /// Hands every entry that a log holds as the reading begins to `take`; those of a partition come in
    /// the order of its log, and the first error ends the reading. `progress` is told how many
    /// entries were read, of how many at most. Entries of shoppers who were erased open for nobody:
    /// the answer says how many there are.
    pub async fn read_log<E: From<Error>>(
        &self,
        log: Log,
        take: &mut (impl FnMut(Partition, &LogEntry) -> Result<(), E> + Send),
        progress: &mut (impl FnMut(u64, u64) + Send),
    ) -> Result<u64, E> {
        let mut opener = Opener::default();
        let mut erased = 0;
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
            let rows: Vec<_> = read.iter().flatten().map(|entry| &entry.value).collect();
            opener.learn(self.store().as_ref(), rows).await?;
            for ((partition, after, end), mut entries) in left.iter_mut().zip(read) {
                // A log that was cut at its beginning may end before its end.
                *after = entries.last().map_or(*end, |entry| entry.sequence);
                entries.retain(|one| one.sequence <= *end);
                taken += u64::try_from(entries.len()).unwrap_or(u64::MAX);
                let (open, gone) = Self::open_entries(&opener, log, entries);
                erased += gone;
                for entry in &open {
                    take(*partition, entry)?;
                }
            }
            left.retain(|(_, after, end)| after < end);
            progress(taken, of);
        }
        Ok(erased)
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
