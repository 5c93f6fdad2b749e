//! Training equals serving: the event log, replayed in the order of its acceptance, gives what
//! serving saw.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use xxhash_rust::xxh3::Xxh3DefaultBuilder;

use crate::event::{EventKind, Outcome};
use crate::items::{ItemStats, Tally};
use crate::log::LoggedEvent;
use crate::state::Shopper;
use crate::time::Millis;
use crate::view::ShopperView;

/// Item statistics stand still between closed minutes.
pub(crate) const MINUTE: Duration = Duration::from_secs(60);

/// The state of every shopper and item after the entries applied so far.
///
/// To see what serving saw at `t`, apply the entries with `accepted_at` up to `t`, each partition
/// in the order of its sequence, and then ask at `t`.
#[derive(Debug, Default)]
pub struct Replay {
    shoppers: BTreeMap<String, Shopper>,
    tally: Tally,
    /// Items that were ever counted.
    counted: HashSet<Arc<str>, Xxh3DefaultBuilder>,
    /// Accepted, and not yet in a closed minute.
    open: Vec<Uncounted>,
}

#[derive(Debug)]
struct Uncounted {
    seen_at: Millis,
    item_id: String,
    kind: EventKind,
    occurred_at: Millis,
}

impl Replay {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Applies the next entry, against the clock of the moment when it was accepted.
    pub fn apply(&mut self, entry: &LoggedEvent) -> Outcome {
        self.apply_seen(entry, entry.accepted_at)
    }

    /// The same for an entry that could be read from `seen_at` on.
    pub(crate) fn apply_seen(&mut self, entry: &LoggedEvent, seen_at: Millis) -> Outcome {
        let event = &entry.event;
        let outcome = match self.shoppers.get_mut(&event.shopper_id) {
            Some(shopper) => shopper.apply(event, entry.accepted_at),
            None => {
                let mut shopper = Shopper::empty();
                let outcome = shopper.apply(event, entry.accepted_at);
                // Serving stores nobody of whom it has accepted nothing.
                if outcome == Outcome::Accepted {
                    self.shoppers.insert(event.shopper_id.clone(), shopper);
                }
                outcome
            }
        };
        if outcome == Outcome::Accepted {
            self.open.push(Uncounted {
                seen_at,
                item_id: event.item_id.clone(),
                kind: event.kind,
                occurred_at: event.occurred_at,
            });
        }
        outcome
    }

    /// `None` for a shopper of whom nothing was accepted.
    #[must_use]
    pub fn view(&self, shopper: &str, now: Millis) -> Option<ShopperView> {
        self.shoppers.get(shopper).map(|state| state.view(now))
    }

    #[must_use]
    pub fn shopper(&self, shopper: &str) -> Option<&Shopper> {
        self.shoppers.get(shopper)
    }

    /// Ids of all shoppers seen, sorted.
    pub fn shoppers(&self) -> impl Iterator<Item = &str> {
        self.shoppers.keys().map(String::as_str)
    }

    /// The statistics of an item as of the last minute closed at `now`. Time only moves on: a
    /// `now` before an earlier question's gets that question's minute.
    pub fn item_stats(&mut self, item_id: &str, now: Millis) -> ItemStats {
        self.close_minutes(now.floor(MINUTE));
        self.tally.stats(item_id)
    }

    /// Whether an item was in a closed minute's counts by the last question or closing.
    pub(crate) fn has_counted(&self, item_id: &str) -> bool {
        self.counted.contains(item_id)
    }

    /// Counts what was accepted before `as_of`, each minute by itself as serving does it: when an
    /// old event is counted decides in which windows it still lies.
    pub(crate) fn close_minutes(&mut self, as_of: Millis) {
        if as_of <= self.tally.as_of() {
            return;
        }
        let open = std::mem::take(&mut self.open).into_iter();
        let (mut closed, open): (Vec<_>, Vec<_>) = open.partition(|entry| entry.seen_at < as_of);
        self.open = open;
        // Partitions may have come one after the other, so the entries are not sorted by time.
        closed.sort_by_key(|entry| entry.seen_at);
        for entry in &closed {
            let minute = entry.seen_at.floor(MINUTE).saturating_add(MINUTE);
            self.tally.advance(minute);
            self.tally
                .count(&entry.item_id, entry.kind, entry.occurred_at);
        }
        self.tally.advance(as_of);
        let touched = self.tally.take_touched();
        self.counted.extend(touched.into_iter().map(|(id, _)| id));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Event;

    const START: i64 = 1_700_000_040_000;

    fn entry(id: &str, accepted: i64) -> LoggedEvent {
        let event = Event {
            event_id: id.into(),
            shopper_id: "s".into(),
            item_id: "a".into(),
            occurred_at: Millis(START),
            ..Event::default()
        };
        LoggedEvent {
            accepted_at: Millis(START + accepted),
            event,
            ..LoggedEvent::default()
        }
    }

    #[test]
    fn item_statistics_are_those_of_the_last_closed_minute() {
        assert_eq!(Millis(START).floor(MINUTE), Millis(START));
        let mut replay = Replay::new();
        for (id, accepted) in [("1", 0), ("2", 59_999), ("2", 59_999), ("3", 60_000)] {
            replay.apply(&entry(id, accepted));
        }
        let mut views = |at| replay.item_stats("a", Millis(START + at)).views_24h;
        assert_eq!(views(59_999), 0);
        assert_eq!(views(60_000), 2);
        assert_eq!(views(119_999), 2);
        assert_eq!(views(120_000), 3);
        assert_eq!(views(0), 3, "time only moves on");
        assert_eq!(views(3 * Millis::DAY), 0);
    }
}
