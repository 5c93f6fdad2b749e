//! Everything that is kept about a person, read for the person.
//!
//! The logs are not sorted by shopper: of each partition in which an id of the person ever lay, the
//! logs are read from their beginning to where they end as the reading begins, a page at a time. That
//! is a 256th of all logs for each id. Rows of others are told by the key that they are sealed with,
//! and not opened. What codes and links stand for lies anywhere, and is found by a walk over all of
//! them.

use std::collections::BTreeSet;

use bytes::Bytes;

use super::FeatureStore;
use super::deadlines::Wake;
use crate::seal::{KeyId, Opener, Sealed, key_id};
use crate::store::{Error, Key, Kind, Log, Partition, Place};
use crate::{LoggedEvent, Millis, ShopperView};

/// Entries read at once.
const ENTRIES: usize = 1_024;
/// In the order in which they are told.
const LOGS: [Log; 5] = [
    Log::Events,
    Log::Decisions,
    Log::Outbox,
    Log::Redriven,
    Log::Outcomes,
];

/// One thing that is kept beside the person's value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Exported {
    Event(Box<LoggedEvent>),
    /// A record as it was committed.
    Decision(Bytes),
    /// A row of the outbox, or of what was redriven.
    Action(Bytes),
    /// An entry as it was logged.
    Outcome(Bytes),
    /// A dead letter as it was put.
    DeadLetter(Bytes),
    /// What a coupon code stands for: the code's serial, and the record as it was put.
    Coupon(String, Bytes),
    /// The cart that a link brings back: the link's reference, and the record as it was put.
    StoredCart(String, Bytes),
}

/// Reads what is kept about one person.
#[derive(Debug)]
pub struct Exporter {
    features: FeatureStore,
    /// The id that the person is kept under.
    pub person_id: String,
    /// The others, sorted.
    pub other_ids: Vec<String>,
    /// What stands now.
    pub view: Option<ShopperView>,
    /// What the recovery role keeps of each id, of those of which it keeps anything.
    pub recoveries: Vec<(String, Bytes)>,
    /// When somebody looks next whether they have left.
    pub looked_at_next: Option<Millis>,
    keys: BTreeSet<KeyId>,
    opener: Opener,
    /// The last goes first.
    left: Vec<Source>,
}

/// Something to read.
#[derive(Debug)]
enum Source {
    /// A log, after which entry and up to which.
    Log(Partition, Log, u64, u64),
    /// The dead letters of a partition.
    Letters(Partition),
    /// Values of a kind, wherever they lie.
    Values(Kind, Place),
}

impl FeatureStore {
    /// Begins to read what is kept about a person; `None` when there is no value under the id.
    pub async fn export(&self, shopper: &str, now: Millis) -> Result<Option<Exporter>, Error> {
        let (person_id, read) = self.person(shopper).await?;
        if read.version == 0 {
            return Ok(None);
        }
        let value = read.shopper;
        let other_ids: Vec<String> = value.other_ids().into_iter().map(str::to_owned).collect();
        let ids = other_ids.iter().chain([&person_id]);
        let partitions: BTreeSet<Partition> = ids.map(|id| Partition::of(id)).collect();
        let logs = LOGS
            .iter()
            .flat_map(|log| partitions.iter().map(|one| (*one, *log)));
        let logs: Vec<(Partition, Log)> = logs.collect();
        let ends = self.store().log_ends(&logs).await?;
        let logs = logs.into_iter().zip(ends);
        let logs = logs.map(|((partition, log), end)| Source::Log(partition, log, 0, end));
        let letters = partitions.iter().map(|one| Source::Letters(*one));
        let issued = [Kind::Coupon, Kind::StoredCart];
        let issued = issued.map(|kind| Source::Values(kind, Place::default()));
        let left: Vec<Source> = logs.chain(letters).chain(issued).collect();
        let look = Wake::Shopper(person_id.clone()).to_string();
        let looks = [(Partition::of(&person_id), look)];
        let looked_at_next = self.store().deadlines(&looks).await?.pop().flatten();
        let recoveries = value.recoveries(&person_id).into_iter();
        let recoveries = recoveries.map(|(id, section)| (id.to_owned(), section.to_vec().into()));
        Ok(Some(Exporter {
            features: self.clone(),
            keys: value.row_keys().map(|key| key.id).collect(),
            opener: Opener::knowing(value.row_keys()),
            left: left.into_iter().rev().collect(),
            recoveries: recoveries.collect(),
            looked_at_next,
            view: (!value.is_blank()).then(|| value.into_view(now)),
            person_id,
            other_ids,
        }))
    }
}

impl Exporter {
    /// Whether an id is one of the person's.
    #[must_use]
    pub fn is_theirs(&self, id: &str) -> bool {
        id == self.person_id || self.other_ids.iter().any(|other| other == id)
    }

    /// What is the person's among the next things that are read; `None` after the last. What was
    /// written before rows were sealed is found by the ids in it: of decisions, actions, outcomes,
    /// dead letters and coupons, whoever decodes them asks [`Exporter::is_theirs`].
    pub async fn next(&mut self) -> Result<Option<Vec<Exported>>, Error> {
        let Some(source) = self.left.pop() else {
            return Ok(None);
        };
        let read = match source {
            Source::Log(partition, log, after, end) => {
                self.read_log((partition, log), after, end).await
            }
            Source::Letters(partition) => self.read_letters(partition).await,
            Source::Values(kind, place) => self.walk(kind, &place).await,
        };
        read.map(Some)
    }

    async fn read_log(
        &mut self,
        (partition, log): (Partition, Log),
        after: u64,
        end: u64,
    ) -> Result<Vec<Exported>, Error> {
        if after >= end {
            return Ok(Vec::new());
        }
        let store = self.features.store();
        let mut read = store.read_logs(&[(partition, log, after)], ENTRIES).await?;
        let entries = read.pop().unwrap_or_default();
        let Some(last) = entries.last().map(|entry| entry.sequence) else {
            return Ok(Vec::new());
        };
        self.left.push(Source::Log(partition, log, last, end));
        let entries = entries.into_iter().filter(|entry| entry.sequence <= end);
        let theirs = entries.filter_map(|entry| {
            let opened = self.open(Sealed::of_log(log)?, &entry.value)?;
            self.of_log(log, opened)
        });
        Ok(theirs.collect())
    }

    async fn read_letters(&self, partition: Partition) -> Result<Vec<Exported>, Error> {
        let store = self.features.store();
        let ids = store.list(partition, Kind::DeadLetter).await?;
        let mut theirs = Vec::new();
        for some in ids.chunks(ENTRIES) {
            let keys = some.iter();
            let keys = keys.map(|id| Key::new(partition, Kind::DeadLetter, id));
            let keys: Vec<Key> = keys.collect();
            let read = store.get_many(&keys).await?.into_iter().flatten();
            let opened = read.filter_map(|stored| self.open(Sealed::DeadLetter, &stored.value));
            theirs.extend(opened.map(Exported::DeadLetter));
        }
        Ok(theirs)
    }

    async fn walk(&mut self, kind: Kind, from: &Place) -> Result<Vec<Exported>, Error> {
        let store = self.features.store();
        let (keys, next) = store.walk(kind, from, ENTRIES).await?;
        let values = match keys.is_empty() {
            true => Vec::new(),
            false => store.get_many(&keys).await?,
        };
        self.left
            .extend(next.map(|next| Source::Values(kind, next)));
        let read = keys.into_iter().zip(values);
        let theirs = read.filter_map(|(key, stored)| {
            let opened = self.open(Sealed::of_kind(kind)?, &stored?.value)?;
            match kind == Kind::Coupon {
                true => Some(Exported::Coupon(key.id, opened)),
                false => Some(Exported::StoredCart(key.id, opened)),
            }
        });
        Ok(theirs.collect())
    }

    /// A row, if it is sealed with a key of the person's, or not sealed at all. One that is damaged is
    /// left out, and logged.
    fn open(&self, what: Sealed, row: &Bytes) -> Option<Bytes> {
        match key_id(row) {
            Some(id) if self.keys.contains(&id) => {
                let opened = self.opener.open(what, row);
                opened
                    .inspect_err(|error| tracing::error!(%error, "left a row out of an export"))
                    .ok()?
                    .row()
            }
            Some(_) => None,
            // Nothing in a stored cart tells whose it is but the key.
            None => (what != Sealed::StoredCart).then(|| row.clone()),
        }
    }

    fn of_log(&self, log: Log, opened: Bytes) -> Option<Exported> {
        Some(match log {
            Log::Events => {
                let logged = LoggedEvent::decode(&opened).ok()?;
                let is_theirs = self.is_theirs(&logged.event.shopper_id);
                Exported::Event(Box::new(is_theirs.then_some(logged)?))
            }
            Log::Decisions => Exported::Decision(opened),
            Log::Outbox | Log::Redriven => Exported::Action(opened),
            Log::Outcomes => Exported::Outcome(opened),
            Log::Catalog | Log::Policies | Log::Erasures => return None,
        })
    }
}
