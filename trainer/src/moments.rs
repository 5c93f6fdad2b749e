//! Moments of a session: what a shopper had done so far, and what came next.

use std::time::Duration;

use feature_store::{Event, EventKind, Millis};
use retrieval::{Kind, Recent};

use crate::sessions::Session;

/// A prefix of a session, the event after it, and the items of the rest.
#[derive(Clone, Debug)]
pub(crate) struct Moment<'a> {
    pub(crate) before: Vec<&'a Event>,
    pub(crate) next: &'a Event,
    /// `next` and what follows it.
    pub(crate) after: Vec<&'a Event>,
    /// Items of `next` and of what follows it, each once.
    pub(crate) rest: Vec<&'a str>,
}

/// Every prefix of every session predicts the next item. A run of one item counts once: that a
/// viewed item is put into the cart is no prediction of an item.
pub(crate) fn moments<'a>(sessions: &[Session<'a>]) -> Vec<Moment<'a>> {
    sessions.iter().flat_map(of_session).collect()
}

fn of_session<'a>(session: &Session<'a>) -> Vec<Moment<'a>> {
    let events = &session.events;
    let is_new = |at: &usize| events[at - 1].item_id != events[*at].item_id;
    let starts = (1..events.len()).filter(is_new);
    starts
        .map(|at| Moment {
            before: events[..at].to_vec(),
            next: events[at],
            after: events[at..].to_vec(),
            rest: distinct(events[at..].iter().map(|event| event.item_id.as_str())),
        })
        .collect()
}

fn distinct<'a>(ids: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut found: Vec<&str> = ids.collect();
    found.sort_unstable();
    found.dedup();
    found
}

/// Keeps at most `most`, evenly spread, in order.
pub(crate) fn thinned<T>(moments: Vec<T>, most: usize) -> Vec<T> {
    let all = moments.len();
    if all <= most {
        return moments;
    }
    let is_kept = |at: usize| (at * most) / all != ((at + 1) * most) / all;
    moments
        .into_iter()
        .enumerate()
        .filter(|(at, _)| is_kept(*at))
        .map(|(_, one)| one)
        .collect()
}

pub(crate) fn recent(event: &Event, now: Millis) -> Option<Recent> {
    let age = u64::try_from(now.0.saturating_sub(event.occurred_at.0)).unwrap_or(0);
    let kind = kind(event.kind)?;
    Some(Recent {
        item_id: event.item_id.clone(),
        kind,
        age: Duration::from_millis(age),
    })
}

fn kind(kind: EventKind) -> Option<Kind> {
    match kind {
        EventKind::View => Some(Kind::View),
        EventKind::AddToCart => Some(Kind::Add),
        EventKind::RemoveFromCart => Some(Kind::Remove),
        EventKind::Purchase => Some(Kind::Purchase),
        EventKind::CheckoutStart
        | EventKind::MessageSent
        | EventKind::MessageDelivered
        | EventKind::MessageOpened
        | EventKind::MessageClicked
        | EventKind::MessageUnsubscribed => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_prefix_predicts_the_next_item_and_a_run_counts_once() {
        let events: Vec<Event> = ["a", "a", "b", "c", "b"]
            .into_iter()
            .zip(1..)
            .map(|(item, at)| Event {
                item_id: item.to_owned(),
                occurred_at: Millis(at),
                ..Event::default()
            })
            .collect();
        let session = Session {
            shopper: "s",
            events: events.iter().collect(),
        };
        let moments = moments(&[session]);
        let found: Vec<_> = moments
            .iter()
            .map(|m| (m.before.len(), m.next.item_id.as_str(), &m.rest[..]))
            .collect();
        assert_eq!(
            found,
            [
                (2, "b", &["b", "c"][..]),
                (3, "c", &["b", "c"]),
                (4, "b", &["b"])
            ]
        );
    }

    #[test]
    fn thinning_keeps_an_even_spread() {
        assert_eq!(thinned((0..10).collect(), 5), [1, 3, 5, 7, 9]);
        assert_eq!(thinned((0..7_919).collect(), 2_000).len(), 2_000);
        assert_eq!(thinned(vec![1, 2], 5), [1, 2]);
    }
}
