//! One partition: how far its events are counted, in memory and in the store.

use std::collections::BTreeMap;

use bytes::Bytes;
use prost::Message;

use super::tally::{Counts, Tally};
use super::tiles::{Tile, TileId};
use crate::LoggedEvent;
use crate::seal::{Opened, Opener, Sealed};
use crate::store::{
    CommitOutcome, Error, Key, Kind, Log, LogEntry, Op, Partition, Store, Versioned,
};

/// Events read at once from each partition.
pub(super) const EVENTS: usize = 128;

/// How far one partition's event log is counted.
#[derive(Debug)]
pub(super) struct Progress {
    pub(super) partition: Partition,
    /// The last event counted in memory.
    pub(super) seen: u64,
    /// The last event counted in the store, and the version under which that stands.
    pub(super) stored: u64,
    pub(super) version: u64,
    /// The first day that was not folded when the tiles were last tidied.
    pub(super) tidied: Option<i64>,
}

/// What a run of events adds to a partition.
pub(super) struct Addition {
    pub(super) position: usize,
    pub(super) partition: Partition,
    /// The last event of the run.
    pub(super) last: u64,
    pub(super) tiles: BTreeMap<TileId, Tile>,
    /// Whether the log may hold more of the closed minutes.
    pub(super) more: bool,
}

impl Addition {
    /// The log from where the run goes on.
    pub(super) fn from(&self) -> (Partition, Log, u64) {
        (self.partition, Log::Events, self.last)
    }
}

#[derive(Clone, PartialEq, Message)]
struct OffsetRecord {
    #[prost(uint64, tag = "1")]
    sequence: u64,
}

impl Progress {
    /// What is to be added, from where events are not counted yet.
    pub(super) fn addition(&self, position: usize) -> Addition {
        Addition {
            position,
            partition: self.partition,
            last: self.seen.min(self.stored),
            tiles: BTreeMap::new(),
            more: true,
        }
    }

    /// Counts the next entries in memory, and gathers those that the store has not counted.
    pub(super) fn count(
        &mut self,
        addition: &mut Addition,
        entries: &[LogEntry],
        opener: &Opener,
        tally: &mut Tally,
    ) {
        let as_of = tally.as_of();
        addition.more = entries.len() == EVENTS;
        for entry in entries {
            match read(opener, entry) {
                // The minute is not closed yet: this entry and those behind it wait.
                Ok(Some(logged)) if logged.accepted_at >= as_of => {
                    addition.more = false;
                    break;
                }
                Ok(Some(logged)) => {
                    self.count_one(entry.sequence, &logged, tally, addition);
                }
                // Whoever was erased before their events were counted leaves no count.
                Ok(None) => {}
                Err(error) => {
                    let (partition, sequence) = (self.partition, entry.sequence);
                    tracing::error!(%error, %partition, sequence, "left an event uncounted");
                }
            }
            addition.last = entry.sequence;
            self.seen = self.seen.max(entry.sequence);
        }
    }

    fn count_one(
        &self,
        sequence: u64,
        logged: &LoggedEvent,
        tally: &mut Tally,
        addition: &mut Addition,
    ) {
        let event = &logged.event;
        if sequence > self.seen {
            tally.count(&event.item_id, event.kind, event.occurred_at);
        }
        if sequence > self.stored
            && !event.item_id.is_empty()
            && let Some(counts) = Counts::of(event.kind)
            && let Some(tile) = TileId::of(event.occurred_at, tally.as_of())
        {
            addition
                .tiles
                .entry(tile)
                .or_default()
                .add(&event.item_id, counts);
        }
    }

    /// Notes that a commit was made, or reads what another process made of the partition.
    pub(super) async fn settle(
        &mut self,
        store: &dyn Store,
        outcome: &CommitOutcome,
        last: u64,
    ) -> Result<(), Error> {
        match outcome {
            CommitOutcome::Done => (self.stored, self.version) = (last, self.version + 1),
            CommitOutcome::Conflict { .. } => {
                (self.stored, self.version) = read_offset(store, self.partition).await?;
            }
        }
        Ok(())
    }
}

/// An event of the log; `None` when its shopper was erased.
fn read(opener: &Opener, entry: &LogEntry) -> Result<Option<LoggedEvent>, Error> {
    match opener.open(Sealed::Event, &entry.value)? {
        Opened::Row(row) => match LoggedEvent::decode(&row) {
            Ok(logged) => Ok(Some(logged)),
            Err(error) => Err(Error::corrupt("an event", error)),
        },
        Opened::Erased => Ok(None),
    }
}

/// Reads a partition's tiles as they stand at one offset.
pub(super) async fn load_partition(
    store: &dyn Store,
    partition: Partition,
) -> Result<(Progress, Vec<(TileId, Tile)>), Error> {
    loop {
        let (stored, version) = read_offset(store, partition).await?;
        let ids = store.list(partition, Kind::ItemTiles).await?;
        let ids: Vec<_> = ids.iter().filter_map(|id| TileId::parse(id)).collect();
        let keys: Vec<_> = ids.iter().map(|id| id.key(partition)).collect();
        let values = store.get_many(&keys).await?;
        if read_offset(store, partition).await? != (stored, version) {
            continue;
        }
        let mut tiles = Vec::new();
        for ((id, key), value) in ids.into_iter().zip(&keys).zip(values) {
            if let Some(value) = value {
                tiles.push((id, Tile::decode(key, &value.value)?));
            }
        }
        let progress = Progress {
            partition,
            seen: stored,
            stored,
            version,
            tidied: None,
        };
        return Ok((progress, tiles));
    }
}

fn offset_key(partition: Partition) -> Key {
    Key::new(partition, Kind::Offset, "items")
}

/// The last event counted and the version of that number; both 0 before the first.
async fn read_offset(store: &dyn Store, partition: Partition) -> Result<(u64, u64), Error> {
    let key = offset_key(partition);
    let values = store.get_many(std::slice::from_ref(&key)).await?;
    let value = values.into_iter().next().flatten();
    let counted = counted_up_to(&key, value.as_ref())?;
    Ok((counted, value.map_or(0, |value| value.version)))
}

/// The last event counted, of the value that says so; 0 before the first.
pub(crate) fn counted_up_to(key: &Key, stored: Option<&Versioned>) -> Result<u64, Error> {
    let Some(stored) = stored else {
        return Ok(0);
    };
    let record = OffsetRecord::decode(stored.value.clone());
    Ok(record.map_err(|error| Error::corrupt(key, error))?.sequence)
}

pub(super) fn put_offset(partition: Partition, expected: u64, sequence: u64) -> Op {
    Op::Put {
        key: offset_key(partition),
        expected,
        value: Bytes::from(OffsetRecord { sequence }.encode_to_vec()),
    }
}
