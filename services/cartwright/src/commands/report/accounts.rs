//! What each person brought, from what the logs say, in any order.

use std::collections::{BTreeMap, HashMap};

use policy::measure::Outcome;

/// Everything about everybody.
#[derive(Debug, Default)]
pub(crate) struct Accounts {
    people: HashMap<String, Account>,
}

/// A person's own lines.
#[derive(Debug, Default)]
pub(crate) struct Account {
    /// The first decision: from it on, the sides may differ.
    pub(crate) first_ms: Option<i64>,
    pub(crate) held_out: bool,
    orders: BTreeMap<String, Order>,
    messages: Vec<(i64, i64)>,
    unsubscribed_ms: Option<i64>,
    complained_ms: Option<i64>,
}

/// An order, as events and outcomes tell it together.
#[derive(Debug, Default)]
struct Order {
    at_ms: i64,
    value_minor: i64,
    margin_minor: i64,
    discount_minor: i64,
    /// Money given back, with when.
    refunds: Vec<(i64, i64)>,
}

/// A person within a span of time after their first decision.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Share {
    pub(crate) outcome: Outcome,
    pub(crate) orders: u32,
    pub(crate) messages: u32,
    pub(crate) unsubscribed: bool,
    pub(crate) complained: bool,
    /// Net margin of the orders before, which no message of ours has changed.
    pub(crate) before_minor: i64,
}

impl Accounts {
    fn of(&mut self, person: &str) -> &mut Account {
        // Most entries are of somebody known.
        if !self.people.contains_key(person) {
            self.people.insert(person.to_owned(), Account::default());
        }
        self.people.entry(person.to_owned()).or_default()
    }

    /// A line of an order. One without an order id is an order of its own.
    pub(crate) fn bought(
        &mut self,
        person: &str,
        (order_id, at_ms): (&str, i64),
        (value_minor, margin_minor): (i64, i64),
    ) {
        let order = self.of(person).order(order_id);
        order.at_ms = if order.at_ms == 0 {
            at_ms
        } else {
            order.at_ms.min(at_ms)
        };
        order.value_minor = order.value_minor.saturating_add(value_minor);
        order.margin_minor = order.margin_minor.saturating_add(margin_minor);
    }

    pub(crate) fn decided(&mut self, person: &str, at_ms: i64, held_out: bool) {
        let account = self.of(person);
        account.first_ms = Some(account.first_ms.map_or(at_ms, |first| first.min(at_ms)));
        account.held_out |= held_out;
    }

    pub(crate) fn sent(&mut self, person: &str, at_ms: i64, cost_minor: i64) {
        self.of(person).messages.push((at_ms, cost_minor));
    }

    /// What the offer took off an order.
    pub(crate) fn discounted(&mut self, person: &str, order_id: &str, discount_minor: i64) {
        let order = self.of(person).order(order_id);
        order.discount_minor = order.discount_minor.max(discount_minor);
    }

    pub(crate) fn refunded(&mut self, person: &str, order_id: &str, (at_ms, minor): (i64, i64)) {
        self.of(person).order(order_id).refunds.push((at_ms, minor));
    }

    pub(crate) fn unsubscribed(&mut self, person: &str, at_ms: i64) {
        earliest(&mut self.of(person).unsubscribed_ms, at_ms);
    }

    pub(crate) fn complained(&mut self, person: &str, at_ms: i64) {
        earliest(&mut self.of(person).complained_ms, at_ms);
    }

    /// Everybody about whom anything was decided, by the time of it and then by id: in the order in
    /// which an experiment meets them.
    pub(crate) fn met(&self) -> Vec<(&str, i64, &Account)> {
        let met = self.people.iter().filter_map(|(person, account)| {
            let first_ms = account.first_ms?;
            Some((person.as_str(), first_ms, account))
        });
        let mut met: Vec<_> = met.collect();
        met.sort_by_key(|(person, first_ms, _)| (*first_ms, *person));
        met
    }
}

fn earliest(known: &mut Option<i64>, at_ms: i64) {
    *known = Some(known.map_or(at_ms, |before| before.min(at_ms)));
}

impl Account {
    fn order(&mut self, order_id: &str) -> &mut Order {
        self.orders.entry(order_id.to_owned()).or_default()
    }

    /// What happened from the first decision on, for so long; all after it without a length.
    pub(crate) fn share(&self, window_ms: Option<i64>) -> Share {
        let from_ms = self.first_ms.unwrap_or(i64::MAX);
        let to_ms = window_ms.map_or(i64::MAX, |window| from_ms.saturating_add(window));
        let within = |at_ms: i64| from_ms <= at_ms && at_ms < to_ms;
        let mut share = Share {
            unsubscribed: self.unsubscribed_ms.is_some_and(within),
            complained: self.complained_ms.is_some_and(within),
            ..Share::default()
        };
        for order in self.orders.values() {
            if within(order.at_ms) {
                let back_minor = order.back_minor(to_ms);
                share.orders += 1;
                share.outcome.margin_minor += order.margin_minor;
                share.outcome.discount_minor += order.discount_minor;
                share.outcome.refunded_margin_minor += back_minor;
            } else if order.at_ms < from_ms {
                let kept = order.margin_minor - order.discount_minor;
                share.before_minor += kept - order.back_minor(from_ms);
            }
        }
        for (at_ms, cost_minor) in &self.messages {
            if within(*at_ms) {
                share.messages += 1;
                share.outcome.contact_minor += cost_minor;
            }
        }
        share
    }
}

impl Order {
    /// Margin that was given back by then: of what the order earned, the share of its price that went
    /// back.
    fn back_minor(&self, to_ms: i64) -> i64 {
        let back = self.refunds.iter().filter(|(at_ms, _)| *at_ms < to_ms);
        let back: i128 = back.map(|(_, minor)| i128::from(*minor)).sum();
        let paid = i128::from(self.value_minor - self.discount_minor);
        let earned = i128::from(self.margin_minor - self.discount_minor);
        if paid <= 0 {
            return 0;
        }
        i64::try_from(earned * back.min(paid) / paid).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ann(accounts: &Accounts, window_ms: Option<i64>) -> Share {
        accounts.people["ann"].share(window_ms)
    }

    #[test]
    fn what_was_bought_before_the_first_decision_is_no_outcome() {
        let mut accounts = Accounts::default();
        accounts.bought("ann", ("o1", 50), (1_000, 400));
        accounts.decided("ann", 200, false);
        accounts.decided("ann", 100, false);
        accounts.bought("ann", ("o2", 150), (3_000, 900));
        accounts.bought("ann", ("o2", 150), (1_000, 300));
        let share = ann(&accounts, None);
        assert_eq!(share.outcome.margin_minor, 1_200);
        assert_eq!((share.orders, share.before_minor), (1, 400));
        assert_eq!(
            ann(&accounts, Some(50)).orders,
            0,
            "the window ends before the order"
        );
    }

    #[test]
    fn a_refund_takes_back_what_the_order_had_left_to_give() {
        let mut accounts = Accounts::default();
        accounts.decided("ann", 1, false);
        // Outcomes may be read before the events they are about.
        accounts.refunded("ann", "o", (20, 900));
        accounts.discounted("ann", "o", 100);
        accounts.bought("ann", ("o", 10), (1_000, 400));
        accounts.sent("ann", 5, 7);
        let share = ann(&accounts, None);
        assert_eq!(share.outcome.net_minor(), -7, "all of it went back");
        assert_eq!(ann(&accounts, Some(15)).outcome.net_minor(), 400 - 100 - 7);
        accounts.refunded("ann", "o", (21, 900));
        assert_eq!(
            ann(&accounts, None).outcome.net_minor(),
            -7,
            "no more than that"
        );
        let mut half = Accounts::default();
        half.decided("ann", 1, false);
        half.bought("ann", ("o", 10), (1_000, 400));
        half.refunded("ann", "o", (20, 500));
        assert_eq!(ann(&half, None).outcome.net_minor(), 200);
    }

    #[test]
    fn whoever_is_in_the_holdout_once_is_in_it() {
        let mut accounts = Accounts::default();
        accounts.decided("bob", 5, false);
        accounts.decided("bob", 3, true);
        accounts.decided("ann", 5, false);
        accounts.bought("eve", ("o", 1), (10, 1));
        let met: Vec<_> = accounts
            .met()
            .into_iter()
            .map(|(who, at, account)| (who, at, account.held_out))
            .collect();
        assert_eq!(met, [("bob", 3, true), ("ann", 5, false)]);
    }
}
