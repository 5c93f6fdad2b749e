//! One commit.

use std::collections::BTreeMap;

use super::layout;
use super::writer::Writer;
use crate::Millis;
use crate::store::{Commit, CommitOutcome, Error, Log, Op, Partition, Versioned};

/// Entries removed at once.
const TRIMMED: usize = 1_024;

/// What a commit comes to. Of several changes to one thing the last counts.
#[derive(Default)]
struct Change<'c> {
    values: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    deadlines: BTreeMap<&'c str, Option<Millis>>,
    entries: Vec<(Vec<u8>, &'c [u8])>,
    ends: BTreeMap<Log, u64>,
}

impl Writer {
    /// Checks all versions, then writes everything as one batch.
    pub(super) fn commit(&mut self, commit: &Commit) -> Result<CommitOutcome, Error> {
        for op in &commit.ops {
            let (key, expected) = match op {
                Op::Put { key, expected, .. }
                | Op::Delete { key, expected }
                | Op::Expect { key, expected } => (key, *expected),
                Op::Create { key, .. } => (key, 0),
                Op::Schedule { .. } | Op::Cancel { .. } | Op::Append { .. } => continue,
            };
            let stored = self.engine.get(key)?;
            if stored.map_or(0, |stored| stored.version) != expected {
                return Ok(CommitOutcome::Conflict { key: key.clone() });
            }
        }
        let change = self.gather(commit);
        self.write(commit.partition, &change)?;
        for (log, end) in change.ends {
            self.set_end(commit.partition, log, end);
        }
        Ok(CommitOutcome::Done)
    }

    fn gather<'c>(&self, commit: &'c Commit) -> Change<'c> {
        let mut change = Change::default();
        for op in &commit.ops {
            match op {
                Op::Put {
                    key,
                    expected,
                    value,
                } => {
                    let packed = Versioned::pack(expected.saturating_add(1), value);
                    change.values.insert(layout::value(key), Some(packed));
                }
                Op::Create {
                    key,
                    version,
                    value,
                } => {
                    let packed = Versioned::pack(*version, value);
                    change.values.insert(layout::value(key), Some(packed));
                }
                Op::Delete { key, .. } => {
                    change.values.insert(layout::value(key), None);
                }
                Op::Expect { .. } => {}
                Op::Schedule { id, due_at } => {
                    change.deadlines.insert(id, Some(*due_at));
                }
                Op::Cancel { id } => {
                    change.deadlines.insert(id, None);
                }
                Op::Append { log, value } => {
                    let before = self.end(commit.partition, *log);
                    let end = change.ends.entry(*log).or_insert(before);
                    *end += 1;
                    let key = layout::log_entry(commit.partition, *log, *end);
                    change.entries.push((key, value));
                }
            }
        }
        change
    }

    fn write(&self, partition: Partition, change: &Change<'_>) -> Result<(), Error> {
        let mut moves = Vec::new();
        for (id, due_at) in &change.deadlines {
            moves.push((*id, self.engine.deadline(partition, id)?, *due_at));
        }
        self.apply(|batch| {
            let engine = &self.engine;
            for (key, value) in &change.values {
                match value {
                    Some(value) => batch.insert(&engine.values, key.as_slice(), value.as_slice()),
                    None => batch.remove(&engine.values, key.as_slice()),
                }
            }
            for (key, value) in &change.entries {
                batch.insert(&engine.logs, key.as_slice(), *value);
            }
            for (id, before, after) in moves {
                self.move_deadline(batch, partition, id, before, after);
            }
        })
    }

    /// Removes some entries of a log up to and with this sequence; answers how many.
    pub(super) fn trim(&self, partition: Partition, log: Log, sequence: u64) -> Result<u64, Error> {
        let entries = self.engine.read_log(partition, log, 0, sequence, TRIMMED)?;
        self.apply(|batch| {
            for entry in &entries {
                let key = layout::log_entry(partition, log, entry.sequence);
                batch.remove(&self.engine.logs, key.as_slice());
            }
        })?;
        Ok(u64::try_from(entries.len()).unwrap_or(u64::MAX))
    }
}
