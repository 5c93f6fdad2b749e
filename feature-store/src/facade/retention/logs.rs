//! Cutting logs at their beginning.
//!
//! A row that a consumer group has not acknowledged is not cut with the others: a group that is away
//! for long, or that begins anew after a failure, is not to miss what it was promised. It goes when a
//! second, longer time is over, and is counted then.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use super::notes::{LOGS, Notes};
use super::{Ended, Retention};
use crate::Millis;
use crate::facade::FeatureStore;
use crate::items::counted_up_to;
use crate::store::{Commit, Error, GroupPlace, Key, Kind, Log, Op, Partition, Versioned};

/// Logs that consumer groups read.
const QUEUES: [Log; 2] = [Log::Outbox, Log::Redriven];

/// What was read of one partition.
struct Read {
    partition: Partition,
    notes: Notes,
    /// The version of the notes.
    version: u64,
    /// Up to here events are counted.
    counted: u64,
    /// Of each of [`LOGS`].
    ends: Vec<u64>,
    /// The first entry of each that is there; 0 for none.
    firsts: Vec<u64>,
}

/// How far consumer groups have come.
#[derive(Default)]
struct Groups {
    /// The first entry that some group has not acknowledged, where one ever read.
    open: BTreeMap<(Log, Partition), u64>,
    by_log: BTreeMap<Log, BTreeMap<String, BTreeMap<Partition, u64>>>,
}

impl Groups {
    fn add(&mut self, log: Log, place: GroupPlace) {
        let groups = self.by_log.entry(log).or_default();
        let places = groups.entry(place.group).or_default();
        places.insert(place.partition, place.open);
    }

    /// The first entry that some group has not acknowledged; a group that has not come to a partition
    /// yet has acknowledged nothing of it.
    fn close(&mut self) {
        for (log, groups) in &self.by_log {
            for partition in Partition::all() {
                let opens = groups.values();
                let opens = opens.map(|places| places.get(&partition).copied().unwrap_or(1));
                if let Some(open) = opens.min() {
                    self.open.insert((*log, partition), open);
                }
            }
        }
    }

    /// The last entry that every group has acknowledged.
    fn acknowledged(&self, log: Log, partition: Partition) -> u64 {
        let open = self.open.get(&(log, partition));
        open.map_or(u64::MAX, |open| open.saturating_sub(1))
    }

    /// Who has not acknowledged an entry.
    fn behind(&self, log: Log, partition: Partition, entry: u64) -> impl Iterator<Item = &String> {
        let groups = self.by_log.get(&log).into_iter().flatten();
        let behind =
            groups.filter(move |(_, places)| places.get(&partition).copied().unwrap_or(1) <= entry);
        behind.map(|(group, _)| group)
    }
}

impl FeatureStore {
    pub(super) async fn cut_logs(&self, keep: &Retention, now: Millis) -> Result<Ended, Error> {
        let mut ended = Ended::default();
        if keep.spans().next().is_none() {
            return Ok(ended);
        }
        let mut partitions = self.read_notes().await?;
        let groups = self.groups(keep).await?;
        let mut behind = BTreeSet::new();
        let (mut cuts, mut commits) = (Vec::new(), Vec::new());
        for read in &mut partitions {
            for (place, log) in LOGS.iter().enumerate() {
                let cut = read.cut(place, *log, keep, &groups, now, &mut ended);
                let (acknowledged, old) = (groups.acknowledged(*log, read.partition), cut.old);
                if old > acknowledged && old >= read.first(place) {
                    behind.extend(groups.behind(*log, read.partition, old).cloned());
                }
                if cut.up_to > 0 && cut.up_to >= read.first(place) {
                    cuts.push((read.partition, *log, cut.up_to));
                }
            }
            commits.extend(read.note(keep, now));
        }
        ended.behind = behind.into_iter().collect();
        // Whoever else noted the ends was as right.
        self.store().commit(commits).await?;
        for log in LOGS {
            let of_log = cuts.iter().filter(|(_, of, _)| *of == log).copied();
            let of_log: Vec<_> = of_log.collect();
            if !of_log.is_empty() {
                let cut = self.store().trim_logs(&of_log).await?;
                *ended.entries.entry(log).or_default() += cut;
            }
        }
        Ok(ended)
    }

    async fn read_notes(&self) -> Result<Vec<Read>, Error> {
        let store = self.store();
        let key = |partition, id: &str| Key::new(partition, Kind::Offset, id);
        let notes_keys: Vec<Key> = Partition::all().map(|one| key(one, "retention")).collect();
        let counted_keys: Vec<Key> = Partition::all().map(|one| key(one, "items")).collect();
        let stored = store.get_many(&notes_keys).await?;
        let counted = store.get_many(&counted_keys).await?;
        let logs = Partition::all().flat_map(|one| LOGS.map(|log| (one, log)));
        let logs: Vec<(Partition, Log)> = logs.collect();
        let ends = store.log_ends(&logs).await?;
        let starts: Vec<_> = logs.iter().map(|(one, log)| (*one, *log, 0)).collect();
        let firsts = store.read_logs(&starts, 1).await?;
        let firsts = firsts.iter().map(|entries| entries.first());
        let firsts: Vec<u64> = firsts
            .map(|entry| entry.map_or(0, |entry| entry.sequence))
            .collect();
        let ends = ends.chunks(LOGS.len()).zip(firsts.chunks(LOGS.len()));
        let notes = notes_keys.iter().zip(&stored);
        let counted = counted_keys.iter().zip(&counted);
        let read = notes.zip(counted).zip(ends);
        let read = read.map(|(((notes_key, stored), (key, counted)), (ends, firsts))| {
            Ok(Read {
                partition: notes_key.partition,
                notes: Notes::decode(notes_key, stored.as_ref())?,
                version: stored
                    .as_ref()
                    .map_or(0, |stored: &Versioned| stored.version),
                counted: counted_up_to(key, counted.as_ref())?,
                ends: ends.to_vec(),
                firsts: firsts.to_vec(),
            })
        });
        read.collect()
    }

    async fn groups(&self, keep: &Retention) -> Result<Groups, Error> {
        let mut groups = Groups::default();
        for log in QUEUES.into_iter().filter(|log| keep.of(*log).is_some()) {
            for place in self.store().group_places(log).await? {
                groups.add(log, place);
            }
        }
        groups.close();
        Ok(groups)
    }
}

/// What is to be done about a log.
#[derive(Default)]
struct Cut {
    /// Everything up to and with this goes; 0 for nothing.
    up_to: u64,
    /// Everything up to and with this is older than it is to be kept.
    old: u64,
}

impl Read {
    fn first(&self, place: usize) -> u64 {
        self.firsts.get(place).copied().unwrap_or(0)
    }

    /// What is to be cut of a log; counts what stays, and what goes unread.
    fn cut(
        &self,
        place: usize,
        log: Log,
        keep: &Retention,
        groups: &Groups,
        now: Millis,
        ended: &mut Ended,
    ) -> Cut {
        let Some(span) = keep.of(log) else {
            return Cut::default();
        };
        let first = self.first(place);
        let end = self.ends.get(place).copied().unwrap_or(0);
        // The last entry stays: numbering goes on from it.
        let most = match log == Log::Events {
            true => self.counted.min(end.saturating_sub(1)),
            false => end.saturating_sub(1),
        };
        let before = |span| {
            self.notes
                .end_before(place, now.saturating_sub(span))
                .min(most)
        };
        let old = before(span);
        let acknowledged = groups.acknowledged(log, self.partition);
        let far_too_old = keep.unread.map_or(0, before);
        let up_to = old.min(acknowledged).max(old.min(far_too_old));
        // Of those that are there.
        let count = |from: u64, to: u64| (to + 1).saturating_sub(from.max(first).max(1));
        let open = acknowledged.saturating_add(1);
        let add = |to: &mut BTreeMap<Log, u64>, some: u64| {
            if some > 0 {
                *to.entry(log).or_default() += some;
            }
        };
        add(&mut ended.unread, count(open, up_to));
        add(&mut ended.held, count(up_to + 1, old));
        let oldest = first.max(up_to + 1);
        if first > 0 && oldest < end {
            let age = self.notes.age_of(place, oldest, now);
            let known = ended.oldest.entry(log).or_default();
            *known = age.max(*known);
        }
        Cut { up_to, old }
    }

    /// Notes where the logs end, if it is time.
    fn note(&mut self, keep: &Retention, now: Millis) -> Option<Commit> {
        let key = Key::new(self.partition, Kind::Offset, "retention");
        self.notes.note(&self.ends, keep, now).then(|| Commit {
            partition: self.partition,
            ops: vec![Op::Put {
                key,
                expected: self.version,
                value: Bytes::from(prost::Message::encode_to_vec(&self.notes)),
            }],
        })
    }
}
