//! What is counted at the receivers, by rules of its own: none of it is asked of the system.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;

use crate::living::Arrival;
use crate::living::crowd::Told;

/// What was promised.
#[derive(Clone, Debug)]
pub(super) struct Promises {
    /// Quiet from this hour to that, over midnight.
    pub(super) quiet: (i8, i8),
    /// Where an unknown zone may lie.
    pub(super) zones: Vec<&'static str>,
    pub(super) cap_window_ms: i64,
    pub(super) budget_minor: i64,
}

/// What is true of a shopper.
#[derive(Clone, Debug)]
pub(super) struct Truth {
    pub(super) zone: &'static str,
    pub(super) consented: bool,
    pub(super) held_out: bool,
    pub(super) told: Told,
}

/// Each of them should be 0, but the first two.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Counts {
    /// Hand-outs, and messages by (person, cart version, step).
    pub(super) handed_out: usize,
    pub(super) sent: usize,
    pub(super) after_purchase: usize,
    pub(super) after_no_thanks: usize,
    pub(super) without_consent: usize,
    pub(super) in_quiet_hours: usize,
    pub(super) over_cap: usize,
    pub(super) to_holdout: usize,
    pub(super) overspend_minor: i64,
    /// Messages that stand for two decisions.
    pub(super) double: usize,
}

/// Counts; `spent` is what all messages may have cost the budget.
pub(super) fn count(
    arrivals: &[Arrival],
    truths: &HashMap<String, Truth>,
    promises: &Promises,
) -> (Counts, i64) {
    let mut counts = Counts {
        handed_out: arrivals.len(),
        ..Counts::default()
    };
    let mut messages: BTreeMap<&str, Vec<&Arrival>> = BTreeMap::new();
    let mut zones = Zones::default();
    for arrival in arrivals {
        messages.entry(&arrival.key).or_default().push(arrival);
        let at_ms = arrival.handed_out_at_ms;
        // Somebody nobody knows agreed to nothing.
        let Some(truth) = truths.get(&arrival.shopper_id) else {
            counts.without_consent += 1;
            continue;
        };
        let after = |acknowledged: Option<i64>| acknowledged.is_some_and(|ms| at_ms > ms);
        counts.after_purchase += usize::from(after(truth.told.ordered_at_ms));
        let dismissed = truth.told.dismissed;
        let about_it = dismissed.filter(|(_, version)| arrival.cart_version <= *version);
        counts.after_no_thanks += usize::from(after(about_it.map(|(ms, _)| ms)));
        let silent = after(truth.told.silent_at_ms) || !truth.consented;
        counts.without_consent += usize::from(silent);
        counts.to_holdout += usize::from(truth.held_out);
        let own = [truth.zone];
        let zones_of = match truth.zone {
            "" => &promises.zones[..],
            _ => &own[..],
        };
        let quiet = zones_of
            .iter()
            .any(|zone| zones.is_quiet(zone, at_ms, promises.quiet));
        counts.in_quiet_hours += usize::from(quiet);
    }
    counts.sent = messages.len();
    let mut spent = 0;
    for handed_out in messages.values() {
        let decisions: BTreeSet<_> = handed_out.iter().map(|one| &one.decision_id).collect();
        counts.double += usize::from(decisions.len() > 1);
        spent += handed_out.first().map_or(0, |one| one.max_cost_minor);
    }
    counts.overspend_minor = (spent - promises.budget_minor).max(0);
    counts.over_cap = over_cap(arrivals, promises.cap_window_ms);
    (counts, spent)
}

/// Two messages to one person lie a window apart, at whichever of their hand-outs one looks. The same
/// message may come again whenever it likes: it is no other message.
fn over_cap(arrivals: &[Arrival], window_ms: i64) -> usize {
    let mut by_person: HashMap<&str, Vec<(i64, &str)>> = HashMap::new();
    for arrival in arrivals {
        let handed_out = (arrival.handed_out_at_ms, arrival.key.as_str());
        by_person
            .entry(&arrival.shopper_id)
            .or_default()
            .push(handed_out);
    }
    let mut over = 0;
    for handed_out in by_person.values_mut() {
        handed_out.sort_unstable();
        let close = |pair: &[(i64, &str)]| match pair {
            [(before_ms, one), (after_ms, other)] => {
                one != other && after_ms - before_ms < window_ms
            }
            _ => false,
        };
        over += handed_out.windows(2).filter(|pair| close(pair)).count();
    }
    over
}

/// Time zones by name, looked up once.
#[derive(Debug, Default)]
struct Zones(HashMap<String, Option<TimeZone>>);

impl Zones {
    fn is_quiet(&mut self, zone: &str, at_ms: i64, (from, to): (i8, i8)) -> bool {
        let known = self.0.entry(zone.to_owned());
        let zone = known.or_insert_with(|| TimeZone::get(zone).ok());
        let at = Timestamp::from_millisecond(at_ms).ok();
        at.zip(zone.clone()).is_none_or(|(at, zone)| {
            let hour = zone.to_datetime(at).hour();
            hour >= from || hour < to
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;
    /// Noon in Berlin, summer time: 29 March 2026, 10:00 UTC.
    const NOON: i64 = 1_774_778_400_000;

    fn arrival(shopper: &str, step: u32, at_ms: i64) -> Arrival {
        Arrival {
            key: format!("{shopper}/1/{step}"),
            decision_id: format!("{shopper}-{step}"),
            shopper_id: shopper.to_owned(),
            channel: "email".to_owned(),
            cart_version: 1,
            step,
            action: "reminder".to_owned(),
            handed_out_at_ms: at_ms,
            again: false,
            discount_minor: 0,
            max_cost_minor: 10,
            offer_ends_at_ms: None,
        }
    }

    fn truth() -> Truth {
        Truth {
            zone: "Europe/Berlin",
            consented: true,
            held_out: false,
            told: Told::default(),
        }
    }

    fn counted(arrivals: &[Arrival], truth: Truth) -> Counts {
        let promises = Promises {
            quiet: (22, 7),
            zones: vec!["Europe/Berlin", "Europe/Lisbon"],
            cap_window_ms: 12 * HOUR,
            budget_minor: 25,
        };
        let truths = HashMap::from([("ann".to_owned(), truth)]);
        count(arrivals, &truths, &promises).0
    }

    #[test]
    fn what_keeps_every_promise_counts_nowhere() {
        let fine = [
            arrival("ann", 0, NOON),
            arrival("ann", 0, NOON + HOUR),
            arrival("ann", 1, NOON + 24 * HOUR),
            arrival("ann", 0, NOON + 48 * HOUR),
        ];
        let expected = Counts {
            handed_out: 4,
            sent: 2,
            ..Counts::default()
        };
        assert_eq!(counted(&fine, truth()), expected);
    }

    #[test]
    fn each_broken_promise_is_counted_as_what_it_is() {
        let one = [arrival("ann", 0, NOON)];
        let told = |told: Told| Truth { told, ..truth() };
        let before = Some(NOON - 1);
        let ordered = Told {
            ordered_at_ms: before,
            ..Told::default()
        };
        assert_eq!(counted(&one, told(ordered)).after_purchase, 1);
        let silent = Told {
            silent_at_ms: before,
            ..Told::default()
        };
        assert_eq!(counted(&one, told(silent)).without_consent, 1);
        let dismissed = Told {
            dismissed: Some((NOON - 1, 1)),
            ..Told::default()
        };
        assert_eq!(counted(&one, told(dismissed)).after_no_thanks, 1);
        let never = Truth {
            consented: false,
            ..truth()
        };
        assert_eq!(counted(&one, never).without_consent, 1);
        assert_eq!(
            counted(&[arrival("bob", 0, NOON)], truth()).without_consent,
            1
        );
        let held_out = Truth {
            held_out: true,
            ..truth()
        };
        assert_eq!(counted(&one, held_out).to_holdout, 1);
        let soon = [arrival("ann", 0, NOON), arrival("ann", 1, NOON + 3 * HOUR)];
        assert_eq!(counted(&soon, truth()).over_cap, 1);
        let again = [
            arrival("ann", 1, NOON),
            arrival("ann", 0, NOON - 24 * HOUR),
            arrival("ann", 0, NOON + HOUR),
        ];
        assert_eq!(
            counted(&again, truth()).over_cap,
            1,
            "a message that comes again is close too"
        );
        let dear = [0, 1, 2].map(|step| arrival("ann", step, NOON + i64::from(step) * 24 * HOUR));
        assert_eq!(counted(&dear, truth()).overspend_minor, 5);
        let mut other = arrival("ann", 0, NOON);
        other.decision_id = "another".to_owned();
        assert_eq!(counted(&[one[0].clone(), other], truth()).double, 1);
    }

    #[test]
    fn quiet_hours_go_by_the_clock_of_the_shopper_and_by_every_clock_where_it_is_unknown() {
        // 06:30 in Berlin since that night's change of the clock, 05:30 the day before.
        let morning = NOON - 5 * HOUR - HOUR / 2;
        let quiet = |zone, at| {
            let truth = Truth { zone, ..truth() };
            counted(&[arrival("ann", 0, at)], truth).in_quiet_hours
        };
        assert_eq!(quiet("Europe/Berlin", morning), 1);
        assert_eq!(quiet("Europe/Berlin", morning + HOUR), 0);
        assert_eq!(quiet("", morning + HOUR), 1, "06:30 in Lisbon");
        assert_eq!(quiet("", morning + 2 * HOUR), 0);
        assert_eq!(
            quiet("Nowhere/Unknown", NOON),
            1,
            "what nobody knows is no excuse"
        );
    }
}
