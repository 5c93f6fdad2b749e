//! The opened folder, and reading from it.

use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use fjall::{Database, Keyspace, KeyspaceCreateOptions};

use super::{NAME, copy, layout, unavailable};
use crate::Millis;
use crate::store::{Due, Error, Key, Kind, Log, LogEntry, PARTITIONS, Partition, Place, Versioned};

/// The layout of the folder that this version reads and writes.
const FORMAT: &[u8] = b"1";

/// The database and the ends of its logs.
pub(super) struct Engine {
    pub(super) database: Database,
    pub(super) values: Keyspace,
    pub(super) logs: Keyspace,
    pub(super) deadlines: Keyspace,
    pub(super) groups: Keyspace,
    /// The last durable sequence of each log.
    ends: Vec<AtomicU64>,
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").finish_non_exhaustive()
    }
}

impl Engine {
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        let database = Database::builder(path)
            .open()
            .map_err(|error| opening(path, &error))?;
        let keyspace = |name| {
            let opened = database.keyspace(name, KeyspaceCreateOptions::default);
            opened.map_err(|error| opening(path, &error))
        };
        let engine = Self {
            values: keyspace("values")?,
            logs: keyspace("logs")?,
            deadlines: keyspace("deadlines")?,
            groups: keyspace("groups")?,
            ends: std::iter::repeat_with(AtomicU64::default)
                .take(usize::from(PARTITIONS) * Log::ALL.len())
                .collect(),
            database: database.clone(),
        };
        engine.check_format(path, &keyspace("meta")?)?;
        for partition in Partition::all() {
            for log in Log::ALL {
                engine.set_end(partition, log, engine.find_end(partition, log)?);
            }
        }
        Ok(engine)
    }

    fn check_format(&self, path: &Path, meta: &Keyspace) -> Result<(), Error> {
        match meta.get("format").map_err(unavailable)? {
            Some(format) if *format == *FORMAT => Ok(()),
            Some(format) => {
                let found = String::from_utf8_lossy(&format).into_owned();
                let detail = format!("its format is {found:?}, this version reads \"1\"");
                Err(Error::corrupt(path.display(), detail))
            }
            None => {
                meta.insert("format", FORMAT).map_err(unavailable)?;
                self.database
                    .persist(fjall::PersistMode::SyncAll)
                    .map_err(unavailable)
            }
        }
    }

    pub(super) fn get(&self, key: &Key) -> Result<Option<Versioned>, Error> {
        let stored = self.values.get(layout::value(key)).map_err(unavailable)?;
        stored
            .map(|stored| Versioned::unpack(key, copy(&stored)))
            .transpose()
    }

    pub(super) fn list(&self, partition: Partition, kind: Kind) -> Result<Vec<String>, Error> {
        if !kind.is_listed() {
            return Ok(Vec::new());
        }
        let prefix = layout::values(partition, kind);
        let ids = self.values.prefix(&prefix).map(|entry| {
            let key = entry.key().map_err(unavailable)?;
            let id = key.get(prefix.len()..).unwrap_or_default();
            String::from_utf8(id.to_vec()).map_err(|error| Error::corrupt(partition, error))
        });
        ids.collect()
    }

    pub(super) fn walk(
        &self,
        kind: Kind,
        from: &Place,
        limit: usize,
    ) -> Result<(Vec<Key>, Option<Place>), Error> {
        let (first, end) = layout::all_values(kind);
        // A place is the last key that was told; what follows it directly is one byte longer.
        let first = match from.0.is_empty() {
            true => first,
            false => [from.0.as_slice(), &[0]].concat(),
        };
        let (mut keys, mut last) = (Vec::new(), None);
        for entry in self.values.range(first..end).take(limit) {
            let bytes = entry.key().map_err(unavailable)?;
            let (partition, id) = layout::parse_value(&bytes)
                .ok_or_else(|| Error::corrupt(kind.code(), "a key cannot be read"))?;
            keys.push(Key::new(partition, kind, id));
            last = Some(Place(bytes.to_vec()));
        }
        let more = last.filter(|_| keys.len() == limit);
        Ok((keys, more))
    }

    /// When a deadline comes due.
    pub(super) fn deadline(&self, partition: Partition, id: &str) -> Result<Option<Millis>, Error> {
        let key = layout::deadline(partition, id);
        let stored = self.deadlines.get(key).map_err(unavailable)?;
        let Some(stored) = stored.map(|stored| copy(&stored)) else {
            return Ok(None);
        };
        let at = stored.first_chunk::<8>().copied().map(layout::parse_time);
        // Without its id, which may be a person's.
        let at = at.ok_or_else(|| Error::corrupt(format_args!("{partition}:due:…"), "too short"));
        at.map(Some)
    }

    /// Entries of a log with sequences in `after + 1 ..= end`, at most `limit`.
    pub(super) fn read_log(
        &self,
        partition: Partition,
        log: Log,
        after: u64,
        end: u64,
        limit: usize,
    ) -> Result<Vec<LogEntry>, Error> {
        if after >= end {
            return Ok(Vec::new());
        }
        let first = layout::log_entry(partition, log, after.saturating_add(1));
        let last = layout::log_entry(partition, log, end);
        let entries = self.logs.range(first..=last).take(limit).map(|entry| {
            let (key, value) = entry.into_inner().map_err(unavailable)?;
            let sequence = key.last_chunk().copied().map(u64::from_be_bytes);
            let sequence = sequence.ok_or_else(|| Error::corrupt(partition, "a log key is short"));
            Ok(LogEntry {
                sequence: sequence?,
                value: copy(&value),
            })
        });
        entries.collect()
    }

    /// Deadlines that are due, the longest due first.
    pub(super) fn due(
        &self,
        partitions: &[Partition],
        now: Millis,
        limit: usize,
    ) -> Result<Vec<Due>, Error> {
        let mut found = Vec::new();
        for partition in partitions {
            let first = layout::due_at(*partition, Millis(i64::MIN));
            let end = layout::due_at(*partition, Millis(now.0.saturating_add(1)));
            for entry in self.deadlines.range(first..end).take(limit) {
                let key = entry.key().map_err(unavailable)?;
                let (due_at, id) = layout::parse_due(&key)
                    .ok_or_else(|| Error::corrupt(partition, "a deadline cannot be read"))?;
                found.push(Due {
                    partition: *partition,
                    id,
                    due_at,
                });
            }
        }
        found.sort_unstable_by(|a, b| (a.due_at, a).cmp(&(b.due_at, b)));
        found.truncate(limit);
        Ok(found)
    }

    /// The last sequence that readers may see.
    pub(super) fn end(&self, partition: Partition, log: Log) -> u64 {
        let end = self.ends.get(end_index(partition, log));
        end.map_or(0, |end| end.load(Ordering::Acquire))
    }

    pub(super) fn set_end(&self, partition: Partition, log: Log, sequence: u64) {
        if let Some(end) = self.ends.get(end_index(partition, log)) {
            end.store(sequence, Ordering::Release);
        }
    }

    fn find_end(&self, partition: Partition, log: Log) -> Result<u64, Error> {
        let first = layout::log_entry(partition, log, 0);
        let last = layout::log_entry(partition, log, u64::MAX);
        let Some(entry) = self.logs.range(first..=last).next_back() else {
            return Ok(0);
        };
        let key = entry.key().map_err(unavailable)?;
        Ok(key.last_chunk().copied().map_or(0, u64::from_be_bytes))
    }
}

fn end_index(partition: Partition, log: Log) -> usize {
    partition.index() * Log::ALL.len() + usize::from(layout::log_code(log))
}

fn opening(path: &Path, error: &fjall::Error) -> Error {
    let path = path.display();
    let detail = if matches!(error, fjall::Error::Locked) {
        format!("{path} is owned by another process: stop it or use --redis")
    } else {
        format!("{path} cannot be opened: {error}")
    };
    Error::Unavailable {
        store: NAME,
        detail,
    }
}
