//! Several ids of one person: whose states live in one value, and whose moved there.
//!
//! A linked id keeps a state of its own inside the person's value, and its events go there. So the
//! value is a function of each id's events and of which ids are linked, whatever came first; what
//! is read of the person is made of the states when it is read.

use crate::event::{Event, Outcome};
use crate::state::Shopper;
use crate::time::Millis;

/// Ids that can ever be linked to one, those unlinked again included.
pub(crate) const MAX_PARTS: usize = 16;

/// What links a value to those of other ids.
#[derive(Clone, Debug, Default)]
pub(crate) struct Links {
    /// Where this id's state went.
    pub(crate) moved: Option<Moved>,
    /// Sorted by (id, link id).
    pub(crate) parts: Vec<Part>,
    /// Ids that are being linked to this one. While there are any, this one stays where it is.
    pub(crate) expected: Vec<Expected>,
    /// What occurred before counts for the person this id was unlinked from.
    pub(crate) not_before: Option<Millis>,
}

/// The value is under another id.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Moved {
    pub(crate) to: String,
    pub(crate) link_id: String,
    /// The state is still here as well: it may not have arrived.
    pub(crate) pending: bool,
}

/// What is known of a person under another of their ids.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(crate) id: String,
    pub(crate) link_id: String,
    pub(crate) linked_at: Millis,
    /// When the id was unlinked; what is here stays the person's.
    pub(crate) closed_at: Option<Millis>,
    pub(crate) state: Shopper,
}

impl Part {
    pub(crate) fn key(&self) -> (&str, &str) {
        (&self.id, &self.link_id)
    }
}

/// An id that is being linked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Expected {
    pub(crate) id: String,
    pub(crate) link_id: String,
    pub(crate) at: Millis,
}

impl Links {
    pub(crate) fn is_empty(&self) -> bool {
        self.moved.is_none()
            && self.parts.is_empty()
            && self.expected.is_empty()
            && self.not_before.is_none()
    }

    pub(crate) fn part(&self, id: &str, link_id: &str) -> Option<&Part> {
        self.parts.iter().find(|part| part.key() == (id, link_id))
    }

    pub(crate) fn expects(&self, id: &str) -> Option<&Expected> {
        self.expected.iter().find(|expected| expected.id == id)
    }

    pub(crate) fn expect(&mut self, id: &str, link_id: &str, at: Millis) {
        self.retract(id);
        self.expected.push(Expected {
            id: id.to_owned(),
            link_id: link_id.to_owned(),
            at,
        });
    }

    /// Says whether the id was expected.
    pub(crate) fn retract(&mut self, id: &str) -> bool {
        let before = self.expected.len();
        self.expected.retain(|expected| expected.id != id);
        self.expected.len() < before
    }

    fn open_part(&mut self, id: &str) -> Option<&mut Part> {
        let mut parts = self.parts.iter_mut();
        parts.find(|part| part.id == id && part.closed_at.is_none())
    }
}

impl Shopper {
    /// The other ids of the person whose value this is, sorted; also those unlinked again, whose
    /// past stays the person's.
    #[must_use]
    pub fn other_ids(&self) -> Vec<&str> {
        let mut ids: Vec<&str> = self.links.parts.iter().map(|p| p.id.as_str()).collect();
        ids.dedup();
        ids
    }

    /// The other ids whose events count for this person, sorted.
    #[must_use]
    pub fn linked_ids(&self) -> Vec<&str> {
        let open = self.links.parts.iter().filter(|p| p.closed_at.is_none());
        open.map(|part| part.id.as_str()).collect()
    }

    /// Whether events of this other id are kept here.
    pub(crate) fn is_linked(&self, id: &str) -> bool {
        let mut open = self.links.parts.iter().filter(|p| p.closed_at.is_none());
        open.any(|part| part.id == id)
    }

    /// Where this id's state moved.
    #[must_use]
    pub fn moved_to(&self) -> Option<&str> {
        self.links.moved.as_ref().map(|moved| moved.to.as_str())
    }

    /// The recovery sections of the person's other ids, in the order of the ids. Whoever keeps them
    /// joins them with [`Shopper::recovery`].
    pub fn other_recoveries(&self) -> impl Iterator<Item = &[u8]> {
        let parts = self.links.parts.iter();
        let sections = parts.map(|part| part.state.recovery.as_slice());
        sections.filter(|section| !section.is_empty())
    }

    /// The recovery sections of all ids of the person whose value lies under `own`, that one's first.
    pub(crate) fn recoveries<'a>(&'a self, own: &'a str) -> Vec<(&'a str, &'a [u8])> {
        let parts = self.links.parts.iter();
        let parts = parts.map(|part| (part.id.as_str(), part.state.recovery.as_slice()));
        let all = std::iter::once((own, self.recovery.as_slice())).chain(parts);
        all.filter(|(_, section)| !section.is_empty()).collect()
    }

    /// Takes an event of this id or of one linked to it.
    pub(crate) fn apply_of(&mut self, event: &Event, now: Millis) -> Outcome {
        match self.links.open_part(&event.shopper_id) {
            Some(part) => part.state.apply_own(event, now),
            None => self.apply_own(event, now),
        }
    }

    /// Takes the state of an id in, unless it is in. It may be there before it is taken out where it
    /// was: what decides is the link's id, so it is never there twice.
    pub(crate) fn absorb(&mut self, id: &str, moved: &Moved, state: &Self, at: Millis) {
        self.links.retract(id);
        if self.links.part(id, &moved.link_id).is_some() {
            return;
        }
        let mut state = state.clone();
        let not_before = state.links.not_before.take();
        state.links = Links {
            not_before,
            ..Links::default()
        };
        let part = Part {
            id: id.to_owned(),
            link_id: moved.link_id.clone(),
            linked_at: at,
            closed_at: None,
            state,
        };
        let place = self.links.parts.partition_point(|p| p.key() < part.key());
        self.links.parts.insert(place, part);
    }

    /// The person as this id's reader is to see it, while this value says that it moved to `root`:
    /// with a state that is still on its way; nobody when the link was ended there or the person is
    /// being erased.
    pub(crate) fn seen_from(self, id: &str, mut root: Self) -> Option<Self> {
        let moved = self.links.moved.clone()?;
        if root.erasing.is_some() {
            return None;
        }
        if moved.pending {
            root.absorb(id, &moved, &self, Millis(0));
        }
        let part = root.links.part(id, &moved.link_id)?;
        part.closed_at.is_none().then_some(root)
    }

    /// Ends the link of an id; says whether there was one.
    pub(crate) fn close_part(&mut self, id: &str, at: Millis) -> bool {
        let Some(part) = self.links.open_part(id) else {
            return false;
        };
        part.closed_at = Some(at);
        true
    }

    /// What an id begins with when it was unlinked.
    pub(crate) fn apart_since(at: Millis) -> Self {
        let mut fresh = Self::empty();
        fresh.links.not_before = Some(at);
        fresh
    }

    /// All that is left of a state that has arrived elsewhere.
    pub(crate) fn forwarding(moved: &Moved) -> Self {
        let mut left = Self::empty();
        left.links.moved = Some(Moved {
            pending: false,
            ..moved.clone()
        });
        left
    }

    /// The states of the other ids that count for the person: what somebody says of themselves, they
    /// say under each of their ids.
    pub(crate) fn open_states(&mut self) -> impl Iterator<Item = &mut Self> {
        let parts = self.links.parts.iter_mut();
        parts
            .filter(|part| part.closed_at.is_none())
            .map(|part| &mut part.state)
    }

    pub(crate) fn has_other_ids(&self) -> bool {
        !self.links.parts.is_empty()
    }

    /// The states of all ids of the person, this one's first.
    pub(crate) fn states(&self) -> impl Iterator<Item = &Self> {
        std::iter::once(self).chain(self.links.parts.iter().map(|part| &part.state))
    }
}
