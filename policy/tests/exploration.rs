//! A policy that explores: what is drawn, how it is logged, and what it says.
#![allow(clippy::unwrap_used, reason = "helpers of tests unwrap like tests do")]

mod carts;

use std::collections::BTreeMap;

use policy::{Decision, Inputs, Line, Policy};
use proptest::prelude::*;

fn policy(epsilon: f64, max_regret_minor: i64) -> Policy {
    let lines = Policy::DEFAULT
        .lines()
        .filter(|line| !line.starts_with("when"));
    let file = lines.collect::<Vec<_>>().join("\n");
    let table =
        format!("\n[exploration]\nepsilon = {epsilon}\nmax_regret_minor = {max_regret_minor}\n");
    Policy::parse(&(file + &table)).unwrap()
}

fn cart() -> Inputs {
    Inputs {
        lines: vec![Line {
            item_id: "a".to_owned(),
            quantity: 1,
            price_minor: 9_000,
            cost_minor: Some(4_000),
            ..Line::default()
        }],
        currency: "EUR".to_owned(),
        risk: 0.64,
        consented_channels: vec!["email".to_owned()],
        ..Inputs::default()
    }
}

#[test]
fn every_arm_within_the_regret_is_drawn_as_often_as_is_logged() {
    let policy = policy(0.4, 160);
    let mut counts: BTreeMap<String, u32> = BTreeMap::new();
    for seed in 0..20_000 {
        *counts.entry(policy.decide(&cart(), seed).arm).or_default() += 1;
    }
    let said = policy.decide(&cart(), 0).considered;
    for arm in &said {
        let drawn = f64::from(counts.get(&arm.arm).copied().unwrap_or(0)) / 20_000.0;
        assert!((drawn - arm.propensity).abs() < 0.015, "{arm:?} {drawn}");
    }
    // 0.95 for the reminder; what is more than 1.60 behind it, such as the coupons, is not drawn.
    let open: Vec<&str> = said
        .iter()
        .filter(|arm| arm.propensity > 0.0)
        .map(|arm| arm.arm.as_str())
        .collect();
    assert_eq!(open, ["nothing", "reminder", "free_shipping", "today_only"]);
}

#[test]
fn an_explored_arm_says_so() {
    let policy = policy(1.0, 160);
    let explored = |arm: &str| {
        (0..200)
            .map(|seed| policy.decide(&cart(), seed))
            .find(|decision| decision.arm == arm)
            .unwrap()
    };
    let shipping = explored("free_shipping");
    assert_eq!(
        shipping.reasons[0],
        "this decision explores free shipping: a reminder is expected to be worth 1.57 EUR more \
         (64 % risk of being left, 50.00 EUR margin at stake)"
    );
    let next = shipping.runner_up.unwrap();
    assert_eq!(
        (next.arm.as_str(), next.flips_when.as_str()),
        ("reminder", "wins whenever the decision does not explore")
    );
    let why = |decision: &Decision, arm: &str| {
        decision
            .considered
            .iter()
            .find(|other| other.arm == arm)
            .unwrap()
            .why_not
            .clone()
    };
    assert_eq!(
        why(&explored("nothing"), "reminder"),
        "it is worth 0.95 EUR more, and this decision explores another"
    );
}

#[test]
fn a_file_that_explores_says_how_much_and_at_what_cost() {
    let file = "version = \"t\"\n[exploration]\nepsilon = 5\n";
    let problems = Policy::parse(file).unwrap_err();
    let said: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(said.len(), 2);
    assert!(
        said[0].contains("exploration.max_regret_minor: is missing"),
        "{said:?}"
    );
    assert!(
        said[1].contains("exploration.epsilon: 5 is not allowed"),
        "{said:?}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_may_not_be_chosen_is_not_explored_and_a_replay_draws_the_same(
        inputs in carts::inputs(true), epsilon in 0.0..=1.0, regret in 0..2_000_i64, seed: u64,
    ) {
        let policy = policy(epsilon, regret);
        let decision = policy.decide(&inputs, seed);
        let sum: f64 = decision.considered.iter().map(|arm| arm.propensity).sum();
        prop_assert!((sum - 1.0).abs() < 1e-9);
        let chosen = decision.considered.iter().find(|arm| arm.arm == decision.arm).unwrap();
        prop_assert!(chosen.eligible.is_ok() && chosen.propensity > 0.0);
        prop_assert!(chosen.propensity.to_bits() == decision.propensity.to_bits());
        prop_assert!(decision.considered.iter().all(|arm| arm.eligible.is_ok() || arm.propensity.to_bits() == 0));
        let best = decision.considered.iter().filter(|arm| arm.eligible.is_ok()).map(|arm| arm.value_minor).max().unwrap();
        prop_assert!(best - decision.value_minor <= regret);
        prop_assert_eq!(policy.decide(&Inputs::decode(&inputs.encode()).unwrap(), seed), decision);
    }
}
