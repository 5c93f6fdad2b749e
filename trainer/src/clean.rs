//! The events that serving would have accepted: training sees no others.

use std::collections::HashMap;

use feature_store::{Event, LoggedEvent, Outcome, Replay};
use xxhash_rust::xxh3::Xxh3DefaultBuilder;

use crate::report::Counts;
use crate::sessions::order;

/// Accepted events in the order of time, and what became of the rest.
#[derive(Clone, Debug, Default)]
pub struct Cleaned {
    pub events: Vec<Event>,
    pub counts: Counts,
}

/// Applies the same checks as serving to events that arrive at the moment they happened: limits,
/// duplicates by event id, and rates no person reaches. The order of `events` does not matter.
pub fn clean(events: &[Event]) -> Cleaned {
    let mut sorted: Vec<&Event> = events.iter().collect();
    sorted.sort_by(|a, b| order(a).cmp(&order(b)));
    let mut cleaned = Cleaned::default();
    let mut replay = Replay::new();
    for (event, sequence) in sorted.into_iter().zip(0..) {
        let entry = arrived(event.clone(), sequence);
        match replay.apply(&entry) {
            Outcome::Accepted => {
                cleaned.counts.accepted += 1;
                cleaned.events.push(entry.event);
            }
            Outcome::Duplicate => cleaned.counts.duplicates += 1,
            Outcome::Rejected(why) => {
                *cleaned
                    .counts
                    .rejected
                    .entry(why.code.as_str().to_owned())
                    .or_default() += 1;
            }
        }
    }
    cleaned
}

/// The log entry of an event that is accepted the moment it happens.
pub(crate) fn arrived(event: Event, sequence: u64) -> LoggedEvent {
    LoggedEvent {
        accepted_at: event.occurred_at,
        partition: 0,
        sequence,
        event,
    }
}

/// Numbers names in the order of their first use; only ever looked up, never walked, so that the
/// order of a hash table cannot leak into a result.
#[derive(Debug, Default)]
pub(crate) struct Numbering<'a> {
    numbers: HashMap<&'a str, u32, Xxh3DefaultBuilder>,
}

impl<'a> Numbering<'a> {
    pub(crate) fn number(&mut self, name: &'a str) -> u32 {
        let next = u32::try_from(self.numbers.len()).unwrap_or(u32::MAX);
        *self.numbers.entry(name).or_insert(next)
    }

    pub(crate) fn len(&self) -> usize {
        self.numbers.len()
    }
}
