use std::collections::BTreeMap;

use feature_store::Event;
use retrieval::SessionTable;

/// Items that training has not seen get this number, so that they are never found.
const UNKNOWN: u32 = u32::MAX;

/// Sessions as lists of items, in the order in which the shopper came to them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Log {
    /// In the order of the sessions' names.
    pub sessions: Vec<Vec<u32>>,
    /// When each ended, in seconds since the Unix epoch.
    pub ended: Vec<u64>,
}

/// Numbers of all items, in the order of their ids.
pub(crate) fn names(events: &[Event]) -> BTreeMap<&str, u32> {
    let ids = events.iter().map(|event| event.item_id.as_str());
    let mut names: BTreeMap<&str, u32> =
        ids.filter(|id| !id.is_empty()).map(|id| (id, 0)).collect();
    names
        .values_mut()
        .zip(0..)
        .for_each(|(number, next)| *number = next);
    names
}

impl Log {
    /// Sessions by their id; those of equal times stay in the order given.
    pub(crate) fn new(events: &[Event], names: &BTreeMap<&str, u32>) -> Self {
        let mut by_session: BTreeMap<(&str, &str), Vec<&Event>> = BTreeMap::new();
        for event in events.iter().filter(|event| !event.item_id.is_empty()) {
            let key = (event.session_id.as_str(), event.shopper_id.as_str());
            by_session.entry(key).or_default().push(event);
        }
        let mut log = Self::default();
        for events in by_session.values_mut() {
            events.sort_by_key(|event| event.occurred_at);
            let number = |event: &&Event| names.get(&*event.item_id).copied().unwrap_or(UNKNOWN);
            log.sessions.push(events.iter().map(number).collect());
            let end = events.last().map_or(0, |event| event.occurred_at.0);
            log.ended.push(u64::try_from(end / 1_000).unwrap_or(0));
        }
        log
    }

    /// The sessions that show an item after another, newest first; of those that ended in the same
    /// second the one that comes last by name first.
    #[must_use]
    pub fn table(&self) -> SessionTable {
        let mut order: Vec<usize> = (0..self.sessions.len()).collect();
        order.sort_by_key(|&at| std::cmp::Reverse((self.ended[at], at)));
        let mut table = SessionTable::new();
        for at in order {
            let mut items = self.sessions[at].clone();
            items.retain(|item| *item != UNKNOWN);
            items.dedup();
            if items.len() > 1 {
                table.push(&items, self.ended[at]);
            }
        }
        table
    }
}

#[cfg(test)]
mod tests {
    use feature_store::Millis;

    use super::*;

    #[test]
    fn sessions_are_sorted_by_time_with_ties_in_the_order_of_the_file() {
        let event = |session: &str, item: &str, second: i64| Event {
            session_id: session.to_owned(),
            item_id: item.to_owned(),
            occurred_at: Millis(1_000 * second),
            ..Event::default()
        };
        let events = [
            event("t", "b", 9),
            event("s", "c", 7),
            event("s", "b", 7),
            event("s", "a", 3),
            event("t", "a", 10),
            event("u", "a", 50),
        ];
        let log = Log::new(&events, &names(&events));
        assert_eq!(log.sessions, [vec![0, 2, 1], vec![1, 0], vec![0]]);
        let table = log.table();
        assert_eq!(table.items, [1, 0, 0, 2, 1]);
        assert_eq!(table.ended, [10, 7]);
    }
}
