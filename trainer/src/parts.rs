//! The three parts of a log: what models learn from, what their use is fitted on, and what all is
//! judged on. Each comes after the one before, as in life.

use feature_store::Event;

/// Shares of the events that come before the cuts.
const PAST: f64 = 0.8;
const FIT: f64 = 0.9;

/// Parts of events in the order of time; events of one moment are in one part.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Parts<'a> {
    /// Item vectors, neighbours and popularity are learned here.
    pub(crate) past: &'a [Event],
    /// The weights of sources, and then the ranker, are learned here with the models of the past.
    pub(crate) fit: &'a [Event],
    /// Everything is judged here, once.
    pub(crate) judge: &'a [Event],
}

impl<'a> Parts<'a> {
    pub(crate) fn of(events: &'a [Event]) -> Self {
        let (early, judge) = split(events, FIT);
        let (past, fit) = early.split_at(split(events, PAST).0.len().min(early.len()));
        Self { past, fit, judge }
    }

    /// Parts for a judge of one's own: of what comes before it the last ninth is fitted on.
    pub(crate) fn before(early: &'a [Event], judge: &'a [Event]) -> Self {
        let (past, fit) = split(early, PAST / FIT);
        Self { past, fit, judge }
    }
}

/// Splits where a share of the events lies before, and not by a share of the time span, which one
/// event with a wrong year would stretch.
pub(crate) fn split(events: &[Event], share: f64) -> (&[Event], &[Event]) {
    let at = events.get(place(events.len(), share));
    let cut = at.map_or(events.len(), |at| {
        events.partition_point(|event| event.occurred_at < at.occurred_at)
    });
    events.split_at(cut)
}

/// The first of a list by a share of its length, and the rest.
pub(crate) fn share<T>(all: &[T], share: f64) -> (&[T], &[T]) {
    all.split_at(place(all.len(), share).min(all.len()))
}

/// Whether models can learn anything from events.
pub(crate) fn teaches(events: &[Event]) -> bool {
    events.iter().any(|event| !event.item_id.is_empty())
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "a share of a length below 2^53 is a length"
)]
fn place(count: usize, share: f64) -> usize {
    (count as f64 * share.clamp(0.0, 1.0)) as usize
}

#[cfg(test)]
mod tests {
    use feature_store::Millis;

    use super::*;

    fn at(times: impl IntoIterator<Item = i64>) -> Vec<Event> {
        let event = |time| Event {
            occurred_at: Millis(time),
            ..Event::default()
        };
        times.into_iter().map(event).collect()
    }

    fn lengths(events: &[Event]) -> (usize, usize, usize) {
        let parts = Parts::of(events);
        (parts.past.len(), parts.fit.len(), parts.judge.len())
    }

    #[test]
    fn a_log_falls_into_eight_one_and_one_tenths() {
        assert_eq!(lengths(&at(0..100)), (80, 10, 10));
        assert_eq!(
            lengths(&at([-1_000_000].into_iter().chain(0..99))),
            (80, 10, 10)
        );
    }

    #[test]
    fn events_of_one_moment_stay_together_and_a_tiny_log_has_empty_parts() {
        assert_eq!(lengths(&at([5; 40])), (0, 0, 40));
        assert_eq!(lengths(&at((0..50).chain([60; 50]))), (50, 0, 50));
        assert_eq!(lengths(&[]), (0, 0, 0));
        assert_eq!(lengths(&at([7])), (0, 0, 1));
    }
}
