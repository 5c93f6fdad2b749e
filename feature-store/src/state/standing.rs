//! Where a shopper stands, by the order of commits: every accepted event counts, whatever its clock
//! says.

use std::time::Duration;

use crate::event::EventKind;
use crate::state::cart::CartState;
use crate::state::history::History;
use crate::state::{ConsentRecord, Shopper, union};
use crate::time::Millis;
use crate::view::{Cart, MessageRecord, OrderGaps, Profile, Recent, Session};

/// For how long a look at an item is worth coming back to.
const VIEWED: Duration = Duration::from_secs(24 * 60 * 60);

/// What recovery goes by. Unlike a view it has no moment: two readers of one version of the value
/// see the same, and an order counts from its commit on.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Standing {
    /// Its version counts the accepted events that ever changed the cart.
    pub cart: Cart,
    /// Units ever bought: every accepted purchase raises it.
    pub bought_units: u64,
    /// Last event of any kind but messages.
    pub last_active_at: Option<Millis>,
    pub last_view_at: Option<Millis>,
    pub last_checkout_at: Option<Millis>,
    pub last_purchase_at: Option<Millis>,
    pub unsubscribed_at: Option<Millis>,
    pub session: Session,
    pub order_gaps: OrderGaps,
    /// Newest first.
    pub messages: Vec<MessageRecord>,
    /// Newest first.
    pub recent: Vec<Recent>,
    pub profile: Profile,
    /// Those without a jurisdiction stand under the profile's.
    pub consents: Vec<ConsentRecord>,
}

impl Standing {
    /// Whether there is something to win back: a cart, a look at an item within a day of the last
    /// act, or a buyer of whom a rhythm is known.
    #[must_use]
    pub fn is_recoverable(&self) -> bool {
        let viewed = self.last_view_at.zip(self.last_active_at);
        let lately = viewed.is_some_and(|(view, active)| view >= active.saturating_sub(VIEWED));
        !self.cart.lines.is_empty() || lately || self.order_gaps.count > 0
    }
}

impl Shopper {
    /// Where the shopper stands, over all accepted events.
    #[must_use]
    pub fn standing(&self) -> Standing {
        if self.has_other_ids() {
            let states: Vec<&Self> = self.states().collect();
            let folded = states.iter().map(|state| state.cart_and_history());
            let (carts, histories): (Vec<_>, Vec<_>) = folded.unzip();
            let said = (union::settings(&states), union::consents(&states));
            return standing(union::cart(&carts), union::history(&histories), said);
        }
        let (cart, history) = self.cart_and_history();
        let consents = super::reading::in_force(self.consents.clone(), &self.profile);
        standing(cart.view(), history, (self.profile.clone(), consents))
    }

    fn cart_and_history(&self) -> (CartState, History) {
        let mut cart = self.base.cart.clone();
        let mut history = self.base.history.clone();
        for event in self.tail.events() {
            cart.fold(event);
            history.fold(event);
        }
        (cart, history)
    }

    /// When to look at the shopper first, `idle` after their last act, and the version of the cart
    /// then; no moment when there is nothing to win back. Cheaper than a whole standing.
    pub(crate) fn earliest_look(&self, idle: Duration) -> (Option<Millis>, u64) {
        if self.has_other_ids() {
            let standing = self.standing();
            let at = standing.last_active_at;
            let at = at.filter(|_| standing.is_recoverable());
            return (at.map(|at| at.saturating_add(idle)), standing.cart.version);
        }
        let mut cart = self.base.cart.clone();
        let mut gaps = self.base.history.order_gaps.count;
        let mut purchase_at = self.base.history.last_times.get(EventKind::Purchase);
        for event in self.tail.events() {
            cart.fold(event);
            if event.kind == EventKind::Purchase {
                let again = crate::state::history::is_another_order(purchase_at, event.at);
                gaps = gaps.saturating_add(u32::from(again));
                purchase_at = Some(event.at);
            }
        }
        let active = self.last_active_at();
        let viewed = self.last_view_at().zip(active);
        let lately = viewed.is_some_and(|(view, active)| view >= active.saturating_sub(VIEWED));
        let recoverable = !cart.lines.is_empty() || lately || gaps > 0;
        let at = active.filter(|_| recoverable);
        (at.map(|at| at.saturating_add(idle)), cart.version)
    }

    fn last_view_at(&self) -> Option<Millis> {
        let mut tail = self.tail.events().iter().rev();
        tail.find(|event| event.kind == EventKind::View)
            .map(|event| event.at)
            .or(self.base.history.last_times.get(EventKind::View))
    }
}

fn standing(
    cart: Cart,
    history: History,
    (profile, consents): (Profile, Vec<ConsentRecord>),
) -> Standing {
    let last = |kind| history.last_times.get(kind);
    Standing {
        cart,
        bought_units: history.bought_units,
        last_active_at: history.last_active_at,
        last_view_at: last(EventKind::View),
        last_checkout_at: last(EventKind::CheckoutStart),
        last_purchase_at: last(EventKind::Purchase),
        unsubscribed_at: last(EventKind::MessageUnsubscribed),
        session: history.session,
        order_gaps: history.order_gaps,
        recent: history.recent_view(),
        messages: history.messages.into_iter().rev().collect(),
        profile,
        consents,
    }
}
