//! A value whose person is being erased: nothing of them but what is left to remove.

pub(crate) mod wire;

use crate::seal::{KeyId, RowKey};
use crate::state::Shopper;
use crate::state::base::Base;
use crate::store::{Error, Partition};
use crate::time::Millis;

/// What is left to do of an erasure.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Erasing {
    pub(crate) at: Millis,
    /// The ids of the person but the one that the value is under.
    pub(crate) ids: Vec<ErasedId>,
    /// The keys of all of them.
    pub(crate) keys: Vec<KeyId>,
    pub(crate) removed: Removed,
    /// Nobody asked for it, so that nothing is refused later: no tombstone is left.
    pub(crate) forgotten: bool,
}

/// An id whose state was in the person's value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct ErasedId {
    pub(crate) id: String,
    /// When it was unlinked: what it did from then on is not the person's.
    pub(crate) apart_since: Option<Millis>,
}

/// What an erasure removed.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub struct Removed {
    /// Ids of the person.
    pub ids: u64,
    /// Keys destroyed. What was sealed with them in any log is unreadable since.
    pub keys: u64,
    /// Lines of carts.
    pub cart_lines: u64,
    /// Records of consent.
    pub consents: u64,
    /// Events that were kept one by one, beside those folded into counts.
    pub recent_events: u64,
    /// Bytes of what recovery kept: its sequence, messages and open actions.
    pub recovery_bytes: u64,
}

impl Shopper {
    /// The key that rows about an id of this person are sealed with.
    pub(crate) fn row_key_of(&self, id: &str) -> Option<&RowKey> {
        let parts = &self.links.parts;
        let mut open = parts.iter().filter(|part| part.closed_at.is_none());
        match open.find(|part| part.id == id) {
            Some(part) => part.state.row_key.as_ref(),
            None => self.row_key.as_ref(),
        }
    }

    /// The same; one is made, to lie in `partition`, where there is none. Says whether it was.
    pub(crate) fn need_row_key_of(
        &mut self,
        id: &str,
        partition: Partition,
    ) -> Result<(RowKey, bool), Error> {
        if let Some(key) = self.row_key_of(id) {
            return Ok((key.clone(), false));
        }
        let key = RowKey::random(partition)?;
        let parts = self.links.parts.iter_mut();
        let mut open = parts.filter(|part| part.closed_at.is_none());
        let state = match open.find(|part| part.id == id) {
            Some(part) => &mut part.state,
            None => self,
        };
        state.row_key = Some(key.clone());
        state.size_bound = state.own_size();
        Ok((key, true))
    }

    /// The keys of all ids of the person.
    pub(crate) fn row_keys(&self) -> impl Iterator<Item = &RowKey> {
        self.states().filter_map(|state| state.row_key.as_ref())
    }

    /// What takes the value's place while the person is erased.
    pub(crate) fn to_erase(&self, at: Millis) -> Self {
        let mut ids: Vec<ErasedId> = Vec::new();
        for part in &self.links.parts {
            let known = ids.iter_mut().find(|known| known.id == part.id);
            match known {
                // Linked, unlinked and linked again: what counts is the latest.
                Some(known) => {
                    known.apart_since =
                        known.apart_since.zip(part.closed_at).map(|(a, b)| a.max(b));
                }
                None => ids.push(ErasedId {
                    id: part.id.clone(),
                    apart_since: part.closed_at,
                }),
            }
        }
        let keys: Vec<KeyId> = self.row_keys().map(|key| key.id).collect();
        let sum = |of: fn(&Self) -> usize| {
            let all: usize = self.states().map(of).sum();
            u64::try_from(all).unwrap_or(u64::MAX)
        };
        let removed = Removed {
            ids: 1 + u64::try_from(ids.len()).unwrap_or(u64::MAX),
            keys: u64::try_from(keys.len()).unwrap_or(u64::MAX),
            cart_lines: u64::try_from(self.standing().cart.lines.len()).unwrap_or(u64::MAX),
            consents: sum(|state| state.consents.len()),
            recent_events: sum(|state| state.tail.len()),
            recovery_bytes: sum(|state| state.recovery.len()),
        };
        Self {
            erasing: Some(Box::new(Erasing {
                at,
                ids,
                keys,
                removed,
                forgotten: false,
            })),
            ..Self::empty()
        }
    }

    /// The same, for somebody whom nobody has seen for long.
    pub(crate) fn to_forget(&self, at: Millis) -> Self {
        let mut forgetting = self.to_erase(at);
        if let Some(erasing) = &mut forgetting.erasing {
            erasing.forgotten = true;
        }
        forgetting
    }

    /// The newest moment that is told of the person: of an act, of a message, of what they said, of a
    /// link. `None` when nothing tells one.
    pub(crate) fn newest_moment(&self) -> Option<Millis> {
        let of_states = self.states().filter_map(|state| {
            let said = state.consents.iter().map(|record| record.at).max();
            let since = state.links.not_before;
            let acted = state.tail.newest().max(state.last_active_at());
            acted.max(said).max(since)
        });
        let parts = self.links.parts.iter();
        let links = parts.flat_map(|part| [Some(part.linked_at), part.closed_at]);
        let expected = self.links.expected.iter().map(|expected| expected.at);
        of_states.chain(links.flatten()).chain(expected).max()
    }

    /// Whether nothing is known but that rows are sealed: decisions about somebody who did nothing
    /// need a key, and make nobody known.
    pub(crate) fn is_blank(&self) -> bool {
        self.tail.len() == 0
            && self.row_key.is_some()
            && self.links.parts.is_empty()
            && self.links.moved.is_none()
            && self.consents.is_empty()
            && self.recovery.is_empty()
            && self.profile == crate::view::Profile::default()
            && self.base == Base::default()
    }
}
