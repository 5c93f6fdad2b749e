//! Everything that is kept about a person, read for the person.
//!
//! The logs are not sorted by shopper: of each partition in which an id of the person ever lay, the
//! logs are read from their beginning to where they end as the reading begins, a page at a time. That
//! is a 256th of all logs for each id. Rows of others are told by the key that they are sealed with,
//! and not opened.

use std::collections::BTreeSet;

use bytes::Bytes;

use super::FeatureStore;
use crate::seal::{KeyId, Opener, Sealed, key_id};
use crate::store::{Error, Log, Partition};
use crate::{LoggedEvent, Millis, ShopperView};

/// Entries read at once.
const ENTRIES: usize = 1_024;
/// In the order in which they are told.
const LOGS: [Log; 4] = [Log::Events, Log::Decisions, Log::Outbox, Log::Outcomes];

/// An entry of a log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Exported {
    Event(Box<LoggedEvent>),
    /// A record as it was committed.
    Decision(Bytes),
    /// A row of the outbox.
    Action(Bytes),
    /// An entry as it was logged.
    Outcome(Bytes),
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
    keys: BTreeSet<KeyId>,
    opener: Opener,
    /// Where, after which entry, up to which.
    left: Vec<(Partition, Log, u64, u64)>,
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
        let left = logs.into_iter().zip(ends);
        let left = left.map(|((partition, log), end)| (partition, log, 0, end));
        Ok(Some(Exporter {
            features: self.clone(),
            keys: value.row_keys().map(|key| key.id).collect(),
            opener: Opener::knowing(value.row_keys()),
            left: left.rev().collect(),
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

    /// The person's entries among the next ones of a log; `None` after the last. Those that were
    /// written before rows were sealed are found by the ids in them: of decisions, actions and
    /// outcomes, whoever decodes them asks [`Exporter::is_theirs`].
    pub async fn next(&mut self) -> Result<Option<Vec<Exported>>, Error> {
        let Some((partition, log, after, end)) = self.left.pop() else {
            return Ok(None);
        };
        if after >= end {
            return Ok(Some(Vec::new()));
        }
        let store = self.features.store();
        let mut read = store.read_logs(&[(partition, log, after)], ENTRIES).await?;
        let entries = read.pop().unwrap_or_default();
        let Some(last) = entries.last().map(|entry| entry.sequence) else {
            return Ok(Some(Vec::new()));
        };
        self.left.push((partition, log, last, end));
        let entries = entries.into_iter().filter(|entry| entry.sequence <= end);
        let theirs = entries.filter_map(|entry| self.theirs(log, &entry.value));
        Ok(Some(theirs.collect()))
    }

    /// A row, if it is the person's. One that is damaged is left out, and logged.
    fn theirs(&self, log: Log, row: &Bytes) -> Option<Exported> {
        let opened = match key_id(row) {
            Some(id) if self.keys.contains(&id) => {
                let opened = self.opener.open(Sealed::of_log(log)?, row);
                opened
                    .inspect_err(|error| tracing::error!(%error, "left a row out of an export"))
                    .ok()?
                    .row()?
            }
            Some(_) => return None,
            None => row.clone(),
        };
        Some(match log {
            Log::Events => {
                let logged = LoggedEvent::decode(&opened).ok()?;
                let is_theirs = self.is_theirs(&logged.event.shopper_id);
                Exported::Event(Box::new(is_theirs.then_some(logged)?))
            }
            Log::Decisions => Exported::Decision(opened),
            Log::Outbox => Exported::Action(opened),
            Log::Outcomes => Exported::Outcome(opened),
            Log::Catalog | Log::Policies | Log::Redriven | Log::Erasures => return None,
        })
    }
}
