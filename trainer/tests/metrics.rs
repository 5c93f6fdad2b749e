//! Measures against scikit-learn's; `tests/reference/metrics.py` makes the golden file.

#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use serde_json::Value;
use trainer::metrics::{hit, ndcg, recall, reciprocal_rank};
use trainer::risk::{auc, average_precision, brier, expected_calibration_error, log_loss};

fn goldens() -> Value {
    serde_json::from_str(include_str!("golden/metrics.json")).unwrap()
}

fn cases(kind: &str) -> Vec<Value> {
    goldens()[kind].as_array().unwrap().clone()
}

fn ordinals(value: &Value) -> Vec<u32> {
    serde_json::from_value(value.clone()).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    serde_json::from_value(value.clone()).unwrap()
}

#[track_caller]
fn agrees(found: f64, case: &Value, name: &str) {
    let expected = case[name].as_f64().unwrap();
    assert!(
        (found - expected).abs() < 1e-12,
        "{name}: {found}, reference {expected}"
    );
}

#[test]
fn measures_of_a_ranking_are_those_of_scikit_learn() {
    let cases = cases("ranking");
    assert_eq!(cases.len(), 30);
    for case in &cases {
        let k = usize::try_from(case["k"].as_u64().unwrap()).unwrap();
        let (ranked, wanted) = (ordinals(&case["ranked"]), ordinals(&case["wanted"]));
        let target = ordinals(&serde_json::json!([case["target"]]));
        agrees(hit(&ranked, &target, k), case, "hit_rate");
        agrees(reciprocal_rank(&ranked, &target, k), case, "mrr");
        agrees(ndcg(&ranked, &wanted, k), case, "ndcg");
        agrees(recall(&ranked, &wanted, k), case, "recall");
    }
}

#[test]
fn measures_of_probabilities_are_those_of_scikit_learn() {
    let cases = cases("classification");
    assert_eq!(cases.len(), 3);
    for case in &cases {
        let (risks, labels) = (numbers(&case["risks"]), numbers(&case["labels"]));
        agrees(auc(&risks, &labels), case, "auc");
        agrees(
            average_precision(&risks, &labels),
            case,
            "average_precision",
        );
        agrees(log_loss(&risks, &labels), case, "log_loss");
        agrees(brier(&risks, &labels), case, "brier");
        agrees(expected_calibration_error(&risks, &labels), case, "ece");
    }
}
