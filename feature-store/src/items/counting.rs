//! Counting events into item statistics, in memory and in the store.
//!
//! Each partition's counters change together with the number of the last event counted, under the
//! version of that number: of several processes one stores an event's count, once. Each process
//! counts for itself in memory, from the tiles it loaded at its start on.
//!
//! A minute's events come all at once when it closes, half a million of them where much goes on. They
//! are counted a few at a time with rests between, so that requests wait for no more than a few. Who
//! is behind, at the start or because a minute took more than one, does not rest.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::{StreamExt as _, TryStreamExt as _};

use super::ItemStats;
use super::progress::{Addition, EVENTS, Progress, load_partition, put_offset};
use super::tally::Tally;
use super::tiles::Tile;
use crate::Millis;
use crate::seal::Opener;
use crate::store::{Commit, Error, Key, Op, PARTITIONS, Partition, Store, Versioned};

/// Partitions whose events are read at once: some 2,000 events, half a megabyte.
const PARTITIONS_AT_ONCE: usize = 16;
/// Reads after which the counts are stored, though there is more: what fails is read again.
const READS_A_WRITE: usize = 64;
/// How long a rest is, in times of the work before it: at most a quarter of a thread is taken.
const REST: u32 = 3;
/// A store that stood still needs no rest as long.
const LONGEST_REST: Duration = Duration::from_secs(1);
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
    /// Whether there is time to rest between reads.
    rests: bool,
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
            tiles
                .iter()
                .for_each(|(id, tile)| tile.add_to(*id, &mut tally));
            partitions.push(progress);
        }
        Ok(Self {
            tally,
            partitions,
            done: None,
            rests: false,
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
        self.rests = self
            .done
            .is_some_and(|done| as_of.0 - done.0 <= Millis::MINUTE);
        self.tally.advance(as_of);
        // It lives for one minute's events: a key that is destroyed is forgotten here as well.
        let mut opener = Opener::default();
        let all: Vec<_> = (0..self.partitions.len()).collect();
        for positions in all.chunks(PARTITIONS_AT_ONCE) {
            let mut behind = positions.to_vec();
            while !behind.is_empty() {
                behind = self.count_some(store, &behind, &mut opener).await?;
            }
        }
        for progress in &mut self.partitions {
            progress.tidy(store, as_of).await?;
        }
        self.done = Some(as_of);
        Ok(Some(self.tally.take_touched()))
    }

    /// Counts the events of these partitions, and stores what each adds at once; returns those that
    /// have more, or that another process stored meanwhile.
    async fn count_some(
        &mut self,
        store: &dyn Store,
        positions: &[usize],
        opener: &mut Opener,
    ) -> Result<Vec<usize>, Error> {
        let mut additions: Vec<_> = positions
            .iter()
            .filter_map(|position| Some(self.partitions.get(*position)?.addition(*position)))
            .collect();
        for _ in 0..READS_A_WRITE {
            if additions.iter().all(|addition| !addition.more) {
                break;
            }
            let worked = Instant::now();
            self.count_more(store, &mut additions, opener).await?;
            self.rest(worked).await;
        }
        let worked = Instant::now();
        self.store_additions(store, &additions).await?;
        self.rest(worked).await;
        let behind = additions.iter().filter(|addition| {
            let progress = self.partitions.get(addition.position);
            addition.more || progress.is_some_and(|progress| progress.stored < addition.last)
        });
        Ok(behind.map(|addition| addition.position).collect())
    }

    /// Counts the next events of those that have more.
    async fn count_more(
        &mut self,
        store: &dyn Store,
        additions: &mut [Addition],
        opener: &mut Opener,
    ) -> Result<(), Error> {
        let unread = |addition: &&mut Addition| addition.more;
        let mut unread: Vec<_> = additions.iter_mut().filter(unread).collect();
        let from: Vec<_> = unread.iter().map(|addition| addition.from()).collect();
        let logs = store.read_logs(&from, EVENTS).await?;
        let rows: Vec<_> = logs.iter().flatten().map(|entry| &entry.value).collect();
        opener.learn(store, rows).await?;
        for (addition, entries) in unread.iter_mut().zip(&logs) {
            if let Some(progress) = self.partitions.get_mut(addition.position) {
                progress.count(addition, entries, opener, &mut self.tally);
            }
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    async fn rest(&self, worked: Instant) {
        if self.rests {
            let rest = worked.elapsed() * REST;
            tokio::time::sleep(rest.min(LONGEST_REST)).await;
        }
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
            commits.push(Commit {
                partition: *partition,
                ops,
            });
        }
        let outcomes = store.commit(commits).await?;
        let written: Vec<_> = writes
            .iter()
            .map(|write| (write.0.position, write.0.last))
            .collect();
        for ((position, last), outcome) in written.into_iter().zip(outcomes) {
            if let Some(progress) = self.partitions.get_mut(position) {
                progress.settle(store, &outcome, last).await?;
            }
        }
        Ok(())
    }
}

fn put_merged(key: &Key, stored: Option<&Versioned>, addition: &Tile) -> Result<Op, Error> {
    let tile = stored
        .map(|value| Tile::decode(key, &value.value))
        .transpose()?;
    let mut tile = tile.unwrap_or_default();
    tile.merge(addition);
    Ok(Op::Put {
        key: key.clone(),
        expected: stored.map_or(0, |value| value.version),
        value: tile.encode(),
    })
}
