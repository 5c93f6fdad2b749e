//! Ending what is old: logs are cut at their beginning, and records kept by an id are removed.
//!
//! A log does not tell when an entry was written, and of an erased shopper nothing of an entry can be
//! read. So it is noted from time to time where each log ends: whatever stands before a note is no
//! younger than the note. What is older than it was to be kept by up to a 32nd of that time is kept as
//! well.

use std::time::Duration;

use bytes::Bytes;
use prost::Message;

use super::FeatureStore;
use crate::Millis;
use crate::items::counted_up_to;
use crate::seal::sealed_on;
use crate::store::{Commit, CommitOutcome, Error, Key, Kind, Log, Op, Partition, Versioned};

/// The layout written; older ones stay readable for ever.
const FORMAT: u32 = 1;
/// In the order in which notes name their ends: append only.
const LOGS: [Log; 5] = [
    Log::Events,
    Log::Decisions,
    Log::Outcomes,
    Log::Outbox,
    Log::Redriven,
];
/// Notes in the time that something is kept for.
const NOTES: u32 = 32;
/// Records read at once.
const RECORDS: usize = 256;

/// For how long each kind of data is kept; `None` for good.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub struct Retention {
    /// Entries of the event logs. None that is not counted into item statistics yet is cut.
    pub events: Option<Duration>,
    /// Entries of the decision logs, and decisions by their id.
    pub decisions: Option<Duration>,
    /// Entries of the logs of outcomes.
    pub outcomes: Option<Duration>,
    /// Rows that wait for consumer groups, and dead letters: who has not taken one by then does not
    /// get it any more.
    pub outbox: Option<Duration>,
}

impl Retention {
    /// Whether anything is ever ended.
    #[must_use]
    pub fn ends_anything(&self) -> bool {
        *self != Self::default()
    }

    fn of(&self, log: Log) -> Option<Duration> {
        match log {
            Log::Events => self.events,
            Log::Decisions => self.decisions,
            Log::Outcomes => self.outcomes,
            Log::Outbox | Log::Redriven => self.outbox,
            Log::Catalog | Log::Policies | Log::Erasures => None,
        }
    }

    fn spans(&self) -> impl Iterator<Item = Duration> {
        let all = [self.events, self.decisions, self.outcomes, self.outbox];
        all.into_iter().flatten()
    }
}

/// How much was ended.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub struct Ended {
    /// Entries of logs.
    pub entries: u64,
    /// Records kept by an id.
    pub records: u64,
}

/// Hand-written protobuf; field numbers are for ever.
#[derive(Clone, PartialEq, Message)]
struct Notes {
    #[prost(uint32, tag = "1")]
    format: u32,
    /// The oldest first.
    #[prost(message, repeated, tag = "2")]
    notes: Vec<Note>,
}

/// Where the logs of a partition ended at a time.
#[derive(Clone, PartialEq, Message)]
struct Note {
    #[prost(int64, tag = "1")]
    at: i64,
    #[prost(uint64, repeated, tag = "2")]
    ends: Vec<u64>,
}

impl Notes {
    fn decode(key: &Key, stored: Option<&Versioned>) -> Result<Self, Error> {
        let Some(stored) = stored else {
            return Ok(Self {
                format: FORMAT,
                notes: Vec::new(),
            });
        };
        let read = Self::decode_bytes(&stored.value);
        read.ok_or_else(|| Error::corrupt(key, "the notes of log ends cannot be read"))
    }

    fn decode_bytes(bytes: &Bytes) -> Option<Self> {
        let notes = <Self as Message>::decode(bytes.clone()).ok()?;
        (notes.format == FORMAT).then_some(notes)
    }

    /// The end that the newest note tells of that is no younger than `before`; 0 without one.
    fn end_before(&self, place: usize, before: Millis) -> u64 {
        let old = self.notes.iter().rev().find(|note| note.at <= before.0);
        old.and_then(|note| note.ends.get(place))
            .copied()
            .unwrap_or(0)
    }

    /// Notes where the logs end, unless that was done lately, and forgets what no span reaches any
    /// more but the newest of those. Says whether anything changed.
    fn note(&mut self, ends: &[u64], keep: &Retention, now: Millis) -> bool {
        let (Some(shortest), Some(longest)) = (keep.spans().min(), keep.spans().max()) else {
            return false;
        };
        let last = self.notes.last().map_or(i64::MIN, |note| note.at);
        if Millis(last).saturating_add(shortest / NOTES) > now {
            return false;
        }
        let before = now.saturating_sub(longest);
        let old = self.notes.partition_point(|note| note.at <= before.0);
        self.notes.drain(..old.saturating_sub(1));
        self.notes.push(Note {
            at: now.0,
            ends: ends.to_vec(),
        });
        true
    }
}

impl FeatureStore {
    /// Ends what is older than it is to be kept. Several processes may do so: what one has ended the
    /// others find ended. Of records by an id a 24th of the partitions is looked at, another one each
    /// hour.
    pub async fn end_what_is_old(&self, keep: &Retention, now: Millis) -> Result<Ended, Error> {
        let entries = self.cut_logs(keep, now).await?;
        let mut records = 0;
        let hour = u16::try_from(now.0.div_euclid(Millis::HOUR).rem_euclid(24)).unwrap_or(0);
        let turn = Partition::all().filter(|partition| partition.number() % 24 == hour);
        for partition in turn {
            for (kind, span) in [
                (Kind::Decision, keep.decisions),
                (Kind::DeadLetter, keep.outbox),
            ] {
                if let Some(span) = span {
                    let before = now.saturating_sub(span);
                    records += self.remove_records(partition, kind, before).await?;
                }
            }
        }
        Ok(Ended { entries, records })
    }

    async fn cut_logs(&self, keep: &Retention, now: Millis) -> Result<u64, Error> {
        let key = |partition, id: &str| Key::new(partition, Kind::Offset, id);
        let notes_keys: Vec<Key> = Partition::all().map(|one| key(one, "retention")).collect();
        let counted_keys: Vec<Key> = Partition::all().map(|one| key(one, "items")).collect();
        let stored = self.store().get_many(&notes_keys).await?;
        let counted = self.store().get_many(&counted_keys).await?;
        let logs = Partition::all().flat_map(|one| LOGS.map(|log| (one, log)));
        let logs: Vec<(Partition, Log)> = logs.collect();
        let all_ends = self.store().log_ends(&logs).await?;
        let (mut cuts, mut commits) = (Vec::new(), Vec::new());
        let read = notes_keys.iter().zip(&stored);
        let read = read.zip(counted_keys.iter().zip(&counted));
        for (((notes_key, stored), (counted_key, counted)), ends) in
            read.zip(all_ends.chunks(LOGS.len()))
        {
            let partition = notes_key.partition;
            let counted = counted_up_to(counted_key, counted.as_ref())?;
            let mut notes = Notes::decode(notes_key, stored.as_ref())?;
            for (place, (log, end)) in LOGS.iter().zip(ends).enumerate() {
                let Some(span) = keep.of(*log) else { continue };
                let cut = notes.end_before(place, now.saturating_sub(span));
                // The last entry stays: numbering goes on from it.
                let last = end.saturating_sub(1);
                let most = match *log == Log::Events {
                    true => counted.min(last),
                    false => last,
                };
                cuts.extend((cut.min(most) > 0).then_some((partition, *log, cut.min(most))));
            }
            if notes.note(ends, keep, now) {
                let put = Op::Put {
                    key: notes_key.clone(),
                    expected: stored.as_ref().map_or(0, |stored| stored.version),
                    value: Bytes::from(notes.encode_to_vec()),
                };
                let ops = vec![put];
                commits.push(Commit { partition, ops });
            }
        }
        // Whoever else noted the ends was as right.
        self.store().commit(commits).await?;
        match cuts.is_empty() {
            true => Ok(0),
            false => self.store().trim_logs(&cuts).await,
        }
    }

    /// Removes the records of a kind that were sealed before a day.
    async fn remove_records(
        &self,
        partition: Partition,
        kind: Kind,
        before: Millis,
    ) -> Result<u64, Error> {
        let ids = self.store().list(partition, kind).await?;
        let mut removed = 0;
        for some in ids.chunks(RECORDS) {
            let keys = some.iter().map(|id| Key::new(partition, kind, id));
            let keys: Vec<Key> = keys.collect();
            let values = self.store().get_many(&keys).await?;
            let commits = keys.into_iter().zip(values).filter_map(|(key, stored)| {
                let Versioned { version, value } = stored?;
                // By the end of its day.
                let on = sealed_on(&value)?.0.saturating_add(Millis::DAY);
                let expected = version;
                let ops = vec![Op::Delete { key, expected }];
                (on <= before.0).then_some(Commit { partition, ops })
            });
            let commits: Vec<Commit> = commits.collect();
            let done = self.store().commit(commits).await?;
            let done = done.iter().filter(|one| **one == CommitOutcome::Done);
            removed += u64::try_from(done.count()).unwrap_or(u64::MAX);
        }
        Ok(removed)
    }
}
