//! Training equals serving: the event log, replayed in the order of its acceptance, gives what
//! serving saw.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::event::{EventKind, Outcome};
use crate::items::{ItemStats, Tally};
use crate::log::LoggedEvent;
use crate::state::Shopper;
use crate::time::Millis;
use crate::view::ShopperView;

/// Item statistics stand still between closed minutes.
const MINUTE: Duration = Duration::from_secs(60);

/// The state of every shopper and item after the entries applied so far.
///
/// To see what serving saw at `t`, apply the entries with `accepted_at` up to `t`, each partition
/// in the order of its sequence, and then ask at `t`.
#[derive(Debug, Default)]
pub struct Replay {
    shoppers: BTreeMap<String, Shopper>,
    tally: Tally,
    /// Accepted, and not yet in a closed minute.
    open: VecDeque<Uncounted>,
}

#[derive(Debug)]
struct Uncounted {
    accepted_at: Millis,
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
        let event = &entry.event;
        let shopper = self.shoppers.entry(event.shopper_id.clone()).or_default();
        let outcome = shopper.apply(event, entry.accepted_at);
        if outcome == Outcome::Accepted {
            self.open.push_back(Uncounted {
                accepted_at: entry.accepted_at,
                item_id: event.item_id.clone(),
                kind: event.kind,
                occurred_at: event.occurred_at,
            });
        }
        outcome
    }

    /// `None` for a shopper without an entry.
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

    fn close_minutes(&mut self, as_of: Millis) {
        if as_of <= self.tally.as_of() {
            return;
        }
        self.tally.advance(as_of);
        let tally = &mut self.tally;
        // Partitions may come one after the other, so the entries are not sorted by time.
        self.open.retain(|entry| {
            let closed = entry.accepted_at < as_of;
            if closed {
                tally.count(&entry.item_id, entry.kind, entry.occurred_at);
            }
            !closed
        });
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
