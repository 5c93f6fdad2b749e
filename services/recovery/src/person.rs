//! One person at one version of their value: where they stand, and what recovery keeps of them.

use feature_store::{Look, Millis, Recent, Standing, StoredShopper};
use kit::Problem;
use policy::Policy;
use policy::person::{Person, Seen};
use policy::sequence::pace::Pace;
use policy::sequence::{Due, Kind};

use crate::request::CartLine;

/// For how long a look at an item is worth coming back to.
const VIEWED_MS: i64 = Millis::DAY;
/// Lines that stand for a visit without a cart, or for an order of long ago.
const STAND_IN_LINES: usize = 3;

/// A person, with the value that all of it was read from.
#[derive(Clone, Debug)]
pub(crate) struct Stand {
    pub(crate) read: StoredShopper,
    pub(crate) standing: Standing,
    pub(crate) seen: Seen,
    /// Brought up to date with where they stand.
    pub(crate) person: Person,
}

impl Stand {
    pub(crate) fn of(read: StoredShopper) -> Result<Self, Problem> {
        let standing = read.shopper.standing();
        let seen = seen(&standing);
        let decode = |section: &[u8]| {
            Person::decode(section).map_err(|error| Problem::Internal(error.to_string()))
        };
        let mut person = decode(read.shopper.recovery())?;
        for section in read.shopper.other_recoveries() {
            person.join(decode(section)?);
        }
        person.observe(&seen);
        Ok(Self {
            read,
            standing,
            seen,
            person,
        })
    }

    /// The next step that the policy pursues.
    pub(crate) fn due(&mut self, policy: &Policy) -> Option<Due> {
        self.person.due(|kind| policy.plan(kind), &self.seen)
    }

    /// When to look at them again.
    pub(crate) fn look(&mut self, policy: &Policy) -> Look {
        self.due(policy)
            .map_or(Look::Never, |due| Look::At(Millis(due.at_ms)))
    }

    /// What is being won back.
    pub(crate) fn left(&self) -> Kind {
        let sequence = self.person.sequence.as_ref();
        sequence.map_or_else(Kind::default, |sequence| sequence.kind())
    }

    /// Items that stand for what was left when it was no cart: those looked at last, or bought last.
    pub(crate) fn stand_in(&self) -> Vec<CartLine> {
        let wanted = match self.left() {
            Kind::Cart | Kind::Checkout => return Vec::new(),
            Kind::Browse => feature_store::EventKind::View,
            Kind::Lapsed => feature_store::EventKind::Purchase,
        };
        let mut lines: Vec<CartLine> = Vec::new();
        let of_kind = |recent: &&Recent| recent.kind == wanted;
        for recent in self.standing.recent.iter().filter(of_kind) {
            if lines.iter().all(|line| line.item_id != recent.item_id) {
                lines.push(CartLine {
                    item_id: recent.item_id.to_string(),
                    quantity: 1,
                    ..CartLine::default()
                });
            }
            if lines.len() == STAND_IN_LINES {
                break;
            }
        }
        lines
    }
}

/// Whether any of the person's ids is held out: the one that was asked about, the one that the value
/// is under, and those linked to it.
pub(crate) fn is_held_out(policy: &Policy, shopper: &str, stand: &Stand) -> bool {
    let StoredShopper {
        under,
        shopper: value,
        ..
    } = &stand.read;
    let ids = value.other_ids().into_iter().chain(under.as_deref());
    policy
        .holdout()
        .is_some_and(|holdout| holdout.holds_any(ids.chain([shopper])))
}

fn seen(standing: &Standing) -> Seen {
    let cart = &standing.cart;
    let ordered_last = cart.updated_at.is_some() && cart.updated_at == standing.last_purchase_at;
    Seen {
        cart_version: cart.version,
        kind: kind(standing, ordered_last),
        ordered_last,
        active_ms: standing.last_active_at.map_or(0, |at| at.0),
        visit: visit(standing),
        orders: Pace {
            gaps: standing.order_gaps.count,
            sum_ms: millis(standing.order_gaps.sum_ms),
        },
    }
}

/// What an order left in the cart is not pursued: an order ends it.
fn kind(standing: &Standing, ordered_last: bool) -> Option<Kind> {
    let changed = standing.cart.updated_at;
    if !standing.cart.lines.is_empty() && !ordered_last {
        let checkout = standing.last_checkout_at.is_some() && standing.last_checkout_at >= changed;
        return Some(if checkout { Kind::Checkout } else { Kind::Cart });
    }
    let viewed = standing.last_view_at.zip(standing.last_active_at);
    let lately = viewed.is_some_and(|(view, active)| {
        changed.is_none_or(|changed| view > changed) && active.0 - view.0 <= VIEWED_MS
    });
    if lately {
        return Some(Kind::Browse);
    }
    (standing.order_gaps.count > 0).then_some(Kind::Lapsed)
}

/// Gaps between the acts of the last visit.
fn visit(standing: &Standing) -> Pace {
    let session = &standing.session;
    let spent = session.started_at.zip(standing.last_active_at);
    Pace {
        gaps: session.events.saturating_sub(1),
        sum_ms: spent.map_or(0.0, |(from, to)| millis(to.0.saturating_sub(from.0))),
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a span of time is far below 2^53 milliseconds"
)]
fn millis(span_ms: i64) -> f64 {
    span_ms as f64
}

#[cfg(test)]
mod tests {
    use feature_store::{Cart, CartLine, EventKind, OrderGaps};

    use super::*;

    const MINUTE: i64 = 60_000;

    /// A cart of one line that was changed last after ten minutes.
    fn with_cart() -> Standing {
        Standing {
            cart: Cart {
                lines: vec![CartLine::default()],
                version: 3,
                updated_at: Some(Millis(10 * MINUTE)),
            },
            last_active_at: Some(Millis(12 * MINUTE)),
            ..Standing::default()
        }
    }

    #[test]
    fn a_checkout_counts_until_the_cart_changes() {
        let mut standing = with_cart();
        assert_eq!(seen(&standing).kind, Some(Kind::Cart));
        standing.last_checkout_at = Some(Millis(11 * MINUTE));
        assert_eq!(seen(&standing).kind, Some(Kind::Checkout));
        standing.cart.updated_at = Some(Millis(12 * MINUTE));
        assert_eq!(seen(&standing).kind, Some(Kind::Cart));
    }

    #[test]
    fn what_an_order_left_in_the_cart_is_not_pursued() {
        let mut standing = with_cart();
        standing.last_purchase_at = standing.cart.updated_at;
        let after = seen(&standing);
        assert_eq!((after.kind, after.ordered_last), (None, true));
        standing.order_gaps = OrderGaps {
            count: 2,
            sum_ms: 80 * Millis::DAY,
        };
        assert_eq!(seen(&standing).kind, Some(Kind::Lapsed));
        standing.last_view_at = Some(Millis(11 * MINUTE));
        assert_eq!(seen(&standing).kind, Some(Kind::Browse));
    }

    #[test]
    fn who_emptied_the_cart_looks_again_only_after_that() {
        let mut standing = with_cart();
        standing.cart.lines.clear();
        standing.last_view_at = Some(Millis(9 * MINUTE));
        assert_eq!(seen(&standing).kind, None);
        standing.last_view_at = Some(Millis(12 * MINUTE));
        assert_eq!(seen(&standing).kind, Some(Kind::Browse));
        standing.last_active_at = Some(Millis(12 * MINUTE + Millis::DAY + 1));
        assert_eq!(seen(&standing).kind, None, "a look of long ago");
    }

    #[test]
    fn a_visit_stands_for_what_was_looked_at_last_each_item_once() {
        let recent = |item: &str, kind| Recent {
            item_id: item.into(),
            kind,
            occurred_at: Millis(0),
        };
        let mut stand = Stand::of(StoredShopper::default()).unwrap();
        stand.standing.recent = vec![
            recent("1", EventKind::View),
            recent("2", EventKind::Purchase),
            recent("1", EventKind::View),
            recent("3", EventKind::View),
            recent("4", EventKind::View),
            recent("5", EventKind::View),
        ];
        assert!(stand.stand_in().is_empty(), "a cart stands for itself");
        stand.person.observe(&Seen {
            kind: Some(Kind::Browse),
            ..Seen::default()
        });
        let items: Vec<String> = stand
            .stand_in()
            .into_iter()
            .map(|line| line.item_id)
            .collect();
        assert_eq!(items, ["1", "3", "4"]);
    }
}
