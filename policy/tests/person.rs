//! What lies in a person's value: brought up to date, bounded, and loaded for ever.
#![allow(clippy::unwrap_used, reason = "helpers of tests unwrap like tests do")]

use policy::Policy;
use policy::account::{Account, BudgetPlan, Period};
use policy::guard::caps::Cap;
use policy::ledger::{Claim, Refused};
use policy::person::{MAX_BYTES, OpenAction, Person, Seen};
use policy::sequence::pace::Pace;
use policy::sequence::{Ended, Kind, Plan, StepKey};

const MINUTE: i64 = 60_000;
const DAY: i64 = 86_400_000;
/// Monday, 23 March 2026, 12:00 UTC.
const START: i64 = 1_774_267_200_000;

fn seen(cart_version: u64, kind: Option<Kind>, active_ms: i64) -> Seen {
    Seen {
        cart_version,
        kind,
        active_ms,
        ..Seen::default()
    }
}

fn plans() -> impl Fn(Kind) -> Option<&'static Plan> {
    let plans = Kind::ALL.map(|kind| (kind, Plan::usual(kind)));
    let plans: &'static [(Kind, Plan)] = Box::leak(Box::new(plans));
    move |kind| {
        plans
            .iter()
            .find(|(of, _)| *of == kind)
            .map(|(_, plan)| plan)
    }
}

fn take(person: &mut Person, seen: &Seen, now_ms: i64) -> Option<StepKey> {
    person.observe(seen);
    let key = person.due(plans(), seen)?.key;
    let sequence = person.sequence.as_mut()?;
    let plan = Plan::usual(sequence.kind());
    let pace = seen.pace(sequence.kind());
    sequence.take(key, &plan, pace, now_ms).then_some(key)
}

fn action(n: u32) -> OpenAction {
    OpenAction {
        decision_id: format!("{n:032x}"),
        key: StepKey {
            cart_version: 7,
            step: n,
            attempt: 0,
        },
        channel: "email".to_owned(),
        bought_units: 2,
        decided_at_ms: START,
        period: "2026-03-23".to_owned(),
        max_cost_minor: 1_501,
        handed_out_at_ms: None,
    }
}

fn known() -> Person {
    let mut person = Person::default();
    let cart = seen(7, Some(Kind::Checkout), START);
    assert!(take(&mut person, &cart, START + 30 * MINUTE).is_some());
    person.actions = vec![action(0), action(1)];
    person.hand_out(&action(1).decision_id, "ann/7/1", START + DAY);
    let slot = ("ann/7/0", "sms");
    person.sends.reserve(&[], slot, START, START + DAY).unwrap();
    person.aliases = vec!["phone-1".to_owned()];
    person
}

#[test]
fn the_section_of_the_first_version_loads() {
    let golden = include_str!("goldens/person-v1.hex").trim();
    let written: String = known()
        .encode()
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect();
    assert_eq!(written, golden);
    assert_eq!(Person::decode(&known().encode()).unwrap(), known());
    assert_eq!(Person::decode(&[]).unwrap(), Person::default());
    assert!(Person::decode(&[8, 2]).is_err());
}

#[test]
fn a_section_never_grows_past_its_bound_and_keeps_what_waits() {
    let mut person = known();
    person.actions = (0..100).map(action).collect();
    for n in 0..100 {
        person.hand_out(&action(n).decision_id, &format!("ann/7/{n}"), START);
    }
    person.actions.push(action(100));
    let bytes = person.encode();
    assert!(bytes.len() <= MAX_BYTES, "{}", bytes.len());
    let kept = Person::decode(&bytes).unwrap();
    assert_eq!(kept.sequence, person.sequence);
    assert!(kept.sends.has_sent("ann/7/99") || kept.action(&action(100).decision_id).is_some());
}

#[test]
fn what_is_observed_twice_changes_nothing() {
    let cart = seen(3, Some(Kind::Cart), START);
    let mut once = Person::default();
    once.observe(&cart);
    let mut twice = once.clone();
    twice.observe(&cart);
    assert_eq!(once, twice);
}

#[test]
fn an_order_stops_what_was_about_the_cart_before_it() {
    let mut person = Person::default();
    person.observe(&seen(3, Some(Kind::Cart), START));
    let ordered = Seen {
        ordered_last: true,
        ..seen(4, None, START + MINUTE)
    };
    person.observe(&ordered);
    assert_eq!(person.sequence.unwrap().ended(), Some(Ended::Purchased));
    assert_eq!(person.due(plans(), &ordered), None);
    person.observe(&seen(5, Some(Kind::Cart), START + 2 * MINUTE));
    let next = person.due(plans(), &ordered).unwrap();
    assert_eq!((next.key.cart_version, next.key.step), (5, 0));
}

#[test]
fn the_checkout_goes_on_with_the_steps_of_the_cart() {
    let mut person = Person::default();
    let now = START + 31 * MINUTE;
    assert_eq!(
        take(&mut person, &seen(3, Some(Kind::Cart), START), now)
            .unwrap()
            .step,
        0
    );
    let checkout = seen(3, Some(Kind::Checkout), START + 40 * MINUTE);
    person.observe(&checkout);
    assert_eq!(person.due(plans(), &checkout).unwrap().key.step, 1);
}

#[test]
fn steps_of_one_cart_never_repeat_whatever_it_turns_to() {
    let mut person = Person::default();
    let mut taken = std::collections::BTreeSet::new();
    let mut now = START;
    for round in 0..6 {
        let kind = [Kind::Browse, Kind::Cart, Kind::Lapsed][round % 3];
        now += 40 * DAY;
        let mut here = seen(3, Some(kind), now);
        here.orders = Pace {
            gaps: 1,
            sum_ms: 0.0,
        };
        while let Some(key) = take(&mut person, &here, now + 400 * DAY) {
            assert!(taken.insert((key.cart_version, key.step)), "{key:?} twice");
            assert!(taken.len() < 100);
        }
    }
    assert!(taken.len() >= 6, "{taken:?}");
}

#[test]
fn who_only_looked_turns_to_the_rhythm_of_their_orders_once() {
    let mut person = Person::default();
    let mut looked = seen(3, Some(Kind::Browse), START);
    looked.orders = Pace {
        gaps: 3,
        sum_ms: 30.0 * DAY as f64,
    };
    assert_eq!(take(&mut person, &looked, START + DAY).unwrap().step, 0);
    let lapsed = person.due(plans(), &looked).unwrap();
    assert_eq!(person.sequence.unwrap().kind(), Kind::Lapsed);
    assert!(lapsed.at_ms >= START + 14 * DAY);
    assert!(take(&mut person, &looked, lapsed.at_ms).is_some());
    person.observe(&looked);
    assert_eq!(person.due(plans(), &looked), None, "nothing new happened");
}

#[test]
fn no_thanks_holds_until_the_cart_changes() {
    let mut person = Person::default();
    let cart = seen(3, Some(Kind::Cart), START);
    person.observe(&cart);
    assert!(person.dismiss(3));
    assert!(!person.dismiss(3));
    person.observe(&seen(3, Some(Kind::Checkout), START + DAY));
    assert_eq!(person.due(plans(), &cart), None);
    person.observe(&seen(4, Some(Kind::Cart), START + DAY));
    assert!(person.due(plans(), &cart).is_some());
}

#[test]
fn the_last_hand_out_is_what_counts_against_the_caps() {
    let mut person = known();
    let cap = Cap {
        channel: None,
        window_ms: DAY,
        most: 1,
    };
    let again = START + 2 * DAY;
    person.hand_out(&action(1).decision_id, "ann/7/1", again);
    let free = person.sends.next_free(&[cap], "email", "other", again);
    assert_eq!(free, Some(again + DAY));
}

fn plan(amount_minor: i64, pacing: bool) -> BudgetPlan {
    BudgetPlan {
        amount_minor,
        period: Period::Day,
        hold_ms: 60 * MINUTE,
        pacing,
    }
}

fn claim(id: &str, now_ms: i64) -> Claim<'_> {
    Claim {
        decision_id: id,
        max_cost_minor: 100,
        decided_at_ms: now_ms,
        expires_at_ms: now_ms + 60 * MINUTE,
    }
}

#[test]
fn an_account_of_the_first_version_loads() {
    let mut account = Account::new("default", "2026-03-23", &plan(1_000, true));
    account.settle(&plan(1_000, true), START);
    account.ledger.reserve(claim("d1", START), START).unwrap();
    account.settle(&plan(1_000, true), START + 2 * MINUTE);
    let golden = include_str!("goldens/account-v1.hex").trim();
    let written: String = account
        .encode()
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect();
    assert_eq!(written, golden);
    assert_eq!(Account::decode(&account.encode()).unwrap(), account);
    assert!(Account::decode(&[8, 9]).is_err());
}

#[test]
fn an_account_stays_as_small_as_what_was_decided_lately() {
    let plan = plan(1_000_000, false);
    let mut account = Account::new("default", "2026-03-23", &plan);
    let mut largest = 0;
    for n in 0..1_000 {
        let now = START + n * MINUTE;
        account.settle(&plan, now);
        let id = format!("d{n}");
        account.ledger.reserve(claim(&id, now), now).unwrap();
        account.ledger.commit(&id, 100, now).unwrap();
        largest = largest.max(account.encode().len());
    }
    assert_eq!(account.ledger.spent_minor(), 100_000);
    assert!(largest < 8_000, "{largest}");
    let late = account
        .ledger
        .reserve(claim("old", START), START + 1_000 * MINUTE);
    assert!(matches!(late, Err(Refused::TooLate { .. })));
}

#[test]
fn money_that_goes_too_fast_gets_a_price() {
    let plan = plan(1_440, true);
    let midnight = START - 12 * 60 * MINUTE;
    let price = |minor_a_minute: i64| {
        let mut account = Account::new("default", "2026-03-23", &plan);
        for n in 1..60 {
            let now = midnight + n * MINUTE;
            account.settle(&plan, now);
            let id = format!("d{n}");
            let claim = Claim {
                max_cost_minor: minor_a_minute,
                ..claim(&id, now)
            };
            account.ledger.reserve(claim, now).unwrap();
        }
        account.lambda()
    };
    assert!(
        price(20) > 10.0 * price(1).max(1e-3),
        "{} {}",
        price(20),
        price(1)
    );
}

#[test]
fn periods_begin_at_midnight_on_monday_and_on_the_first() {
    let named = |period: Period| period.around(START).0;
    assert_eq!(named(Period::Day), "2026-03-23");
    assert_eq!(named(Period::Week), "2026-W13");
    assert_eq!(named(Period::Month), "2026-03");
    for period in Period::ALL {
        let (name, start, end) = period.around(START);
        assert!(start <= START && START < end);
        assert_eq!(period.around(start).0, name);
        assert_eq!(period.around(end - 1).0, name);
        assert_ne!(period.around(end).0, name);
    }
}

#[test]
fn the_shipped_file_says_what_stands_around_a_decision() {
    let policy = Policy::parse(Policy::DEFAULT).unwrap();
    assert!((policy.holdout().unwrap().share() - 0.05).abs() < 1e-12);
    assert_eq!(policy.plan(Kind::Cart), Some(&Plan::usual(Kind::Cart)));
    assert_eq!(
        policy.plan(Kind::Checkout),
        Some(&Plan::usual(Kind::Checkout))
    );
    assert_eq!(policy.plan(Kind::Browse), None);
    assert_eq!(policy.limits().caps.len(), 2);
    assert_eq!(policy.limits().quiet.len(), 3);
    assert_eq!(policy.budget(), None);
}

#[test]
fn what_was_kept_of_two_ids_counts_together() {
    let sent = |n: u32, at_ms: i64| {
        let mut person = Person {
            actions: vec![action(n)],
            ..Person::default()
        };
        person.hand_out(&action(n).decision_id, &format!("message-{n}"), at_ms);
        person
    };
    let cap = Cap {
        window_ms: DAY,
        most: 2,
        channel: None,
    };
    let mut account = sent(1, START);
    let mut device = sent(2, START + MINUTE);
    device.observe(&seen(3, Some(Kind::Cart), START));
    let free_at = |person: &Person| {
        let caps = std::slice::from_ref(&cap);
        person
            .sends
            .next_free(caps, "email", "message-3", START + 2 * MINUTE)
    };
    assert_eq!(free_at(&account), Some(START + 2 * MINUTE));
    account.join(device.clone());
    assert_eq!(free_at(&account), Some(START + DAY));
    assert_eq!(account.actions.len(), 2);
    let sequence = account.sequence.as_ref().unwrap();
    assert_eq!(sequence.cart_version(), 3, "the account had no cart");
    let once = account.clone();
    account.join(device);
    assert_eq!(account, once, "joined again it stays");
}

#[test]
fn forgets_what_no_cap_and_no_time_again_asks_for_and_nothing_that_waits() {
    let mut person = Person {
        actions: vec![action(0), action(1)],
        ..Person::default()
    };
    person.hand_out(&action(1).decision_id, "message-1", START);
    person.forget(START + DAY, DAY);
    assert!(person.sends.has_sent("message-1"));
    person.forget(START + DAY + 1, DAY);
    assert!(!person.sends.has_sent("message-1"));
    person.forget(START + 7 * DAY, DAY);
    assert_eq!(person.actions.len(), 2);
    person.forget(START + 7 * DAY + 1, DAY);
    assert_eq!(person.actions, [action(0)]);
}
