//! One value per shopper: a base of folded events, a tail of the last 24 hours, settings, consent.
//!
//! The value is a function of the set of accepted events. The tail keeps them in the order of
//! (time, kind, hash of the id); whatever leaves it is folded into the base in that order, and what
//! is older than the tail is refused, so no event ever folds out of turn.

mod affinity;
mod base;
mod cart;
mod codec;
pub(crate) mod erasing;
mod history;
pub(crate) mod identity;
mod profile;
mod reading;
mod standing;
mod tail;
mod tiles;
mod union;
pub(crate) mod wire;

use std::time::Duration;

use crate::event::{Event, Outcome, RejectCode, Rejection};
use crate::seal::RowKey;
use crate::state::base::Base;
use crate::state::erasing::Erasing;
use crate::state::identity::Links;
use crate::state::tail::{LATENESS_MS, MAX_TAIL, Tail, TailEvent, horizon};
use crate::time::Millis;
use crate::view::Profile;

pub use erasing::Removed;
pub(crate) use history::MAX_MESSAGES;
pub(crate) use identity::{MAX_PARTS, Moved};
pub use profile::{ConsentRecord, ProfileUpdate};
pub use standing::Standing;

/// How far ahead of the clock an event may claim to be.
const EARLINESS: Duration = Duration::from_secs(5 * 60);
/// Largest encoded value.
const MAX_BYTES: usize = 64 * 1024;
/// Largest section of the recovery role.
const MAX_RECOVERY: usize = 2 * 1024;
/// Most bytes beside texts that an event adds to a value, once in the tail and again when folded.
const EVENT_OVERHEAD: usize = 256;

/// Bytes that are no value of this crate.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum DecodeError {
    #[error("the bytes are not protobuf: {0}")]
    Protobuf(#[from] prost::DecodeError),
    #[error("the format is {found}, {known} is the newest one known")]
    Format { found: u32, known: u32 },
    #[error("the value is corrupt: {0}")]
    Corrupt(&'static str),
}

/// A recovery section that does not fit.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the recovery section has {bytes} bytes, at most {MAX_RECOVERY} are kept")]
pub struct RecoveryTooLarge {
    pub bytes: usize,
}

/// All that is known of a shopper in real time.
#[derive(Clone, Debug, Default)]
pub struct Shopper {
    base: Base,
    tail: Tail,
    profile: Profile,
    /// Sorted by (purpose, channel), one record each.
    consents: Vec<ConsentRecord>,
    /// What the recovery role keeps of the shopper. Nobody reads it here.
    recovery: Vec<u8>,
    /// The other ids of the person.
    pub(crate) links: Links,
    /// What rows of this id are sealed with; none before the first.
    pub(crate) row_key: Option<RowKey>,
    /// What is left to remove of a person who is being erased.
    pub(crate) erasing: Option<Box<Erasing>>,
    /// No less than the encoded size without links; made exact when it reaches the limit.
    size_bound: usize,
}

impl Shopper {
    #[must_use]
    pub fn empty() -> Self {
        Self::default()
    }

    /// Takes an event in. Unless it is `Accepted`, nothing has changed.
    pub fn apply(&mut self, event: &Event, now: Millis) -> Outcome {
        self.apply_of(event, now)
    }

    fn apply_own(&mut self, event: &Event, now: Millis) -> Outcome {
        if let Err(rejection) = event.validate().and_then(|()| self.check_time(event, now)) {
            return Outcome::Rejected(rejection);
        }
        let entry = TailEvent::new(event);
        if self.tail.contains(entry.id) {
            return Outcome::Duplicate;
        }
        match self.admit(entry, added_bytes(event)) {
            Ok(()) => Outcome::Accepted,
            Err(rejection) => Outcome::Rejected(rejection),
        }
    }

    /// Lateness is measured against the shopper's own newest event, never against the clock, so
    /// that an old log can be read in at any time.
    fn check_time(&self, event: &Event, now: Millis) -> Result<(), Rejection> {
        let at = event.occurred_at;
        let latest = now.saturating_add(EARLINESS);
        if at > latest {
            let detail = format!("occurred_at is {at}, at most {latest} is allowed");
            return Err(Rejection {
                code: RejectCode::TooEarly,
                field: "occurred_at",
                detail,
            });
        }
        if let Some(since) = self.links.not_before.filter(|since| at < *since) {
            let detail = format!(
                "occurred_at is {at}, at least {since} is needed: the shopper was unlinked or erased then"
            );
            return Err(Rejection {
                code: RejectCode::TooLate,
                field: "occurred_at",
                detail,
            });
        }
        let earliest = self.tail.newest().map_or(Millis::MIN, horizon);
        if at < earliest {
            let detail = format!(
                "occurred_at is {at}, at least {earliest} is needed: {} h before the newest event",
                LATENESS_MS / Millis::HOUR
            );
            return Err(Rejection {
                code: RejectCode::TooLate,
                field: "occurred_at",
                detail,
            });
        }
        Ok(())
    }

    fn admit(&mut self, entry: TailEvent, added: usize) -> Result<(), Rejection> {
        let horizon = horizon(
            self.tail
                .newest()
                .map_or(entry.at, |newest| newest.max(entry.at)),
        );
        let falling_out = self.tail.count_before(horizon);
        if self.tail.len() - falling_out >= MAX_TAIL {
            return Err(bot_rate(format!(
                "{MAX_TAIL} events of the last 24 h are known already"
            )));
        }
        let folded = falling_out.saturating_mul(EVENT_OVERHEAD);
        let bound = self.size_bound.saturating_add(added).saturating_add(folded);
        if bound <= MAX_BYTES {
            self.insert(entry, falling_out, horizon);
            self.size_bound = bound;
            return Ok(());
        }
        let mut next = self.clone();
        next.insert(entry, falling_out, horizon);
        next.size_bound = next.own_size();
        if next.size_bound > MAX_BYTES {
            return Err(bot_rate(format!(
                "the state would exceed {MAX_BYTES} bytes"
            )));
        }
        *self = next;
        Ok(())
    }

    fn insert(&mut self, entry: TailEvent, falling_out: usize, horizon: Millis) {
        for old in self.tail.take_oldest(falling_out) {
            self.base.fold(&old);
        }
        self.base.prune(horizon);
        self.tail.insert(entry);
    }

    /// Sets the fields given. The caller has validated the update.
    pub fn set_profile(&mut self, update: ProfileUpdate) {
        for state in self.open_states() {
            update.clone().apply_to(&mut state.profile);
            state.size_bound = state.own_size();
        }
        update.apply_to(&mut self.profile);
        self.size_bound = self.own_size();
    }

    /// Keeps the newest record of each purpose and channel; a revocation wins a tie. Says whether
    /// anything changed. The caller has validated the record.
    pub fn set_consent(&mut self, record: ConsentRecord) -> bool {
        let mut changed = false;
        for state in self.open_states() {
            changed |= profile::record_consent(&mut state.consents, record.clone());
            state.size_bound = state.own_size();
        }
        changed |= profile::record_consent(&mut self.consents, record);
        if changed {
            self.size_bound = self.own_size();
        }
        changed
    }

    /// What the recovery role keeps of the shopper, as it was set; empty when it never was.
    #[must_use]
    pub fn recovery(&self) -> &[u8] {
        &self.recovery
    }

    /// Keeps the recovery role's section whole. It outlives events, settings and consent, and takes
    /// the place of those of the person's other ids: whoever sets it has joined them.
    ///
    /// # Errors
    /// A section above 2 KiB; nothing has changed then.
    pub fn set_recovery(&mut self, section: Vec<u8>) -> Result<(), RecoveryTooLarge> {
        if section.len() > MAX_RECOVERY {
            return Err(RecoveryTooLarge {
                bytes: section.len(),
            });
        }
        let removed = self.recovery.len();
        // Tag and length take at most 4 bytes.
        self.size_bound = (self.size_bound + section.len() + 4).saturating_sub(removed);
        self.recovery = section;
        for part in &mut self.links.parts {
            part.state.recovery.clear();
        }
        Ok(())
    }

    /// When the cart will have been idle for this long; `None` while it is empty.
    #[must_use]
    pub fn cart_deadline(&self, idle: Duration) -> Option<Millis> {
        if self.has_other_ids() {
            let standing = self.standing();
            let active = standing.last_active_at;
            let active = active.filter(|_| !standing.cart.lines.is_empty());
            return active.map(|at| at.saturating_add(idle));
        }
        let mut cart = self.base.cart.clone();
        for event in self.tail.events() {
            cart.fold(event);
        }
        let active = self.last_active_at().filter(|_| !cart.lines.is_empty());
        active.map(|at| at.saturating_add(idle))
    }

    /// Last event of any kind but messages, of this id alone.
    #[must_use]
    pub fn last_active_at(&self) -> Option<Millis> {
        let of_tail = self
            .tail
            .events()
            .iter()
            .rev()
            .find(|event| !event.kind.is_message());
        of_tail
            .map(|event| event.at)
            .or(self.base.history.last_active_at)
    }
}

/// An upper bound of what the event adds to the encoded value.
fn added_bytes(event: &Event) -> usize {
    let texts = [
        &event.item_id,
        &event.category,
        &event.brand,
        &event.currency,
    ];
    EVENT_OVERHEAD + texts.into_iter().map(|text| text.len()).sum::<usize>()
}

fn bot_rate(detail: String) -> Rejection {
    Rejection {
        code: RejectCode::BotRate,
        field: "",
        detail,
    }
}

#[cfg(test)]
mod tests;
