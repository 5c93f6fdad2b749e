//! What holds for every cart.
#![allow(clippy::unwrap_used, reason = "helpers of tests unwrap like tests do")]

mod carts;

use std::sync::LazyLock;

use policy::{Action, Considered, Decision, Inputs, Policy};
use proptest::prelude::*;

static POLICY: LazyLock<Policy> = LazyLock::new(|| Policy::parse(Policy::DEFAULT).unwrap());
/// Rules that read everything, and arms of every kind.
static RULED: LazyLock<Policy> = LazyLock::new(|| {
    let rules = [
        "cart.value_minor > 100 && cart.units < 1000",
        "cart.lines.exists(l, l.quantity > 1 && l.price_minor >= 0)",
        "shopper.a > 0.5 || shopper.b < 1.0",
        "context.attributes.a.contains(\"x\") || context.channel != \"sms\"",
        "risk > 0.3 && \"a\" in cart.categories",
        "10 / cart.units > 0 && cart.brands.all(b, b != \"B\")",
    ];
    let mut rules = rules.iter().cycle();
    let mut file = String::new();
    for line in include_str!("goldens/policy.toml").lines() {
        if !line.starts_with("when") {
            file += &format!("{line}\n");
        }
        if line.starts_with("recovery") {
            file += &format!("when = '{}'\n", rules.next().unwrap());
        }
    }
    Policy::parse(&file).unwrap()
});

fn eligible(decision: &Decision) -> impl Iterator<Item = &Considered> {
    decision
        .considered
        .iter()
        .filter(|arm| arm.eligible.is_ok())
}

/// Price, cost and rate decide a line's margin; told here once more, in wide integers.
fn margin(line: &policy::Line, unknown_rate: i128) -> i128 {
    let (price, quantity) = (
        i128::from(line.price_minor),
        i128::from(line.quantity.max(1)),
    );
    match (line.cost_minor, line.margin_rate) {
        (Some(cost), _) if cost >= 0 => (price - i128::from(cost)) * quantity,
        #[expect(clippy::cast_possible_truncation, reason = "a rate from 0 to 1")]
        (_, Some(rate)) => price * quantity * ((rate * 1e6).round() as i128) / 1_000_000,
        (_, None) => price * quantity * unknown_rate / 1_000_000,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_chosen_arm_is_worth_at_least_as_much_as_every_eligible_one(inputs in carts::inputs(true)) {
        for policy in [&*POLICY, &*RULED] {
            let decision = policy.decide(&inputs, 0);
            prop_assert!(eligible(&decision).any(|arm| arm.arm == decision.arm));
            prop_assert!(eligible(&decision).all(|arm| arm.value_minor <= decision.value_minor));
            prop_assert!(decision.value_minor >= 0, "nothing is always there, and worth 0");
            prop_assert!(decision.propensity.to_bits() == 1.0_f64.to_bits());
        }
    }

    #[test]
    fn no_line_is_discounted_by_more_than_its_margin(mut inputs in carts::inputs(true), risk in 0.9..=1.0) {
        inputs.consented_channels = vec!["email".to_owned()];
        inputs.channels.clear();
        inputs.channel.clear();
        inputs.messages_7d = 0;
        inputs.risk = risk;
        for policy in [&*POLICY, &*RULED] {
            let rate = if policy.version() == "default-1" { 250_000 } else { 300_000 };
            let decision = policy.decide(&inputs, 0);
            let Some(offer) = decision.offer else { continue };
            let lines = &offer.line_discounts_minor;
            if decision.action == Action::FreeShipping {
                prop_assert!(lines.is_empty());
                continue;
            }
            prop_assert_eq!(lines.len(), inputs.lines.len());
            prop_assert_eq!(lines.iter().sum::<i64>(), offer.discount_minor);
            prop_assert!(offer.discount_minor <= offer.max_discount_minor);
            for (discount, line) in lines.iter().zip(&inputs.lines) {
                prop_assert!(i128::from(*discount) <= margin(line, rate).max(0), "{line:?}");
            }
        }
    }

    #[test]
    fn more_risk_never_lowers_the_uplift(inputs in carts::inputs(true), more in 0.0..=1.0) {
        let before = POLICY.decide(&inputs, 0);
        let mut riskier = inputs.clone();
        riskier.risk = inputs.risk + (1.0 - inputs.risk) * more;
        let after = POLICY.decide(&riskier, 0);
        for (before, after) in before.considered.iter().zip(&after.considered) {
            prop_assert!(after.uplift >= before.uplift);
            if before.action == Action::Reminder && margin_at_stake(&inputs) >= 0 {
                prop_assert!(after.value_minor >= before.value_minor);
            }
        }
    }

    #[test]
    fn more_consent_never_lowers_the_value(inputs in carts::inputs(true), channel in "email|sms|push|onsite") {
        let before = POLICY.decide(&inputs, 0);
        let mut more = inputs;
        more.consented_channels.push(channel);
        prop_assert!(POLICY.decide(&more, 0).value_minor >= before.value_minor);
    }

    #[test]
    fn without_consent_nothing_is_sent(mut inputs in carts::inputs(true)) {
        inputs.consented_channels.clear();
        let decision = POLICY.decide(&inputs, 0);
        prop_assert_eq!(decision.action, Action::Nothing);
        prop_assert!(decision.channel.is_empty() && decision.offer.is_none());
    }

    #[test]
    fn nonsense_never_panics_nor_gives_a_number_that_is_none(inputs in carts::inputs(false), seed: u64) {
        for policy in [&*POLICY, &*RULED] {
            let decision = policy.decide(&inputs, seed);
            prop_assert!(decision.value.is_finite() && decision.value >= -0.5);
            prop_assert!((0.0..=1.0).contains(&decision.risk));
            prop_assert!(decision.considered.iter().all(|arm| (0.0..=1.0).contains(&arm.uplift)));
            prop_assert!(!decision.reasons.is_empty());
        }
    }

    #[test]
    fn a_decision_is_made_again_from_its_log_bit_for_bit(inputs in carts::inputs(false), seed: u64) {
        let logged = inputs.encode();
        let read = Inputs::decode(&logged).unwrap();
        prop_assert_eq!(read.encode(), logged);
        prop_assert_eq!(read.risk.to_bits(), inputs.risk.to_bits());
        for policy in [&*POLICY, &*RULED] {
            let (first, again) = (policy.decide(&inputs, seed), policy.decide(&read, seed));
            prop_assert_eq!(first.value.to_bits(), again.value.to_bits());
            let uplifts = |decision: &Decision| {
                decision.considered.iter().map(|arm| arm.uplift.to_bits()).collect::<Vec<_>>()
            };
            prop_assert_eq!(uplifts(&first), uplifts(&again));
            prop_assert_eq!(first, again);
        }
    }

    #[test]
    fn bytes_of_any_kind_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        drop(Inputs::decode(&bytes));
    }

    /// The stated risk is enough, and half of what is missing is not.
    #[test]
    fn the_runner_up_wins_at_the_risk_that_is_stated(inputs in carts::inputs(true)) {
        let mut inputs = inputs;
        inputs.consented_channels = vec!["email".to_owned()];
        inputs.channels.clear();
        inputs.channel.clear();
        inputs.messages_7d = inputs.messages_7d.min(2);
        let decision = UNRULED.decide(&inputs, 0);
        let Some(next) = &decision.runner_up else { return Ok(()) };
        let words: Vec<&str> = next.flips_when.split(' ').collect();
        let ["wins", "if", "risk", "were", side, stated, ..] = words.as_slice() else { return Ok(()) };
        let stated: f64 = stated.parse().unwrap();
        let beyond = if *side == "above" { (stated + 1e-6).min(1.0) } else { stated - 1e-6 };
        let mut moved = inputs.clone();
        moved.risk = beyond.max(0.0);
        let after = UNRULED.decide(&moved, 0);
        let value = |decision: &Decision, arm: &str| {
            decision.considered.iter().find(|other| other.arm == arm).unwrap().value_minor
        };
        prop_assert!(value(&after, &next.arm) >= value(&after, &decision.arm), "{}", next.flips_when);
    }
}

/// The default policy without its rules, which read the risk.
static UNRULED: LazyLock<Policy> = LazyLock::new(|| {
    let lines = Policy::DEFAULT
        .lines()
        .filter(|line| !line.starts_with("when"));
    Policy::parse(&lines.collect::<Vec<_>>().join("\n")).unwrap()
});

fn margin_at_stake(inputs: &Inputs) -> i128 {
    let priced = inputs.lines.iter().filter(|line| line.price_minor > 0);
    priced.map(|line| margin(line, 250_000)).sum()
}
