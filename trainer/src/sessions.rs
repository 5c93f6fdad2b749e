//! What belongs together: a shopper's events of one visit.

use std::collections::BTreeMap;
use std::time::Duration;

use feature_store::{Event, Millis};

/// A pause longer than this ends a visit.
pub const GAP: Duration = Duration::from_secs(30 * 60);

/// Events of one visit that name an item, in the order of time.
#[derive(Clone, Debug)]
pub struct Session<'a> {
    pub shopper: &'a str,
    pub events: Vec<&'a Event>,
}

impl Session<'_> {
    pub fn start(&self) -> Millis {
        self.events
            .first()
            .map_or(Millis(0), |event| event.occurred_at)
    }

    pub fn end(&self) -> Millis {
        self.events
            .last()
            .map_or(Millis(0), |event| event.occurred_at)
    }
}

/// Splits events into sessions: those that share a session id, or where there is none, runs
/// without a pause longer than `gap`. Sessions are in the order of their start, then shopper.
pub fn sessions(events: &[Event], gap: Duration) -> Vec<Session<'_>> {
    let mut by_key: BTreeMap<(&str, &str), Vec<&Event>> = BTreeMap::new();
    for event in events.iter().filter(|event| event.kind.needs_item()) {
        by_key
            .entry((&event.shopper_id, &event.session_id))
            .or_default()
            .push(event);
    }
    let mut sessions = Vec::with_capacity(by_key.len());
    for ((shopper, session_id), mut events) in by_key {
        events.sort_by_key(|event| order(event));
        if session_id.is_empty() {
            let runs = events.chunk_by(|a, b| !is_pause(a, b, gap));
            sessions.extend(runs.map(|run| Session {
                shopper,
                events: run.to_vec(),
            }));
        } else {
            sessions.push(Session { shopper, events });
        }
    }
    sessions.sort_by_key(Session::start);
    sessions
}

/// The order in which training looks at events: time, then kind, then id.
pub(crate) fn order(event: &Event) -> (Millis, feature_store::EventKind, &str, &str) {
    (
        event.occurred_at,
        event.kind,
        &event.event_id,
        &event.shopper_id,
    )
}

fn is_pause(earlier: &Event, later: &Event, gap: Duration) -> bool {
    earlier.occurred_at.saturating_add(gap) < later.occurred_at
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(shopper: &str, item: &str, session: &str, minute: i64) -> Event {
        Event {
            event_id: format!("{shopper}-{item}-{minute}"),
            shopper_id: shopper.to_owned(),
            item_id: item.to_owned(),
            session_id: session.to_owned(),
            occurred_at: Millis(minute * 60_000),
            ..Event::default()
        }
    }

    fn items(session: &Session<'_>) -> Vec<String> {
        session
            .events
            .iter()
            .map(|event| event.item_id.clone())
            .collect()
    }

    #[test]
    fn a_pause_ends_a_session() {
        let events = [
            view("a", "3", "", 75),
            view("a", "1", "", 1),
            view("b", "9", "", 2),
            view("a", "2", "", 31),
        ];
        let sessions = sessions(&events, Duration::from_secs(1_800));
        let found: Vec<_> = sessions
            .iter()
            .map(|session| (session.shopper, items(session)))
            .collect();
        assert_eq!(found.len(), 3);
        assert_eq!(found[0], ("a", vec!["1".to_owned(), "2".to_owned()]));
        assert_eq!(found[1].0, "b");
        assert_eq!(found[2], ("a", vec!["3".to_owned()]));
    }

    #[test]
    fn a_session_id_holds_together_whatever_the_pause() {
        let events = [view("a", "1", "s", 1), view("a", "2", "s", 500)];
        assert_eq!(sessions(&events, Duration::from_secs(1_800)).len(), 1);
    }
}
