//! Consumer groups: how far each has come, and what it was handed but has not acknowledged.

use super::engine::Engine;
use super::writer::Writer;
use super::{layout, unavailable};
use crate::Millis;
use crate::store::{Error, GroupPlace, Log, LogEntry, Partition};

/// A group of consumers of one log.
pub(super) struct Group {
    partition: Partition,
    log: Log,
    /// What its keys have in common, after the byte that says which key.
    name: Vec<u8>,
}

impl Group {
    pub(super) fn new(partition: Partition, log: Log, group: &str) -> Self {
        let mut name = partition.number().to_be_bytes().to_vec();
        name.push(layout::log_code(log));
        name.extend_from_slice(group.as_bytes());
        // No text holds this byte, so no group's keys begin with those of another.
        name.push(0xff);
        Self {
            partition,
            log,
            name,
        }
    }

    /// Under this lies the last sequence that was handed out.
    fn cursor(&self) -> Vec<u8> {
        [b"c".as_slice(), &self.name].concat()
    }

    /// What its deliveries begin with.
    fn deliveries(&self) -> Vec<u8> {
        [b"d".as_slice(), &self.name].concat()
    }

    /// Under this lies until when an entry is leased, and to whom.
    fn delivery(&self, sequence: u64) -> Vec<u8> {
        [self.deliveries().as_slice(), &sequence.to_be_bytes()].concat()
    }
}

/// The place of each group of a log, in each partition that it ever read.
pub(super) fn places(engine: &Engine, log: Log) -> Result<Vec<GroupPlace>, Error> {
    let mut places = Vec::new();
    for stored in engine.groups.prefix(b"c") {
        let (key, cursor) = stored.into_inner().map_err(unavailable)?;
        let Some((partition, name)) = parse_cursor(&key, log) else {
            continue;
        };
        let delivered = cursor.first_chunk().copied().map_or(0, u64::from_be_bytes);
        let group = Group::new(partition, log, &name);
        let oldest = engine.groups.prefix(group.deliveries()).next();
        let oldest = oldest.map(|entry| entry.key().map_err(unavailable));
        let oldest = oldest.transpose()?;
        let waiting = oldest.and_then(|key| key.last_chunk().copied().map(u64::from_be_bytes));
        places.push(GroupPlace {
            partition,
            group: name,
            open: waiting.unwrap_or_else(|| delivered.saturating_add(1)),
        });
    }
    Ok(places)
}

/// Partition and group of a cursor of this log.
fn parse_cursor(key: &[u8], log: Log) -> Option<(Partition, String)> {
    let (number, rest) = key.get(1..)?.split_first_chunk::<2>()?;
    let (code, rest) = rest.split_first()?;
    let name = rest
        .strip_suffix(&[0xff])
        .filter(|_| *code == layout::log_code(log))?;
    let partition = Partition::new(u16::from_be_bytes(*number))?;
    Some((partition, std::str::from_utf8(name).ok()?.to_owned()))
}

/// One consumer asking for entries.
pub(super) struct Delivery {
    pub(super) group: Group,
    pub(super) consumer: String,
    pub(super) now: Millis,
    pub(super) until: Millis,
    pub(super) limit: usize,
}

impl Writer {
    pub(super) fn deliver(&self, delivery: &Delivery) -> Result<Vec<LogEntry>, Error> {
        let group = &delivery.group;
        let (mut entries, gone) = self.expired(delivery)?;
        let cursor = self.cursor(group)?;
        let left = delivery.limit.saturating_sub(entries.len());
        let end = self.end(group.partition, group.log);
        let new = self
            .engine
            .read_log(group.partition, group.log, cursor, end, left)?;
        let last = new.last().map_or(cursor, |entry| entry.sequence);
        entries.extend(new);
        let lease = [&layout::time(delivery.until), delivery.consumer.as_bytes()].concat();
        self.apply(|batch| {
            let groups = &self.engine.groups;
            batch.insert(groups, group.cursor(), last.to_be_bytes());
            for sequence in gone {
                batch.remove(groups, group.delivery(sequence));
            }
            for entry in &entries {
                batch.insert(groups, group.delivery(entry.sequence), lease.as_slice());
            }
        })?;
        Ok(entries)
    }

    pub(super) fn extend(
        &self,
        group: &Group,
        held: &[(u64, Millis)],
        until: Millis,
    ) -> Result<Vec<u64>, Error> {
        let groups = &self.engine.groups;
        let mut moved = Vec::new();
        let mut leases = Vec::new();
        for (sequence, end) in held {
            let key = group.delivery(*sequence);
            let Some(stored) = groups.get(&key).map_err(unavailable)? else {
                continue;
            };
            let Some((was, consumer)) = stored.split_first_chunk() else {
                return Err(Error::corrupt(group.partition, "a delivery is too short"));
            };
            if layout::parse_time(*was) == *end {
                moved.push(*sequence);
                leases.push((key, [&layout::time(until), consumer].concat()));
            }
        }
        self.apply(|batch| {
            for (key, lease) in leases {
                batch.insert(groups, key, lease);
            }
        })?;
        Ok(moved)
    }

    pub(super) fn acknowledge(&self, group: &Group, sequences: &[u64]) -> Result<(), Error> {
        self.apply(|batch| {
            for sequence in sequences {
                batch.remove(&self.engine.groups, group.delivery(*sequence));
            }
        })
    }

    fn cursor(&self, group: &Group) -> Result<u64, Error> {
        let stored = self
            .engine
            .groups
            .get(group.cursor())
            .map_err(unavailable)?;
        Ok(stored
            .and_then(|stored| stored.first_chunk().copied())
            .map_or(0, u64::from_be_bytes))
    }

    /// Entries whose lease ran out, and the numbers of those that were cut meanwhile.
    fn expired(&self, delivery: &Delivery) -> Result<(Vec<LogEntry>, Vec<u64>), Error> {
        let group = &delivery.group;
        let (mut entries, mut gone) = (Vec::new(), Vec::new());
        for stored in self.engine.groups.prefix(group.deliveries()) {
            if entries.len() == delivery.limit {
                break;
            }
            let (key, lease) = stored.into_inner().map_err(unavailable)?;
            let (Some(sequence), Some(until)) = (key.last_chunk(), lease.first_chunk()) else {
                return Err(Error::corrupt(group.partition, "a delivery is too short"));
            };
            if layout::parse_time(*until) > delivery.now {
                continue;
            }
            let sequence = u64::from_be_bytes(*sequence);
            let before = sequence.saturating_sub(1);
            let (partition, log) = (group.partition, group.log);
            let found = self.engine.read_log(partition, log, before, sequence, 1)?;
            match found.is_empty() {
                true => gone.push(sequence),
                false => entries.extend(found),
            }
        }
        Ok((entries, gone))
    }
}
