//! Features as they stood at a moment of the past, by the code that serves them.

use std::collections::BTreeMap;
use std::iter::Peekable;
use std::sync::Arc;

use crate::event::{Event, Outcome};
use crate::features::{EntityKind, FeatureValue, Plan};
use crate::items::{Item, ItemRow};
use crate::log::LoggedEvent;
use crate::replay::{MINUTE, Replay};
use crate::time::Millis;

/// The entries of an event log, in the order in which they could be seen.
///
/// Entries of a partition are written in the order of their sequence. One whose clock is behind
/// its predecessor's was waiting to be written, so it could be seen no earlier than that one.
#[derive(Clone, Debug, Default)]
pub struct EventLog {
    entries: Vec<Seen>,
    erased: u64,
}

/// An entry, and from when on it could be read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Seen {
    pub at: Millis,
    pub entry: LoggedEvent,
}

impl EventLog {
    /// Puts entries of any number of partitions, in any order, into the order of a log.
    #[must_use]
    pub fn new(mut entries: Vec<LoggedEvent>) -> Self {
        entries.sort_by_key(|entry| (entry.partition, entry.sequence));
        let mut seen: Vec<Seen> = Vec::with_capacity(entries.len());
        for entry in entries {
            let before = seen.last();
            let before = before.filter(|before| before.entry.partition == entry.partition);
            let at = before.map_or(entry.accepted_at, |before| before.at.max(entry.accepted_at));
            seen.push(Seen { at, entry });
        }
        seen.sort_by_key(|seen| (seen.at, seen.entry.partition, seen.entry.sequence));
        Self {
            entries: seen,
            erased: 0,
        }
    }

    /// Notes how many entries were of shoppers who were erased, and so are not among these.
    #[must_use]
    pub fn with_erased(self, erased: u64) -> Self {
        Self { erased, ..self }
    }

    /// Leaves out what erased shoppers did where it lies in the clear, as in logs of older versions.
    #[must_use]
    pub fn leave_out(mut self, mut is_erased: impl FnMut(&Event) -> bool) -> Self {
        let before = self.entries.len();
        self.entries.retain(|seen| !is_erased(&seen.entry.event));
        self.erased += (before - self.entries.len()) as u64;
        self
    }

    /// How many entries were of shoppers who were erased.
    #[must_use]
    pub fn erased(&self) -> u64 {
        self.erased
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// When its first and its last entry could be seen first; `None` for an empty log.
    #[must_use]
    pub fn span(&self) -> Option<(Millis, Millis)> {
        Some((self.entries.first()?.at, self.entries.last()?.at))
    }

    pub fn entries(&self) -> impl Iterator<Item = &Seen> {
        self.entries.iter()
    }
}

/// What became of the entries of a log.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Applied {
    pub accepted: u64,
    pub duplicate: u64,
    /// By [`crate::RejectCode::as_str`].
    pub rejected: BTreeMap<&'static str, u64>,
}

impl Applied {
    fn count(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::Accepted => self.accepted += 1,
            Outcome::Duplicate => self.duplicate += 1,
            Outcome::Rejected(why) => *self.rejected.entry(why.code.as_str()).or_default() += 1,
        }
    }
}

/// Answers what `GetFeatures` would have answered at a moment: with every entry seen up to it,
/// and none later. Time only moves on.
///
/// The catalogue keeps no history: its features are those of the items given, at all times. The
/// same goes for profiles and consents, of which a log of events knows nothing.
#[derive(Debug)]
pub struct PointInTime {
    plan: Plan,
    log: Peekable<std::vec::IntoIter<Seen>>,
    applied: Applied,
    catalogue: BTreeMap<String, Arc<Item>>,
    replay: Replay,
    /// Whether to count items at all.
    items: bool,
    /// The shopper last asked about: candidates of one moment share their shopper.
    last: Option<Answered>,
}

#[derive(Debug)]
struct Answered {
    shopper: String,
    at: Millis,
    values: Vec<FeatureValue>,
}

impl PointInTime {
    pub fn new(plan: Plan, catalogue: impl IntoIterator<Item = Item>, log: EventLog) -> Self {
        let by_id = |item: Item| (item.item_id.clone(), Arc::new(item));
        Self {
            items: plan.needs(EntityKind::Item),
            plan,
            log: log.entries.into_iter().peekable(),
            applied: Applied::default(),
            catalogue: catalogue.into_iter().map(by_id).collect(),
            replay: Replay::new(),
            last: None,
        }
    }

    /// One value per feature of the plan: the shopper's, and the item's where one is named.
    pub fn answer(&mut self, shopper: &str, item: Option<&str>, at: Millis) -> Vec<FeatureValue> {
        self.see_until(at);
        let of_shopper = self.shopper(shopper, at);
        if !self.items {
            return of_shopper;
        }
        let row = item.and_then(|item| self.item(item, at));
        let of_item = self.plan.item(row.as_ref(), at);
        let features = self.plan.features().iter();
        features
            .zip(of_shopper.into_iter().zip(of_item))
            .map(|(feature, (of_shopper, of_item))| match feature.entity {
                EntityKind::Shopper => of_shopper,
                EntityKind::Item => of_item,
            })
            .collect()
    }

    /// What became of the entries seen so far.
    #[must_use]
    pub fn applied(&self) -> &Applied {
        &self.applied
    }

    /// How many entries no question could see yet.
    #[must_use]
    pub fn unseen(&self) -> usize {
        self.log.len()
    }

    fn see_until(&mut self, at: Millis) {
        while let Some(seen) = self.log.next_if(|seen| seen.at <= at) {
            self.last = None;
            if self.items {
                self.replay.close_minutes(seen.at.floor(MINUTE));
            }
            let outcome = self.replay.apply_seen(&seen.entry, seen.at);
            self.applied.count(&outcome);
        }
    }

    fn shopper(&mut self, shopper: &str, at: Millis) -> Vec<FeatureValue> {
        if let Some(last) = &self.last
            && last.at == at
            && last.shopper == shopper
        {
            return last.values.clone();
        }
        let view = self.replay.view(shopper, at);
        let values = self.plan.shopper(view.as_ref());
        self.last = Some(Answered {
            shopper: shopper.to_owned(),
            at,
            values: values.clone(),
        });
        values
    }

    /// What the item table of a role that follows the log holds at `at`.
    fn item(&mut self, item_id: &str, at: Millis) -> Option<ItemRow> {
        let stats = self.replay.item_stats(item_id, at);
        let item = self.catalogue.get(item_id).cloned();
        (item.is_some() || self.replay.has_counted(item_id)).then(|| ItemRow {
            item_id: Arc::from(item_id),
            item,
            stats,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(partition: u16, sequence: u64, accepted_at: i64) -> LoggedEvent {
        LoggedEvent {
            accepted_at: Millis(accepted_at),
            partition,
            sequence,
            ..LoggedEvent::default()
        }
    }

    #[test]
    fn an_entry_is_seen_no_earlier_than_the_one_before_it_in_its_partition() {
        let log = EventLog::new(vec![
            entry(1, 1, 50),
            entry(0, 2, 10),
            entry(0, 1, 30),
            entry(0, 3, 40),
        ]);
        let seen: Vec<_> = log
            .entries()
            .map(|seen| (seen.at.0, seen.entry.partition, seen.entry.sequence))
            .collect();
        assert_eq!(seen, [(30, 0, 1), (30, 0, 2), (40, 0, 3), (50, 1, 1)]);
        assert_eq!(log.span(), Some((Millis(30), Millis(50))));
    }
}
