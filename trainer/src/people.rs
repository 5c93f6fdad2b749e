//! The people behind events: who was erased, and a MAC of each for the sessions that are kept.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use feature_store::{Event, MacKey, Millis, ShopperMac, Tombstone};

/// What a deployment says of the people in its events.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct People {
    /// The deployment's key. Without one no session carries a MAC, and who was erased cannot be found.
    key: Option<MacKey>,
    /// Until when what a shopper did is erased; `None` when nobody said who was.
    erased: Option<BTreeMap<ShopperMac, Millis>>,
    unreadable: u64,
}

/// What was left out of events.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// Erased shopper ids with events that could be read.
    pub shoppers: u64,
    /// Events, those that nobody can read any more included.
    pub events: u64,
}

impl People {
    /// Of a deployment's key, and of its tombstones in any order.
    #[must_use]
    pub fn new(key: MacKey, erased: Option<&[Tombstone]>) -> Self {
        let latest = |tombstones: &[Tombstone]| {
            let mut until = BTreeMap::new();
            for one in tombstones {
                let known = until.entry(one.shopper).or_insert(one.erased_at);
                *known = one.erased_at.max(*known);
            }
            until
        };
        Self {
            key: Some(key),
            erased: erased.map(latest),
            unreadable: 0,
        }
    }

    /// Of a log in which so many events of erased shoppers open for nobody any more.
    #[must_use]
    pub fn with_unreadable(self, events: u64) -> Self {
        Self {
            unreadable: events,
            ..self
        }
    }

    /// Fingerprint of the key.
    pub(crate) fn fingerprint(&self) -> Option<String> {
        self.key.as_ref().map(MacKey::fingerprint)
    }

    /// What stands for a shopper in the table of past sessions.
    pub(crate) fn mac(&self, shopper_id: &str) -> Option<u64> {
        Some(self.key.as_ref()?.of(shopper_id).short())
    }

    /// Whether what a shopper did at a time is erased.
    #[must_use]
    pub fn is_erased(&self, shopper_id: &str, at: Millis) -> bool {
        let until = self.key.as_ref().zip(self.erased.as_ref());
        let until = until.and_then(|(key, erased)| erased.get(&key.of(shopper_id)));
        until.is_some_and(|until| at <= *until)
    }

    /// The events without those of erased shoppers; and what that left out, where it was said who is
    /// erased. What somebody did under the same id after the erasure stays.
    #[must_use]
    pub fn leave_out<'a>(&self, events: &'a [Event]) -> (Cow<'a, [Event]>, Option<LeftOut>) {
        let (Some(key), Some(erased)) = (&self.key, &self.erased) else {
            return (Cow::Borrowed(events), None);
        };
        // One MAC a shopper, not one an event.
        let shoppers: BTreeSet<&str> = events.iter().map(|one| one.shopper_id.as_str()).collect();
        let until = |id: &&str| erased.get(&key.of(id)).copied();
        let until: BTreeMap<&str, Millis> = shoppers
            .into_iter()
            .filter_map(|id| Some((id, until(&id)?)))
            .collect();
        let is_erased = |event: &&Event| {
            let until = until.get(event.shopper_id.as_str());
            until.is_some_and(|until| event.occurred_at <= *until)
        };
        let gone: BTreeSet<&str> = events
            .iter()
            .filter(is_erased)
            .map(|event| event.shopper_id.as_str())
            .collect();
        if gone.is_empty() {
            let left_out = LeftOut {
                shoppers: 0,
                events: self.unreadable,
            };
            return (Cow::Borrowed(events), Some(left_out));
        }
        let kept: Vec<Event> = events
            .iter()
            .filter(|one| !is_erased(one))
            .cloned()
            .collect();
        let left_out = LeftOut {
            shoppers: gone.len() as u64,
            events: (events.len() - kept.len()) as u64 + self.unreadable,
        };
        (Cow::Owned(kept), Some(left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(shopper: &str, at: i64) -> Event {
        Event {
            shopper_id: shopper.to_owned(),
            occurred_at: Millis(at),
            ..Event::default()
        }
    }

    fn tombstone(key: &MacKey, shopper: &str, at: i64) -> Tombstone {
        Tombstone {
            shopper: key.of(shopper),
            erased_at: Millis(at),
        }
    }

    #[test]
    fn what_an_erased_shopper_did_before_is_left_out_and_nothing_else() {
        let key = MacKey::from_bytes([7; 32]);
        let events = [event("a", 1), event("b", 2), event("a", 5), event("a", 6)];
        let erased = [tombstone(&key, "a", 3), tombstone(&key, "a", 5)];
        let people = People::new(key, Some(&erased));
        let (kept, left_out) = people.leave_out(&events);
        assert_eq!(kept.as_ref(), [event("b", 2), event("a", 6)]);
        assert_eq!(
            left_out,
            Some(LeftOut {
                shoppers: 1,
                events: 2
            })
        );
        assert!(people.is_erased("a", Millis(5)) && !people.is_erased("a", Millis(6)));
        assert!(!people.is_erased("b", Millis(2)));
    }

    #[test]
    fn with_another_key_nobody_is_found_and_without_tombstones_nothing_is_said() {
        let erased = [tombstone(&MacKey::from_bytes([7; 32]), "a", 9)];
        let events = [event("a", 1)];
        let other = People::new(MacKey::from_bytes([8; 32]), Some(&erased));
        assert_eq!(other.leave_out(&events).1, Some(LeftOut::default()));
        assert_eq!(People::default().leave_out(&events).1, None);
        let keyed = People::new(MacKey::from_bytes([7; 32]), None);
        assert_eq!(keyed.leave_out(&events).1, None);
        assert_ne!(keyed.mac("a"), keyed.mac("b"));
    }
}
