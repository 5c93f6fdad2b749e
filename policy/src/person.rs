//! What recovery keeps of one person, in the person's value: the sequence, the messages that count
//! against the caps, and the actions that are on their way.
//!
//! It is brought up to date when it is read, by [`Person::observe`], from where the shopper stands
//! then; whatever is decided or handed out changes it in the commit that says so.

mod encoding;

pub use encoding::{MAX_BYTES, PersonDecodeError};

use crate::guard::caps::Sends;
use crate::sequence::pace::Pace;
use crate::sequence::{Due, Event, Kind, Plan, Sequence, StepKey};

/// Actions that were handed out are remembered for so long, for those who ask for them again.
const REMEMBERED_MS: i64 = 7 * 86_400_000;

/// Everything that recovery knows of one person.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Person {
    /// `None` until there was something to win back.
    pub sequence: Option<Sequence>,
    pub sends: Sends,
    /// In the order of their decisions.
    pub actions: Vec<OpenAction>,
    /// Other ids of the same person, sorted; none where the store keeps who is linked.
    pub aliases: Vec<String>,
}

/// An action on its way from its decision to whoever sends it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenAction {
    pub decision_id: String,
    pub key: StepKey,
    pub channel: String,
    /// Units bought before the decision: more of them later is an order meanwhile.
    pub bought_units: u64,
    pub decided_at_ms: i64,
    /// The period whose budget holds money for it; empty when it needs none.
    pub period: String,
    pub max_cost_minor: i64,
    /// When it was handed out last; `None` while it waits.
    pub handed_out_at_ms: Option<i64>,
}

/// Where the shopper stands, as far as sequences go by it.
#[derive(Copy, Clone, Debug, Default, PartialEq)]
pub struct Seen {
    pub cart_version: u64,
    /// What there is to win back; `None` for nothing.
    pub kind: Option<Kind>,
    /// The last change of the cart was an order.
    pub ordered_last: bool,
    /// Of the last act.
    pub active_ms: i64,
    /// Gaps between the acts of the last visit.
    pub visit: Pace,
    /// Gaps between orders; none make no rhythm.
    pub orders: Pace,
}

impl Seen {
    /// The gaps that a kind goes by.
    #[must_use]
    pub fn pace(&self, kind: Kind) -> Pace {
        match kind {
            Kind::Browse | Kind::Cart | Kind::Checkout => self.visit,
            Kind::Lapsed => self.orders,
        }
    }
}

impl Person {
    /// Takes in where the shopper stands. The same again changes nothing.
    pub fn observe(&mut self, seen: &Seen) {
        let Some(sequence) = &mut self.sequence else {
            let begin = |kind| Sequence::begin(kind, seen.cart_version, seen.active_ms);
            self.sequence = seen.kind.map(begin);
            return;
        };
        let (cart_version, at_ms) = (seen.cart_version, seen.active_ms);
        if cart_version > sequence.cart_version() {
            sequence.apply(match seen.ordered_last {
                true => Event::Purchased {
                    cart_version,
                    at_ms,
                },
                false => Event::Changed {
                    cart_version,
                    kind: seen.kind,
                    at_ms,
                },
            });
        }
        let came_back = at_ms > sequence.active_ms;
        sequence.apply(Event::Active { at_ms });
        let Some(kind) = seen.kind else { return };
        // Who is missed as a buyer stays so until they come back.
        if sequence.kind() != Kind::Lapsed || came_back || sequence.ended().is_some() {
            sequence.apply(Event::Turned { kind, at_ms });
        }
    }

    /// The next step, when the plans of the policy pursue what there is. A visit without a cart
    /// that was followed to its end turns to the rhythm of orders, where there is one.
    pub fn due<'p>(
        &mut self,
        plans: impl Fn(Kind) -> Option<&'p Plan>,
        seen: &Seen,
    ) -> Option<Due> {
        let sequence = self.sequence.as_mut()?;
        let next = |sequence: &Sequence| {
            let kind = sequence.kind();
            sequence.due(plans(kind)?, seen.pace(kind))
        };
        if let Some(due) = next(sequence) {
            return Some(due);
        }
        let is_done = sequence.ended().is_none() && sequence.kind() == Kind::Browse;
        if is_done && seen.orders.gaps > 0 {
            let at_ms = seen.active_ms;
            sequence.apply(Event::Turned {
                kind: Kind::Lapsed,
                at_ms,
            });
            return next(sequence);
        }
        None
    }

    /// Takes in what was kept of another id of the same person: every message counts against the
    /// caps, every open action may be handed out, and the sequence is that of the newer cart. A link
    /// that brings a cart raises its version, so the next [`Person::observe`] begins anew.
    pub fn join(&mut self, other: Self) {
        self.sends.join(other.sends);
        for action in other.actions {
            if self.action(&action.decision_id).is_none() {
                self.actions.push(action);
            }
        }
        self.actions.sort_by_key(|one| one.decided_at_ms);
        let order = |one: &Sequence| (one.cart_version(), one.active_ms);
        if other.sequence.as_ref().map(order) > self.sequence.as_ref().map(order) {
            self.sequence = other.sequence;
        }
    }

    /// The action of a decision, while it is on its way.
    #[must_use]
    pub fn action(&self, decision_id: &str) -> Option<&OpenAction> {
        self.actions
            .iter()
            .find(|one| one.decision_id == decision_id)
    }

    /// Takes an action off the way.
    pub fn withdraw(&mut self, decision_id: &str) -> Option<OpenAction> {
        let place = self
            .actions
            .iter()
            .position(|one| one.decision_id == decision_id)?;
        Some(self.actions.remove(place))
    }

    /// Marks an action as handed out, and the message as sent: the latest hand-out is what counts
    /// against the caps, since any of them may be the one that arrives.
    pub fn hand_out(&mut self, decision_id: &str, message: &str, now_ms: i64) {
        let action = self
            .actions
            .iter_mut()
            .find(|one| one.decision_id == decision_id);
        if let Some(action) = action {
            action.handed_out_at_ms = Some(now_ms);
            self.sends.record(message, &action.channel, now_ms);
        }
    }

    /// "No thanks" to what is about the cart of this version. Says whether anything changed.
    pub fn dismiss(&mut self, cart_version: u64) -> bool {
        let before = self.sequence;
        if let Some(sequence) = &mut self.sequence {
            sequence.apply(Event::Dismissed { cart_version });
        }
        self.sequence != before
    }

    /// Drops what no cap and no redelivery asks for any more.
    pub fn forget(&mut self, now_ms: i64, longest_window_ms: i64) {
        self.sends.forget(now_ms.saturating_sub(longest_window_ms));
        let since_ms = now_ms.saturating_sub(REMEMBERED_MS);
        self.actions
            .retain(|one| one.handed_out_at_ms.is_none_or(|at_ms| at_ms >= since_ms));
    }
}
