//! Counting events into item statistics, in memory and in the store.
//!
//! Each partition's counters change together with the number of the last event counted, under the
//! version of that number: of several processes one stores an event's count, once. Each process
//! counts for itself in memory, from the tiles it loaded at its start on.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _};
use prost::Message;

use super::ItemStats;
use super::tally::{Counts, Tally, first_hour};
use super::tiles::{Fate, Tile, TileId};
use crate::store::{
    Commit, CommitOutcome, Error, Key, Kind, Log, LogEntry, Op, PARTITIONS, Partition, Store,
    Versioned,
};
use crate::{LoggedEvent, Millis};

/// Events read at once from each partition, and partitions read at once: at most some 5 MB.
const EVENTS: usize = 512;
const PARTITIONS_AT_ONCE: usize = 64;
/// Partitions loaded at the same time.
const LOADS: usize = 16;

/// The items that changed, with their statistics now.
pub(crate) type Changed = Vec<(Arc<str>, ItemStats)>;

/// The statistics of all items, and how far each partition's event log is counted.
#[derive(Debug)]
pub(crate) struct Counting {
    tally: Tally,
    partitions: Vec<Progress>,
    /// The minute up to which everything is counted.
    done: Option<Millis>,
}

/// How far one partition's event log is counted.
#[derive(Debug)]
struct Progress {
    partition: Partition,
    /// The last event counted in memory.
    seen: u64,
    /// The last event counted in the store, and the version under which that stands.
    stored: u64,
    version: u64,
    /// The first day that was not folded when the tiles were last tidied.
    tidied: Option<i64>,
}

/// What a run of events adds to a partition.
struct Addition {
    position: usize,
    last: u64,
    tiles: BTreeMap<TileId, Tile>,
    more: bool,
}

#[derive(Clone, PartialEq, Message)]
struct OffsetRecord {
    #[prost(uint64, tag = "1")]
    sequence: u64,
}

impl Counting {
    /// Loads what is counted already.
    pub(crate) async fn load(store: &dyn Store, as_of: Millis) -> Result<Self, Error> {
        let mut tally = Tally::new();
        tally.advance(as_of);
        let loads = Partition::all().map(|partition| load_partition(store, partition));
        let mut loads = futures::stream::iter(loads).buffered(LOADS);
        let mut partitions = Vec::with_capacity(usize::from(PARTITIONS));
        while let Some((progress, tiles)) = loads.try_next().await? {
            tiles.iter().for_each(|(id, tile)| tile.add_to(*id, &mut tally));
            partitions.push(progress);
        }
        Ok(Self {
            tally,
            partitions,
            done: None,
        })
    }

    /// Counts every event accepted before `as_of`; `None` if that is done already.
    pub(crate) async fn catch_up(
        &mut self,
        store: &dyn Store,
        as_of: Millis,
    ) -> Result<Option<Changed>, Error> {
        if self.done.is_some_and(|done| done >= as_of) {
            return Ok(None);
        }
        self.tally.advance(as_of);
        let all: Vec<_> = (0..self.partitions.len()).collect();
        for positions in all.chunks(PARTITIONS_AT_ONCE) {
            let mut behind = positions.to_vec();
            while !behind.is_empty() {
                behind = self.count_more(store, &behind).await?;
            }
        }
        for progress in &mut self.partitions {
            progress.tidy(store, as_of).await?;
        }
        self.done = Some(as_of);
        Ok(Some(self.tally.take_touched()))
    }

    /// Counts the next events of these partitions; returns those that have more.
    async fn count_more(
        &mut self,
        store: &dyn Store,
        positions: &[usize],
    ) -> Result<Vec<usize>, Error> {
        let from: Vec<_> = positions
            .iter()
            .filter_map(|position| self.partitions.get(*position))
            .map(|progress| (progress.partition, Log::Events, progress.seen.min(progress.stored)))
            .collect();
        let logs = store.read_logs(&from, EVENTS).await?;
        let additions: Vec<_> = positions
            .iter()
            .zip(&logs)
            .filter_map(|(position, entries)| {
                let progress = self.partitions.get_mut(*position)?;
                Some(progress.count(*position, entries, &mut self.tally))
            })
            .collect();
        self.store_additions(store, &additions).await?;
        let behind = additions.iter().filter(|addition| {
            let progress = self.partitions.get(addition.position);
            addition.more || progress.is_some_and(|progress| progress.stored < addition.last)
        });
        Ok(behind.map(|addition| addition.position).collect())
    }

    async fn store_additions(
        &mut self,
        store: &dyn Store,
        additions: &[Addition],
    ) -> Result<(), Error> {
        let mut writes = Vec::new();
        for addition in additions {
            let Some(progress) = self.partitions.get(addition.position) else {
                continue;
            };
            if addition.last > progress.stored {
                writes.push((addition, progress.partition, progress.version));
            }
        }
        let keys: Vec<_> = writes
            .iter()
            .flat_map(|(addition, partition, _)| {
                addition.tiles.keys().map(|tile| tile.key(*partition))
            })
            .collect();
        let mut stored = keys.iter().zip(store.get_many(&keys).await?);
        let mut commits = Vec::new();
        for (addition, partition, version) in &writes {
            let mut ops = vec![put_offset(*partition, *version, addition.last)];
            for (tile, (key, value)) in addition.tiles.values().zip(stored.by_ref()) {
                ops.push(put_merged(key, value.as_ref(), tile)?);
            }
            commits.push(Commit { partition: *partition, ops });
        }
        let outcomes = store.commit(commits).await?;
        let written: Vec<_> = writes.iter().map(|write| (write.0.position, write.0.last)).collect();
        for ((position, last), outcome) in written.into_iter().zip(outcomes) {
            if let Some(progress) = self.partitions.get_mut(position) {
                progress.settle(store, &outcome, last).await?;
            }
        }
        Ok(())
    }
}

impl Progress {
    /// Counts entries in memory, and gathers those that the store has not counted.
    fn count(&mut self, position: usize, entries: &[LogEntry], tally: &mut Tally) -> Addition {
        let as_of = tally.as_of();
        let mut addition = Addition {
            position,
            last: self.seen.min(self.stored),
            tiles: BTreeMap::new(),
            more: entries.len() == EVENTS,
        };
        for entry in entries {
            match LoggedEvent::decode(&entry.value) {
                // The minute is not closed yet: this entry and those behind it wait.
                Ok(logged) if logged.accepted_at >= as_of => {
                    addition.more = false;
                    break;
                }
                Ok(logged) => self.count_one(entry.sequence, &logged, tally, &mut addition),
                Err(error) => {
                    let (partition, sequence) = (self.partition, entry.sequence);
                    tracing::error!(%error, %partition, sequence, "left an event uncounted");
                }
            }
            addition.last = entry.sequence;
            self.seen = self.seen.max(entry.sequence);
        }
        addition
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
            addition.tiles.entry(tile).or_default().add(&event.item_id, counts);
        }
    }

    /// Notes that a commit was made, or reads what another process made of the partition.
    async fn settle(
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

    /// Folds the hours of days gone by, and drops what lies before every window. Once a day.
    async fn tidy(&mut self, store: &dyn Store, as_of: Millis) -> Result<(), Error> {
        let today = first_hour(as_of).div_euclid(24);
        if self.tidied.is_some_and(|day| day >= today) {
            return Ok(());
        }
        let (sources, mut folded) = read_tiles(store, self.partition, as_of).await?;
        let mut ops = vec![put_offset(self.partition, self.version, self.stored)];
        for (key, id, source) in &sources {
            if let Fate::FoldInto(day) = id.fate(as_of)
                && let Some((_, _, tile)) = folded.get_mut(&day)
            {
                tile.merge(&Tile::decode(key, &source.value)?);
            }
            ops.push(Op::Delete { key: key.clone(), expected: source.version });
        }
        ops.extend(folded.into_values().map(|(key, expected, tile)| Op::Put {
            key,
            expected,
            value: tile.encode(),
        }));
        if !sources.is_empty() {
            let commit = Commit { partition: self.partition, ops };
            for outcome in store.commit(vec![commit]).await? {
                self.settle(store, &outcome, self.stored).await?;
                if outcome != CommitOutcome::Done {
                    return Ok(());
                }
            }
        }
        self.tidied = Some(today);
        Ok(())
    }
}

type Sources = Vec<(Key, TileId, Versioned)>;
type Folded = BTreeMap<TileId, (Key, u64, Tile)>;

/// The tiles that are to go, and the days that the hours among them are to be folded into.
async fn read_tiles(
    store: &dyn Store,
    partition: Partition,
    as_of: Millis,
) -> Result<(Sources, Folded), Error> {
    let ids = store.list(partition, Kind::ItemTiles).await?;
    let old = ids.iter().filter_map(|id| TileId::parse(id));
    let old: Vec<_> = old.filter(|id| id.fate(as_of) != Fate::Keep).collect();
    let keys: Vec<_> = old.iter().map(|id| id.key(partition)).collect();
    let values = store.get_many(&keys).await?;
    let sources = keys.into_iter().zip(&old).zip(values);
    let sources = sources.filter_map(|((key, id), value)| Some((key, *id, value?))).collect();
    let mut days: Vec<_> = old
        .iter()
        .filter_map(|id| match id.fate(as_of) {
            Fate::FoldInto(day) => Some(day),
            Fate::Keep | Fate::Drop => None,
        })
        .collect();
    days.dedup();
    let keys: Vec<_> = days.iter().map(|day| day.key(partition)).collect();
    let values = store.get_many(&keys).await?;
    let mut folded = BTreeMap::new();
    for ((day, key), value) in days.into_iter().zip(keys).zip(values) {
        let tile = value.as_ref().map(|value| Tile::decode(&key, &value.value)).transpose()?;
        let expected = value.map_or(0, |value| value.version);
        folded.insert(day, (key, expected, tile.unwrap_or_default()));
    }
    Ok((sources, folded))
}

/// Reads a partition's tiles as they stand at one offset.
async fn load_partition(
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
        let progress = Progress { partition, seen: stored, stored, version, tidied: None };
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
    let Some(value) = values.into_iter().next().flatten() else {
        return Ok((0, 0));
    };
    let record =
        OffsetRecord::decode(value.value).map_err(|error| Error::corrupt(&key, error))?;
    Ok((record.sequence, value.version))
}

fn put_offset(partition: Partition, expected: u64, sequence: u64) -> Op {
    Op::Put {
        key: offset_key(partition),
        expected,
        value: Bytes::from(OffsetRecord { sequence }.encode_to_vec()),
    }
}

fn put_merged(key: &Key, stored: Option<&Versioned>, addition: &Tile) -> Result<Op, Error> {
    let tile = stored.map(|value| Tile::decode(key, &value.value)).transpose()?;
    let mut tile = tile.unwrap_or_default();
    tile.merge(addition);
    Ok(Op::Put {
        key: key.clone(),
        expected: stored.map_or(0, |value| value.version),
        value: tile.encode(),
    })
}
