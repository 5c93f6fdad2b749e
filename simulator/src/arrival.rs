//! How events reach the platform: not quite in order, and some twice.

use feature_store::Event;

use crate::random::Random;

const MINUTE: i64 = 60_000;
/// Longest delay; far below the 24 hours that the platform waits.
const LONGEST: i64 = 90 * MINUTE;

/// Puts events into the order of their arrival. Ties go by event id.
pub(crate) fn arrive(events: Vec<Event>, mut random: Random) -> Vec<Event> {
    let mut arrivals: Vec<(i64, Event)> = Vec::with_capacity(events.len());
    for event in events {
        let happened = event.occurred_at.0;
        let delay = if random.chance(0.02) {
            random.between(MINUTE, LONGEST)
        } else {
            0
        };
        if random.chance(0.005) {
            arrivals.push((happened + delay + random.between(1, LONGEST), event.clone()));
        }
        arrivals.push((happened + delay, event));
    }
    arrivals.sort_by(|(at, event), (other_at, other)| {
        at.cmp(other_at)
            .then_with(|| event.event_id.cmp(&other.event_id))
    });
    arrivals.into_iter().map(|(_, event)| event).collect()
}
