//! Taking events in: read the shoppers, apply, commit each partition.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use tracing::Instrument as _;

use super::FeatureStore;
use super::deadlines::Wake;
use super::shoppers::decode;
use super::tombstones::Begins;
use crate::seal::Sealed;
use crate::store::{Commit, CommitOutcome, Error, Key, Log, Op, Partition, Versioned};
use crate::{Event, LoggedEvent, Millis, Outcome, RejectCode, Rejection, Shopper};

/// Positions in the batch, by whose value they are for, by partition: both in a fixed order.
type Batch<'e> = BTreeMap<Partition, BTreeMap<Cow<'e, str>, Vec<usize>>>;

/// Positions of the events of shoppers whose values are under another id.
type Elsewhere = BTreeMap<String, Vec<usize>>;

/// Shoppers worked on between two chances for other tasks to run.
const SHOPPERS_A_TURN: usize = 16;

impl FeatureStore {
    /// Applies events, in their order, and answers one outcome each, in the same order.
    ///
    /// An accepted event has changed state, log and deadline, as durably as the store promises.
    /// On [`Error::Unavailable`] nothing is promised; handing the batch in again is harmless.
    pub async fn ingest(&self, events: &[Event], now: Millis) -> Result<Vec<Outcome>, Error> {
        let mut outcomes = vec![Outcome::Duplicate; events.len()];
        let mut batch = Batch::new();
        for (position, event) in events.iter().enumerate() {
            add(&mut batch, Cow::Borrowed(&event.shopper_id), position);
        }
        let mut attempts = Attempts::default();
        loop {
            let elsewhere = self.ingest_batch(events, batch, now, &mut outcomes).await?;
            if elsewhere.is_empty() {
                return Ok(outcomes);
            }
            batch = self.follow(elsewhere, &mut outcomes).await?;
            attempts.wait(self.store().name()).await?;
        }
    }

    /// Who the linked shoppers are: one more read each, and only for them.
    async fn follow<'e>(
        &self,
        elsewhere: Elsewhere,
        outcomes: &mut [Outcome],
    ) -> Result<Batch<'e>, Error> {
        let mut batch = Batch::new();
        for (shopper, positions) in elsewhere {
            let person = match self.person(&shopper).await {
                Ok((person, _)) => person,
                Err(error @ Error::Corrupt { .. }) => {
                    refuse(&shopper, &positions, &error, outcomes);
                    continue;
                }
                Err(error) => return Err(error),
            };
            for position in positions {
                add(&mut batch, Cow::Owned(person.clone()), position);
            }
        }
        for positions in batch.values_mut().flat_map(BTreeMap::values_mut) {
            positions.sort_unstable();
        }
        Ok(batch)
    }

    /// Ingests what is for these values; answers what turned out to be for others.
    async fn ingest_batch(
        &self,
        events: &[Event],
        mut batch: Batch<'_>,
        now: Millis,
        outcomes: &mut [Outcome],
    ) -> Result<Elsewhere, Error> {
        let ids = batch.values().flat_map(BTreeMap::keys);
        let _lanes = self.lanes(ids.map(Cow::as_ref)).await;
        let mut attempts = Attempts::default();
        let mut elsewhere = Elsewhere::new();
        loop {
            let read = self.read_batch(&batch, attempts.is_first()).await?;
            let commits = self
                .apply(events, &batch, read, now, (outcomes, &mut elsewhere))
                .await?;
            let partitions: Vec<_> = commits.iter().map(|commit| commit.partition).collect();
            let commit = self.store().commit(commits);
            let done = commit.instrument(self.writing(partitions.len())).await?;
            let conflicts: Vec<_> = partitions
                .into_iter()
                .zip(done)
                .filter_map(|(partition, outcome)| match outcome {
                    CommitOutcome::Done => None,
                    CommitOutcome::Conflict { .. } => Some(partition),
                })
                .collect();
            if conflicts.is_empty() {
                return Ok(elsewhere);
            }
            batch.retain(|partition, _| conflicts.contains(partition));
            attempts.wait(self.store().name()).await?;
        }
    }

    /// Reads the shoppers of a batch, in its order. Whether somebody new was erased before is asked
    /// only when a commit says that somebody was: until then it rests on that nobody was.
    async fn read_batch(&self, batch: &Batch<'_>, is_first: bool) -> Result<Vec<Read>, Error> {
        let keys: Vec<_> = batch
            .iter()
            .flat_map(|(partition, shoppers)| shoppers.keys().map(|id| (*partition, id.as_ref())))
            .map(|(partition, id)| Key::new(partition, crate::store::Kind::Shopper, id))
            .collect();
        let read = self.store().get_many(&keys).instrument(self.reading(&keys));
        let values = read.await?;
        let absent = keys.iter().zip(&values);
        let absent = absent.filter_map(|(key, value)| value.is_none().then_some(key.id.as_str()));
        let absent: Vec<&str> = absent.collect();
        let begins = match is_first && !absent.is_empty() {
            true => {
                let mac_key = self.mac_key().await?;
                let unread = absent.iter().map(|id| Begins::unread(&mac_key, id));
                unread.collect()
            }
            false => self.begins(&absent).await?,
        };
        let mut begins = begins.into_iter();
        let read = keys.into_iter().zip(values).map(|(key, value)| Read {
            begins: match value {
                Some(_) => Begins::default(),
                None => begins.next().unwrap_or_default(),
            },
            key,
            value,
        });
        Ok(read.collect())
    }

    /// Turns the events of shoppers as they were read into outcomes and commits.
    async fn apply(
        &self,
        events: &[Event],
        batch: &Batch<'_>,
        read: Vec<Read>,
        now: Millis,
        (outcomes, elsewhere): (&mut [Outcome], &mut Elsewhere),
    ) -> Result<Vec<Commit>, Error> {
        let mut stored = read.iter();
        let mut commits = Vec::new();
        let mut turn = 0;
        for (partition, shoppers) in batch {
            let mut ops = Vec::new();
            for positions in shoppers.values() {
                let Some(stored) = stored.next() else {
                    continue;
                };
                let change = Change {
                    events,
                    positions,
                    stored,
                    now,
                    idle: self.inner.settings.idle,
                };
                ops.extend(change.make(outcomes, elsewhere)?);
                turn += 1;
                if turn % SHOPPERS_A_TURN == 0 {
                    tokio::task::yield_now().await;
                }
            }
            if !ops.is_empty() {
                commits.push(Commit {
                    partition: *partition,
                    ops,
                });
            }
        }
        Ok(commits)
    }
}

/// A shopper's value as it was read, and how it begins where there is none.
struct Read {
    key: Key,
    value: Option<Versioned>,
    begins: Begins,
}

impl Read {
    fn shopper(&self) -> Result<Shopper, Error> {
        match &self.value {
            Some(value) => decode(&self.key, value),
            None => Ok(self.begins.shopper()),
        }
    }

    fn put(&self, shopper: &Shopper) -> Vec<Op> {
        let version = self.value.as_ref().map_or(0, |value| value.version);
        let value = Bytes::from(shopper.encode());
        self.begins.put(&self.key, version, value)
    }
}

/// What a batch says of one shopper.
struct Change<'a> {
    events: &'a [Event],
    positions: &'a [usize],
    stored: &'a Read,
    now: Millis,
    idle: Duration,
}

impl Change<'_> {
    /// Applies the shopper's events and says what to write: nothing unless one was accepted.
    fn make(&self, outcomes: &mut [Outcome], elsewhere: &mut Elsewhere) -> Result<Vec<Op>, Error> {
        let key = &self.stored.key;
        let mut shopper = match self.stored.shopper() {
            Ok(shopper) => shopper,
            Err(error) => {
                refuse(&key.id, self.positions, &error, outcomes);
                return Ok(Vec::new());
            }
        };
        let is_whole = shopper.moved_to().is_none() && shopper.erasing.is_none();
        let before = shopper.earliest_look(self.idle);
        let mut appends = Vec::new();
        for position in self.positions {
            let (Some(event), Some(outcome)) =
                (self.events.get(*position), outcomes.get_mut(*position))
            else {
                continue;
            };
            let id = &event.shopper_id;
            if !is_whole || (*id != key.id && !shopper.is_linked(id)) {
                elsewhere.entry(id.clone()).or_default().push(*position);
                continue;
            }
            *outcome = shopper.apply(event, self.now);
            if *outcome == Outcome::Accepted {
                appends.extend(self.append(event, &mut shopper)?);
            }
        }
        if appends.is_empty() {
            return Ok(appends);
        }
        let mut ops = self.stored.put(&shopper);
        ops.extend(self.deadline(before, shopper.earliest_look(self.idle)));
        ops.append(&mut appends);
        Ok(ops)
    }

    /// The event's entry of the log, sealed with the key of its shopper, and the key when it is new.
    fn append(&self, event: &Event, shopper: &mut Shopper) -> Result<Vec<Op>, Error> {
        let partition = self.stored.key.partition;
        let (row_key, is_new) = shopper.need_row_key_of(&event.shopper_id, partition)?;
        let entry = LoggedEvent {
            accepted_at: self.now,
            partition: partition.number(),
            // The store gives the number; a reader takes it from the entry.
            sequence: 0,
            event: event.clone(),
        };
        let append = Op::Append {
            log: Log::Events,
            value: row_key.seal(Sealed::Event, None, &entry.encode())?,
        };
        let keep = row_key.put().filter(|_| is_new);
        Ok(keep.into_iter().chain([append]).collect())
    }

    /// When somebody is to look at the shopper, by when they were last active. It is written only
    /// when that moment or the cart changed: one that was claimed keeps its lease, and a late event
    /// about another cart is looked at although nobody was active since.
    fn deadline(&self, before: (Option<Millis>, u64), after: (Option<Millis>, u64)) -> Option<Op> {
        let id = Wake::Shopper(self.stored.key.id.clone()).to_string();
        match after.0 {
            _ if before == after => None,
            Some(due_at) => Some(Op::Schedule { id, due_at }),
            None => Some(Op::Cancel { id }),
        }
    }
}

fn add<'e>(batch: &mut Batch<'e>, id: Cow<'e, str>, position: usize) {
    let shoppers = batch.entry(Partition::of(&id)).or_default();
    shoppers.entry(id).or_default().push(position);
}

/// A value that cannot be read is never written over, and stops nobody else's events.
fn refuse(shopper: &str, positions: &[usize], error: &Error, outcomes: &mut [Outcome]) {
    tracing::error!(%error, "refused the events of a shopper whose state is unreadable");
    for position in positions {
        if let Some(outcome) = outcomes.get_mut(*position) {
            *outcome = Outcome::Rejected(Rejection {
                code: RejectCode::Invalid,
                field: "shopper_id",
                detail: format!("shopper_id is {shopper:?}: {error}"),
            });
        }
    }
}

/// Counts how often a write lost against other processes, and waits longer each time.
#[derive(Default)]
pub(super) struct Attempts(u32);

impl Attempts {
    const MOST: u32 = 200;

    pub(super) fn is_first(&self) -> bool {
        self.0 == 0
    }

    pub(super) async fn wait(&mut self, store: &'static str) -> Result<(), Error> {
        self.0 += 1;
        if self.0 > Self::MOST {
            let detail = format!("other processes won {} writes in a row", Self::MOST);
            return Err(Error::Unavailable { store, detail });
        }
        tokio::time::sleep(Duration::from_millis(u64::from(self.0.min(20)))).await;
        Ok(())
    }
}
