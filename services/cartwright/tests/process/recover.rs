//! The recovery loop under kill -9, and what its logs are good for.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use super::support::{run, succeed, text};

/// A short form of `make recovery-drill`.
#[test]
fn processes_that_are_killed_lose_no_action_double_none_and_keep_every_limit() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("recovery.json");
    let stdout = succeed(&[
        "drill",
        "--quick",
        "--shoppers",
        "150",
        "--speed",
        "16000",
        "--json",
        "--out",
        text(&out),
    ]);
    let printed: Value = serde_json::from_str(&stdout).unwrap();
    let written = std::fs::read_to_string(&out).unwrap();
    let written: Value = serde_json::from_str(&written).unwrap();
    assert_eq!(printed, written);
    for promise in [
        "after_purchase",
        "after_no_thanks",
        "without_consent",
        "in_quiet_hours",
        "over_cap",
        "to_holdout",
        "overspend_minor",
        "lost",
        "double",
        "decided_twice",
    ] {
        assert_eq!(written[promise], 0, "{promise} of {written}");
    }
    let count = |name: &str| written[name].as_u64().unwrap();
    assert_eq!(count("carts"), 150);
    // How many fit into the budget depends on which come first: nine of the dearest ones do.
    assert!(count("sent") >= 8 && count("orders") > 20, "{written}");
    let kills: BTreeMap<String, u64> = serde_json::from_value(written["kills"].clone()).unwrap();
    assert!(kills.values().sum::<u64>() >= 8, "{kills:?}");
    assert!(kills["recovery"] > 0, "{kills:?}");
}

/// The totals, the log and the truth of a shop of 400.
fn simulate(log: &Path, truth: &Path, seed: &str) -> (Value, String, String) {
    let shop = ["simulate", "--shoppers", "400", "--holdout", "0.25"];
    let rest = ["--arm", "reminder", "--json", "--seed", seed];
    let files = ["--out", text(log), "--truth", text(truth)];
    let stdout = succeed(&[&shop[..], &rest, &files].concat());
    let read = |path| std::fs::read_to_string(path).unwrap();
    (
        serde_json::from_str(&stdout).unwrap(),
        read(log),
        read(truth),
    )
}

#[test]
fn a_simulated_log_is_the_same_every_time_and_its_truth_adds_up() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    let (totals, log, truth) = simulate(&file("a.jsonl"), &file("a.truth"), "1");
    let (_, again, true_again) = simulate(&file("b.jsonl"), &file("b.truth"), "1");
    assert_eq!((&log, &truth), (&again, &true_again));
    assert_ne!(log, simulate(&file("c.jsonl"), &file("c.truth"), "2").1);
    assert_eq!(
        log.lines().count() as u64,
        totals["events"].as_u64().unwrap()
    );
    let lines: Vec<Value> = truth
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let treated: Vec<_> = lines
        .iter()
        .filter(|one| one["held_out"] == false)
        .collect();
    let added: i64 = treated
        .iter()
        .map(|one| {
            one["net_minor"].as_i64().unwrap() - one["net_left_alone_minor"].as_i64().unwrap()
        })
        .sum();
    let lift = totals["true_lift_minor"].as_f64().unwrap();
    assert!((added as f64 / treated.len() as f64 - lift).abs() < 1e-9);
    assert!(lines.iter().any(|one| one["held_out"] == true));
    for one in lines.iter().filter(|one| one["held_out"] == true) {
        assert_eq!(one["received"], Value::Null);
        assert_eq!(one["net_minor"], one["net_left_alone_minor"]);
    }
    // Every line is an event that training takes.
    let snapshot = file("snapshot");
    succeed(&[
        "train",
        "--events",
        text(&file("a.jsonl")),
        "--out",
        text(&snapshot),
    ]);
}

#[test]
fn a_report_of_no_store_says_what_to_name() {
    let output = run(&["report"]);
    assert_eq!(output.status.code(), Some(64));
    let output = run(&["report", "--store", "/no/such/folder"]);
    assert_eq!(output.status.code(), Some(64));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("no folder"), "{stderr}");
}
