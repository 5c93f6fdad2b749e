//! The report: what acting was worth, against those who were left alone.

use std::collections::BTreeMap;

use policy::measure::bounds::Boundary;
use policy::measure::ratio::RatioAlarm;
use policy::measure::{Interval, Lift, Side, Sides};
use serde::Serialize;

use super::accounts::{Account, Accounts, Share};

/// 95 %, and for the split of the sides one false alarm in a thousand experiments.
const ALPHA: f64 = 0.05;
const RATIO_ALPHA: f64 = 0.001;
/// Points of the curve.
const LOOKS: usize = 60;

/// How to measure; chosen before looking.
#[derive(Clone, Debug)]
pub(crate) struct Method {
    /// How long after their first decision what somebody does counts; for ever without.
    pub(crate) window_ms: Option<i64>,
    /// People after whom the lift is looked at first.
    pub(crate) first_look: u64,
    /// Share that was to be held out.
    pub(crate) holdout_share: f64,
    /// Up to when the logs go.
    pub(crate) until_ms: i64,
    pub(crate) currency: String,
}

/// Everything that is shown.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) from_ms: i64,
    pub(crate) until_ms: i64,
    pub(crate) currency: String,
    /// Hours after the first decision that count; `None` for all.
    pub(crate) window_hours: Option<f64>,
    pub(crate) first_look: u64,
    /// People whose window is not over yet; they count nowhere.
    pub(crate) people_open: u64,
    pub(crate) treated: Arm,
    pub(crate) holdout: Arm,
    /// `None` before the first look, and without people on both sides.
    pub(crate) lift: Option<Estimate>,
    pub(crate) split: Split,
    pub(crate) looks: Vec<Look>,
    pub(crate) actions: BTreeMap<String, Acted>,
}

/// One side. Money is in minor units per person.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Arm {
    pub(crate) people: u64,
    pub(crate) orders: u64,
    pub(crate) messages: u64,
    pub(crate) unsubscribed: u64,
    pub(crate) complained: u64,
    pub(crate) margin_minor: f64,
    pub(crate) discount_minor: f64,
    pub(crate) refunded_minor: f64,
    pub(crate) contact_minor: f64,
    pub(crate) net_minor: f64,
}

/// Net margin per person that acting adds, in minor units.
#[derive(Copy, Clone, Debug, Serialize)]
pub(crate) struct Estimate {
    pub(crate) estimate: f64,
    /// The interval that stays right however often one looks.
    pub(crate) low: f64,
    pub(crate) high: f64,
    /// The one of a single look that was planned beforehand.
    pub(crate) fixed_low: f64,
    pub(crate) fixed_high: f64,
    /// Share of the variance that is explained by what people brought before.
    pub(crate) variance_explained: f64,
}

/// Whether people were split as they were meant to be.
#[derive(Copy, Clone, Debug, Serialize)]
pub(crate) struct Split {
    pub(crate) wanted_share: f64,
    pub(crate) found_share: f64,
    pub(crate) p_value: f64,
    pub(crate) alarm: bool,
}

/// The lift as it was known then.
#[derive(Copy, Clone, Debug, Serialize)]
pub(crate) struct Look {
    pub(crate) people: u64,
    pub(crate) at_ms: i64,
    pub(crate) estimate: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

/// What was done, for orientation: none of it is what acting was worth.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Acted {
    pub(crate) decisions: u64,
    pub(crate) sent: u64,
    pub(crate) opened: u64,
    pub(crate) clicked: u64,
    pub(crate) orders_named: u64,
}

impl Report {
    /// Measures. People are met in the order of their first decisions.
    pub(crate) fn new(
        accounts: &Accounts,
        method: &Method,
        actions: BTreeMap<String, Acted>,
    ) -> anyhow::Result<Self> {
        let boundary = Boundary::new(method.first_look, ALPHA)?;
        // A shop without a holdout has nothing to compare with; the split then is of one side.
        let mut alarm = RatioAlarm::new(method.holdout_share).ok();
        let met = accounts.met();
        let is_over = |(_, first_ms, _): &(&str, i64, &Account)| {
            let ends = method
                .window_ms
                .map(|window| first_ms.saturating_add(window));
            ends.is_none_or(|ends| ends <= method.until_ms)
        };
        let over: Vec<_> = met.iter().filter(|one| is_over(one)).collect();
        let every = over.len().div_ceil(LOOKS).max(1);
        let (mut sides, mut arms, mut looks) = (Sides::default(), [Sums::default(); 2], Vec::new());
        for (place, (_, first_ms, account)) in over.iter().enumerate() {
            let share = account.share(method.window_ms);
            let side = if account.held_out {
                Side::Holdout
            } else {
                Side::Treated
            };
            let net = minor(share.outcome.net_minor());
            sides.add(side, net, minor(share.before_minor));
            let [treated, holdout] = &mut arms;
            match side {
                Side::Treated => treated.add(&share),
                Side::Holdout => holdout.add(&share),
            }
            if (place + 1) % every == 0 || place + 1 == over.len() {
                if let Some(alarm) = &mut alarm {
                    alarm.look(arms[0].people, arms[1].people);
                }
                let at_ms = first_ms.saturating_add(method.window_ms.unwrap_or(0));
                looks.extend(look(&sides, &boundary, at_ms));
            }
        }
        let lift = sides.lift();
        let [treated, holdout] = arms.map(|sums| sums.mean());
        Ok(Self {
            from_ms: met.first().map_or(method.until_ms, |first| first.1),
            until_ms: method.until_ms,
            currency: method.currency.clone(),
            window_hours: method.window_ms.map(|window| minor(window) / 3_600_000.0),
            first_look: method.first_look,
            people_open: count(met.len() - over.len()),
            split: split(method.holdout_share, &treated, &holdout, alarm),
            treated,
            holdout,
            lift: lift.and_then(|lift| estimate(&lift, &boundary)),
            looks,
            actions,
        })
    }
}

fn look(sides: &Sides, boundary: &Boundary, at_ms: i64) -> Option<Look> {
    let lift = sides.lift()?;
    let Interval { low, high } = lift.always_valid(boundary)?;
    Some(Look {
        people: lift.people_treated + lift.people_holdout,
        at_ms,
        estimate: lift.estimate,
        low,
        high,
    })
}

fn estimate(lift: &Lift, boundary: &Boundary) -> Option<Estimate> {
    let always = lift.always_valid(boundary)?;
    let fixed = lift.fixed(ALPHA);
    Some(Estimate {
        estimate: lift.estimate,
        low: always.low,
        high: always.high,
        fixed_low: fixed.low,
        fixed_high: fixed.high,
        variance_explained: lift.variance_explained,
    })
}

fn split(wanted_share: f64, treated: &Arm, holdout: &Arm, alarm: Option<RatioAlarm>) -> Split {
    let all = treated.people + holdout.people;
    Split {
        wanted_share,
        found_share: ratio(holdout.people, all),
        p_value: alarm.map_or(1.0, |alarm| alarm.p_value()),
        alarm: alarm.is_some_and(|alarm| alarm.rings(RATIO_ALPHA)),
    }
}

/// Sums of one side.
#[derive(Copy, Clone, Debug, Default)]
struct Sums {
    people: u64,
    orders: u64,
    messages: u64,
    unsubscribed: u64,
    complained: u64,
    margin: i64,
    discount: i64,
    refunded: i64,
    contact: i64,
}

impl Sums {
    fn add(&mut self, share: &Share) {
        let outcome = &share.outcome;
        self.people += 1;
        self.orders += u64::from(share.orders);
        self.messages += u64::from(share.messages);
        self.unsubscribed += u64::from(share.unsubscribed);
        self.complained += u64::from(share.complained);
        self.margin = self.margin.saturating_add(outcome.margin_minor);
        self.discount = self.discount.saturating_add(outcome.discount_minor);
        self.refunded = self.refunded.saturating_add(outcome.refunded_margin_minor);
        self.contact = self.contact.saturating_add(outcome.contact_minor);
    }

    fn mean(&self) -> Arm {
        let people = float(self.people.max(1));
        let mean = |sum: i64| minor(sum) / people;
        Arm {
            people: self.people,
            orders: self.orders,
            messages: self.messages,
            unsubscribed: self.unsubscribed,
            complained: self.complained,
            margin_minor: mean(self.margin),
            discount_minor: mean(self.discount),
            refunded_minor: mean(self.refunded),
            contact_minor: mean(self.contact),
            net_minor: mean(self.margin - self.discount - self.refunded - self.contact),
        }
    }
}

/// A share of people, 0 for nobody.
pub(super) fn ratio(part: u64, of: u64) -> f64 {
    float(part) / float(of.max(1))
}

fn count(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "money of a period is below 2^53 minor units"
)]
fn minor(minor: i64) -> f64 {
    minor as f64
}

#[expect(clippy::cast_precision_loss, reason = "a count of people")]
fn float(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::commands::report) fn method() -> Method {
        Method {
            window_ms: Some(1_000),
            first_look: 200,
            holdout_share: 0.25,
            until_ms: 10_000,
            currency: "EUR".to_owned(),
        }
    }

    /// Everybody buys for 100 of margin; who is treated pays 10 less, gets a message for 1, and one
    /// in two buys twice.
    pub(in crate::commands::report) fn accounts(people: u32) -> Accounts {
        let mut accounts = Accounts::default();
        for number in 0..people {
            let who = format!("p{number}");
            let held_out = number % 4 == 0;
            accounts.bought(&who, ("before", 1), (500, i64::from(number % 7)));
            accounts.decided(&who, 10 + i64::from(number % 50), held_out);
            accounts.bought(&who, ("o1", 500), (400, 100));
            if !held_out {
                accounts.sent(&who, 100, 1);
                accounts.discounted(&who, "o1", 10);
                if number % 2 == 0 {
                    accounts.bought(&who, ("o2", 600), (400, 100));
                }
            }
            if number % 100 == 1 {
                accounts.unsubscribed(&who, 300);
            }
        }
        accounts
    }

    #[test]
    fn the_lift_is_what_the_treated_brought_more() {
        let report = Report::new(&accounts(4_000), &method(), BTreeMap::new()).unwrap();
        assert_eq!(
            (report.treated.people, report.holdout.people),
            (3_000, 1_000)
        );
        assert!((report.holdout.net_minor - 100.0).abs() < 1e-9);
        // 1,000 of the 3,000 bought twice.
        assert!((report.treated.net_minor - (89.0 + 100.0 / 3.0)).abs() < 1e-9);
        let lift = report.lift.unwrap();
        assert!(
            (lift.estimate - (100.0 / 3.0 - 11.0)).abs() < 0.5,
            "{lift:?}"
        );
        assert!(lift.low < lift.fixed_low && lift.fixed_high < lift.high);
        assert_eq!(report.treated.unsubscribed, 40);
        assert!(!report.split.alarm && report.looks.len() > 20);
    }

    #[test]
    fn nothing_is_told_of_people_whose_time_is_not_over_nor_before_the_first_look() {
        let early = Method {
            until_ms: 1_030,
            ..method()
        };
        let report = Report::new(&accounts(4_000), &early, BTreeMap::new()).unwrap();
        assert!(report.people_open > 1_000 && report.treated.people > 1_000);
        let few = Report::new(&accounts(100), &method(), BTreeMap::new()).unwrap();
        assert!(few.lift.is_none() && few.looks.is_empty());
    }

    #[test]
    fn a_split_that_nobody_asked_for_rings() {
        let wrong = Method {
            holdout_share: 0.05,
            ..method()
        };
        let report = Report::new(&accounts(4_000), &wrong, BTreeMap::new()).unwrap();
        assert!(report.split.alarm, "{:?}", report.split);
        assert!((report.split.found_share - 0.25).abs() < 1e-9);
    }
}
