//! What the report tells of the lift, beside what is true of it.

use std::collections::HashMap;

use serde::Serialize;
use simulator::Order;

use super::crowd::Biography;
use crate::commands::report::accounts::Accounts;
use crate::commands::report::summary::{Estimate, Method, Report};

/// Net margin per person that acting adds, in minor units, as `cartwright report` tells it.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Lift {
    pub(crate) estimate: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
    /// Of the same treated people in the same time: what they brought less what they would have
    /// brought if they had been left alone.
    pub(crate) truth: f64,
    pub(crate) people_treated: u64,
    pub(crate) people_holdout: u64,
    pub(crate) split_alarm: bool,
}

impl Lift {
    /// `people` by their ids, with what really happened; nothing without enough people.
    pub(crate) fn of(
        report: &Report,
        accounts: &Accounts,
        method: &Method,
        people: &[Biography],
        contact_minor: i64,
    ) -> Self {
        let by_id: HashMap<&str, &Biography> = people
            .iter()
            .map(|one| (one.person.shopper.shopper_id.as_str(), one))
            .collect();
        let (mut added, mut treated) = (0_i64, 0_u32);
        for (who, first_ms, account) in accounts.met() {
            let to_ms = first_ms.saturating_add(method.window_ms.unwrap_or(i64::MAX));
            let Some(one) = by_id
                .get(who)
                .filter(|_| !account.held_out && to_ms <= method.until_ms)
            else {
                continue;
            };
            let net = |order: &Option<Order>| net_minor(order.as_ref(), first_ms, to_ms);
            let sent = one.messages.iter().filter(|at_ms| **at_ms < to_ms).count();
            let cost = i64::try_from(sent)
                .unwrap_or(i64::MAX)
                .saturating_mul(contact_minor);
            added += net(&one.order) - net(&one.order_alone) - cost;
            treated += 1;
        }
        let told = report.lift;
        let of = |value: fn(&Estimate) -> f64| told.as_ref().map_or(0.0, value);
        Self {
            estimate: of(|lift| lift.estimate),
            low: of(|lift| lift.low),
            high: of(|lift| lift.high),
            truth: minor(added) / f64::from(treated.max(1)),
            people_treated: report.treated.people,
            people_holdout: report.holdout.people,
            split_alarm: report.split.alarm,
        }
    }
}

/// What an order from `from_ms` on brought before `to_ms`.
pub(super) fn net_minor(order: Option<&Order>, from_ms: i64, to_ms: i64) -> i64 {
    let within = order.filter(|order| order.at_ms >= from_ms);
    within.map_or(0, |order| order.money_until(to_ms - 1).net_minor())
}

#[expect(
    clippy::cast_precision_loss,
    reason = "money of a drill is below 2^53 cents"
)]
fn minor(minor: i64) -> f64 {
    minor as f64
}
