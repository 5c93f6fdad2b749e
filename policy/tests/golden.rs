//! Twelve carts whose decisions were reckoned in exact fractions, apart from this code.

use policy::{Inputs, Policy};
use serde::Deserialize;

const TOLERANCE: f64 = 1e-6;

#[derive(Deserialize)]
struct Golden {
    name: String,
    inputs: Inputs,
    decision: Expected,
}

#[derive(Deserialize)]
struct Expected {
    arm: String,
    action: policy::Action,
    value: f64,
    value_minor: i64,
    discount_minor: Option<i64>,
    runner_up: String,
    considered: Vec<ExpectedArm>,
}

#[derive(Deserialize)]
struct ExpectedArm {
    arm: String,
    eligible: bool,
    value_minor: i64,
    uplift: f64,
    cost_minor: i64,
}

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() < TOLERANCE
}

#[test]
fn twelve_carts_are_decided_as_reckoned_by_hand() {
    let policy = Policy::parse(include_str!("goldens/policy.toml")).unwrap();
    let goldens: Vec<Golden> =
        serde_json::from_str(include_str!("goldens/decisions.json")).unwrap();
    assert_eq!(goldens.len(), 12);
    for Golden {
        name,
        inputs,
        decision: expected,
    } in goldens
    {
        let decision = policy.decide(&inputs, 0);
        println!("{name}: {}", decision.reasons[0]);
        assert_eq!(decision.arm, expected.arm, "{name}");
        assert_eq!(decision.action, expected.action, "{name}");
        assert_eq!(decision.value_minor, expected.value_minor, "{name}");
        assert!(
            close(decision.value, expected.value),
            "{name}: {}",
            decision.value
        );
        let discount = decision.offer.map(|offer| offer.discount_minor);
        assert_eq!(discount, expected.discount_minor, "{name}");
        assert_eq!(
            decision.runner_up.unwrap().arm,
            expected.runner_up,
            "{name}"
        );
        assert_eq!(
            decision.considered.len(),
            expected.considered.len(),
            "{name}"
        );
        for (arm, expected) in decision.considered.iter().zip(expected.considered) {
            assert_eq!(arm.arm, expected.arm, "{name}");
            assert_eq!(arm.eligible.is_ok(), expected.eligible, "{name}: {arm:?}");
            assert_eq!(arm.value_minor, expected.value_minor, "{name}: {arm:?}");
            assert_eq!(arm.cost_minor, expected.cost_minor, "{name}: {arm:?}");
            assert!(close(arm.uplift, expected.uplift), "{name}: {arm:?}");
        }
    }
}
