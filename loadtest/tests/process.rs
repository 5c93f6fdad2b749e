//! The real binary against a real server in the test, by its exit code and its report.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests unwrap like tests do"
)]

mod shop;

use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::Value;
use shop::{Mood, Shop};

struct Ran {
    output: Output,
    entry: Value,
    page: String,
}

impl Ran {
    fn code(&self) -> Option<i32> {
        self.output.status.code()
    }

    fn number(&self, path: &str) -> f64 {
        let value = self.entry.pointer(path).and_then(Value::as_f64);
        value.unwrap_or_else(|| panic!("no number at {path}: {:#}", self.entry))
    }
}

fn binary(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cartwright-loadtest"));
    command.args(arguments).output().expect("run the binary")
}

/// Runs one scenario without warm-up against a server in this mood.
fn run(mood: Mood, arguments: &str) -> Ran {
    let shop = Shop::start(mood);
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str| -> PathBuf { dir.path().join(name) };
    let (json, html) = (file("report.json"), file("report.html"));
    let url = shop.url();
    let mut all: Vec<&str> = arguments.split_whitespace().collect();
    all.extend(["--features", &url, "--candidates", &url, "--recovery", &url]);
    all.extend(["--shoppers", "20", "--items", "50", "--warmup", "0s"]);
    all.extend([
        "--json",
        json.to_str().unwrap(),
        "--html",
        html.to_str().unwrap(),
    ]);
    let output = binary(&all);
    let text = std::fs::read_to_string(&json).unwrap_or_else(|e| panic!("{e}: {output:?}"));
    let entries: Vec<Value> = serde_json::from_str(&text).unwrap();
    assert_eq!(entries.len(), 1);
    Ran {
        output,
        entry: entries[0].clone(),
        page: std::fs::read_to_string(&html).unwrap(),
    }
}

#[test]
fn a_server_that_stalls_for_100_ms_once_a_second_has_a_p99_near_100_ms() {
    let ran = run(
        Mood::Stalls,
        "features --rate 200 --duration 5s --slo p99<50ms max<2s",
    );
    let p99 = ran.number("/latency_ms/p99");
    assert!((80.0..130.0).contains(&p99), "p99 {p99} ms");
    // Nine of ten seconds are quick, and the schedule was kept through the tenth.
    assert!(ran.number("/latency_ms/p50") < 20.0, "{:#}", ran.entry);
    assert!((ran.number("/requests") - 1_000.0).abs() < 1e-9);
    assert_eq!(ran.entry["valid"], true, "{:#}", ran.entry);
    assert_eq!(
        ran.entry["slo"][0],
        serde_json::json!({"expr": "p99<50ms", "ok": false})
    );
    assert_eq!(ran.entry["slo"][1]["ok"], true);
    assert_eq!(ran.code(), Some(1));
    assert!(ran.page.contains("p99&lt;50ms"));
}

#[test]
fn objectives_that_hold_are_exit_code_0() {
    for scenario in [
        "features",
        "retrieve",
        "decide",
        "decide-commit",
        "events",
        "mixed",
        "freshness",
    ] {
        let arguments = format!(
            "{scenario} --rate 100 --duration 1s --max-lag 500ms --slo p50<500ms errors<=0%"
        );
        let ran = run(Mood::Quick, &arguments);
        let said = String::from_utf8_lossy(&ran.output.stdout).into_owned();
        assert_eq!(ran.code(), Some(0), "{scenario}: {said}");
        assert_eq!(ran.entry["scenario"], scenario);
        assert!(said.contains("p50<500ms holds"), "{said}");
    }
}

#[test]
fn the_same_decisions_are_made_of_the_same_seed() {
    let asked = |seed: u32| {
        let shop = Shop::start(Mood::Quick);
        let url = shop.url();
        let seed = seed.to_string();
        let mut all = vec![
            "decide",
            "--rate",
            "50",
            "--duration",
            "1s",
            "--warmup",
            "0s",
        ];
        all.extend([
            "--features",
            &url,
            "--recovery",
            &url,
            "--seed",
            &seed,
            "--connections",
            "1",
        ]);
        let output = binary(&all);
        assert!(!output.stdout.is_empty(), "{output:?}");
        shop.decided()
    };
    let first = asked(7);
    assert_eq!(first.len(), 50);
    assert_eq!(first, asked(7));
    assert_ne!(first, asked(8));
}

#[test]
fn an_item_of_the_cart_in_a_decision_is_an_error() {
    let ran = run(
        Mood::ShowsTheCart,
        "decide --rate 50 --duration 1s --slo errors<1%",
    );
    let wrong = &ran.entry["errors_by_code"]["wrong: forbidden item"];
    assert_eq!(wrong["count"], ran.entry["requests"]);
    assert!(
        ran.number("/rate/got").abs() < f64::EPSILON,
        "wrong answers are no goodput"
    );
    assert_eq!(ran.code(), Some(1));
}

#[test]
fn degraded_answers_are_counted_apart_from_errors() {
    let ran = run(
        Mood::Degraded,
        "decide --rate 50 --duration 1s --slo degraded<1%",
    );
    assert!((ran.number("/degraded_share") - 1.0).abs() < 1e-9);
    assert!(ran.number("/errors").abs() < f64::EPSILON);
    assert_eq!(ran.code(), Some(1));
}

#[test]
fn refusals_are_counted_by_their_code() {
    let ran = run(Mood::Refuses, "decide --rate 50 --duration 1s");
    let refused = &ran.entry["errors_by_code"]["RESOURCE_EXHAUSTED"];
    assert_eq!(refused["count"], ran.entry["requests"]);
    assert_eq!(refused["first"], "try later");
    assert!(
        ran.entry["latency_ms"]["p99"].is_null(),
        "a refusal has no latency"
    );
}

#[test]
fn a_deadline_is_an_error_and_its_time_counts() {
    let ran = run(
        Mood::Hangs,
        "decide --rate 20 --duration 1s --timeout 200ms",
    );
    let late = &ran.entry["errors_by_code"]["DEADLINE_EXCEEDED"];
    assert_eq!(late["count"], ran.entry["requests"]);
    assert!(ran.number("/latency_ms/p50") >= 199.0, "{:#}", ran.entry);
}

#[test]
fn a_run_that_its_generator_held_back_is_invalid() {
    let ran = run(
        Mood::Hangs,
        "decide --rate 200 --duration 1s --in-flight 2 --slo p99<10s",
    );
    assert_eq!(ran.entry["valid"], false);
    let why = ran.entry["invalid_because"].as_str().unwrap();
    assert!(why.contains("2 were in flight"), "{why}");
    assert_eq!(ran.code(), Some(1), "an invalid run passes nothing");
    assert!(String::from_utf8_lossy(&ran.output.stdout).contains("INVALID"));
}

#[test]
fn the_highest_rate_of_a_narrow_server_is_found_confirmed_and_relaxed() {
    let search =
        "decide --find-max --rate 30 --find-max-step 800ms --find-max-p99 60ms --max-lag 60ms";
    let ran = run(Mood::Narrow, &format!("{search} --duration 1s"));
    let rate = ran.number("/find_max/rate");
    assert!(
        (50.0..=210.0).contains(&rate),
        "{:#}",
        ran.entry["find_max"]
    );
    assert!(ran.number("/find_max/p99_ms_at_70_percent") < 60.0);
    let steps = ran.entry["find_max"]["steps"].as_array().unwrap();
    assert!(
        steps
            .iter()
            .any(|step| step["holds"] == false && step["why_not"].is_string())
    );
    let last = steps
        .last()
        .and_then(|step| step["wanted"].as_f64())
        .unwrap();
    assert!(
        (last / rate - 0.7).abs() < 0.05,
        "the last step wanted {last}/s of {rate}/s"
    );
    // The entry itself is that of the rate asked for.
    assert!((ran.number("/rate/wanted") - 30.0).abs() < 1e-9);
    assert!(ran.page.contains("Latency against rate"));
}

#[test]
fn bad_usage_is_exit_code_64_and_help_is_not() {
    for arguments in [
        &[][..],
        &["swap"],
        &["features", "--slo", "p99"],
        &["features", "--rate", "many"],
        &["features", "--features", "nowhere"],
    ] {
        let output = binary(arguments);
        assert_eq!(output.status.code(), Some(64), "{arguments:?}: {output:?}");
        assert!(!output.stderr.is_empty());
    }
    let help = binary(&["--help"]);
    assert_eq!(help.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&help.stdout).contains("Examples:"));
}

#[test]
fn a_server_that_cannot_be_reached_is_exit_code_1_and_named() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let output = binary(&["features", "--features", &url]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        said.contains(&format!("connect to features at {url}")),
        "{said}"
    );
}
