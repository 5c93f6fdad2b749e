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
    run_against(&Shop::start(mood), arguments)
}

fn run_against(shop: &Shop, arguments: &str) -> Ran {
    let arguments: Vec<&str> = arguments.split_whitespace().collect();
    run_words(shop, &arguments)
}

fn run_words(shop: &Shop, arguments: &[&str]) -> Ran {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str| -> PathBuf { dir.path().join(name) };
    let (json, html) = (file("report.json"), file("report.html"));
    let url = shop.url();
    let mut all = arguments.to_vec();
    all.extend(["--features", &url, "--candidates", &url, "--recovery", &url]);
    all.extend(["--shoppers", "20", "--items", "50", "--warmup", "0s"]);
    // Tests share their machine: what is asked here is not whether this tool was in time.
    if !all.contains(&"--max-lag") {
        all.extend(["--max-lag", "900ms"]);
    }
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
        "rank",
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
        &["shop"],
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

/// Latencies of one caller that waits for each answer before it asks again.
fn closed_loop(url: &str, seconds: u64) -> Vec<std::time::Duration> {
    use proto::v1 as pb;
    use proto::v1::feature_service_client::FeatureServiceClient;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut client = FeatureServiceClient::connect(url.to_owned()).await.unwrap();
        let until = std::time::Instant::now() + std::time::Duration::from_secs(seconds);
        let mut latencies = Vec::new();
        while std::time::Instant::now() < until {
            let sent = std::time::Instant::now();
            let answer = client.get_features(pb::GetFeaturesRequest::default()).await;
            answer.unwrap();
            latencies.push(sent.elapsed());
        }
        latencies
    })
}

#[test]
fn the_same_stalls_all_but_vanish_from_a_closed_loop() {
    let shop = Shop::start(Mood::Stalls);
    let mut latencies = closed_loop(&shop.url(), 4);
    latencies.sort();
    let p99 = latencies[latencies.len() * 99 / 100];
    assert!(p99 < std::time::Duration::from_millis(40), "{p99:?}");
    // It met the stalls, and counted each of them once.
    assert!(*latencies.last().unwrap() > std::time::Duration::from_millis(60));
}

#[test]
fn every_scenario_tells_a_wrong_answer_from_a_right_one() {
    for (scenario, code) in [
        ("features", "wrong: status"),
        ("retrieve", "wrong: k"),
        ("rank", "wrong: items"),
        ("decide", "wrong: forbidden item"),
        ("decide-commit", "wrong: forbidden item"),
        ("events", "wrong: event result"),
        ("mixed", "wrong: event result"),
        ("freshness", "wrong: event result"),
    ] {
        let ran = run(Mood::Wrong, &format!("{scenario} --rate 50 --duration 1s"));
        let wrong = &ran.entry["errors_by_code"][code]["count"];
        assert!(wrong.as_u64() > Some(0), "{scenario}: {:#}", ran.entry);
    }
}

#[test]
fn the_entry_has_the_promised_keys_and_types() {
    let arguments = "decide --rate 50 --duration 1 --find-max --find-max-step 500ms \
                     --find-max-p99 1ms --ceiling --slo p99<10s";
    let entry = run(Mood::Timed, arguments).entry;
    for path in [
        "/rate/wanted",
        "/rate/got",
        "/latency_ms/p50",
        "/latency_ms/p90",
        "/latency_ms/p99",
        "/latency_ms/p999",
        "/latency_ms/max",
        "/errors",
        "/degraded_share",
        "/generator_lag_ms",
        "/generator_cpu_us_per_request",
        "/find_max/rate",
        "/ceiling/ratio",
    ] {
        let value = entry.pointer(path);
        assert!(value.is_some_and(Value::is_number), "{path}: {entry:#}");
    }
    assert!(entry["scenario"].is_string() && entry["valid"].is_boolean());
    assert!(entry["ceiling"]["what"].is_string());
    assert!(entry["slo"][0]["expr"].is_string() && entry["slo"][0]["ok"].is_boolean());
    // The server needs 3 ms, so no rate holds, and there is no run at 70 % of it.
    assert!(entry["find_max"]["p99_ms_at_70_percent"].is_null());
    let ratio = entry["ceiling"]["ratio"].as_f64().unwrap();
    assert!(ratio > 0.0 && ratio < 1.0, "{ratio}");
}

#[test]
fn the_slowest_requests_carry_their_trace_and_what_the_server_said() {
    let shop = Shop::start(Mood::Timed);
    let ran = run_against(
        &shop,
        "decide --rate 100 --duration 1s --slowest 5 --trace-share 100%",
    );
    let slowest = ran.entry["slowest"].as_array().unwrap();
    assert_eq!(slowest.len(), 5);
    let traced = shop.traced();
    for slow in slowest {
        let id = slow["trace_id"].as_str().unwrap();
        let header = traced.iter().find(|header| header.contains(id)).unwrap();
        assert!(header.ends_with("-01"), "{header}");
        let number = |key: &str| slow[key].as_f64().unwrap();
        let stages: f64 = slow["stages"]
            .as_array()
            .unwrap()
            .iter()
            .map(|stage| stage["ms"].as_f64().unwrap())
            .sum();
        assert!((stages - 2.5).abs() < 1e-9, "{slow:#}");
        let sum = number("generator_lag_ms") + number("network_and_queue_ms") + stages;
        assert!((sum - number("latency_ms")).abs() < 0.01, "{slow:#}");
        assert!(ran.page.contains(id), "the page names the trace");
    }
    let silent = run_against(&shop, "decide --rate 50 --duration 1s --no-timing");
    assert!(silent.entry["slowest"][0]["stages"].is_null());
}

#[test]
fn a_change_of_generation_is_marked() {
    let ran = run(Mood::Swaps, "decide --rate 100 --duration 2s");
    assert_eq!(ran.entry["marks"][0]["what"], "g2", "{:#}", ran.entry);
    assert_eq!(ran.entry["generations"].as_object().unwrap().len(), 2);
}

#[test]
fn a_fault_is_marked_judged_and_recovered_from() {
    let shop = Shop::start(Mood::Switched);
    let file = shop.switch().to_str().unwrap();
    let (made, undone) = (format!("touch {file}"), format!("rm {file}"));
    let mut words = vec!["fault", "--rate", "100", "--duration", "6"];
    words.extend([
        "--fault-cmd",
        &made,
        "--fault-after",
        "2",
        "--fault-for",
        "1",
    ]);
    words.extend(["--fault-undo", &undone]);
    let ran = run_words(&shop, &words);
    assert_eq!(ran.code(), Some(0), "{:#}", ran.entry);
    assert_eq!(ran.entry["fault"]["unanswered"], 0);
    let degraded = ran.number("/fault/degraded");
    assert!((60.0..=140.0).contains(&degraded), "{degraded}");
    assert!(ran.number("/fault/recovered_after_s") < 2.0);
    assert!((ran.number("/fault/began_s") - 2.0).abs() < 0.3);
    assert!(ran.page.contains("the fault begins"));
    assert!(!shop.switch().exists());
}

#[test]
fn unanswered_requests_fail_a_fault_run() {
    let mut words = vec!["fault", "--rate", "20", "--duration", "1"];
    words.extend(["--timeout", "100ms", "--fault-cmd", "true"]);
    let ran = run_words(&Shop::start(Mood::Hangs), &words);
    assert_eq!(ran.entry["fault"]["unanswered"], ran.entry["requests"]);
    assert_eq!(ran.code(), Some(1));
}

#[test]
fn two_targets_are_compared_in_turns() {
    let slower = Shop::start(Mood::Timed);
    let url = slower.url();
    let against = format!("--compare recovery={url},features={url}");
    let ran = run(
        Mood::Quick,
        &format!("decide --rate 50 --duration 4s --compare-window 1s {against}"),
    );
    let ratios = ran.entry["compare"]["ratios"].as_array().unwrap();
    let p50 = ratios.iter().find(|r| r["metric"] == "p50_ms").unwrap();
    let number = |key: &str| p50[key].as_f64().unwrap();
    assert!(number("low") <= number("ratio") && number("ratio") <= number("high"));
    assert!(number("ratio") > 1.3, "{p50:#}");
    assert_eq!(ran.entry["compare"]["pairs"], 4);
    assert!((ran.number("/requests") - 200.0).abs() < 1e-9);
}

#[test]
fn a_file_of_events_is_replayed_in_its_rhythm() {
    let shop = Shop::start(Mood::Quick);
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("events.csv");
    let mut text = "shopper_id,type,item_id,occurred_at,price_minor,currency\n".to_owned();
    text.push_str("a,add_to_cart,x,2026-01-01T00:00:00Z,100,EUR\n");
    text.push_str("b,view,y,2026-01-01T00:40:00Z,100,EUR\n");
    text.push_str("c,view,z,2026-01-01T01:00:00Z,100,EUR\n");
    std::fs::write(&file, text).unwrap();
    let arrival = format!("replay:{}", file.display());
    // An hour in two seconds; half an hour after the cart was left it is decided about.
    let words = ["mixed", "--arrival", &arrival, "--speed", "1800"];
    let ran = run_words(&shop, &[&words[..], &["--slo", "errors<=0%"]].concat());
    assert_eq!(ran.code(), Some(0), "{:#}", ran.entry);
    let operations = &ran.entry["operations"];
    assert_eq!(operations["PushEvents"]["requests"], 2, "the last ends it");
    assert_eq!(operations["Decide"]["requests"], 1);
    let replayed = shop.events();
    let own = |e: &&proto::v1::Event| e.shopper_id.ends_with("-a");
    assert!(
        replayed
            .iter()
            .filter(own)
            .all(|event| event.item_id == "x")
    );
    assert!(shop.decided()[0].ends_with("-a"));
}

#[test]
fn a_scenario_of_a_file_brings_its_own_rate_and_objectives() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("own.toml");
    let text = "name = \"own\"\nrate = 60\nduration = \"1s\"\nslo = [\"p50<5s\"]\n\
                [[mix]]\noperation = \"retrieve\"\nk = 7\n\
                [[mix]]\noperation = \"rank\"\nweight = 2\n";
    std::fs::write(&file, text).unwrap();
    let ran = run_words(&Shop::start(Mood::Quick), &[file.to_str().unwrap()]);
    assert_eq!(ran.entry["scenario"], "own");
    assert!((ran.number("/rate/wanted") - 60.0).abs() < 1e-9);
    assert_eq!(ran.entry["slo"][0]["expr"], "p50<5s");
    assert_eq!(ran.entry["errors"], 0);
    let share = ran.number("/operations/Rank/requests") / 60.0;
    assert!((0.45..0.85).contains(&share), "{share}");
    std::fs::write(&file, text.replace("= 2", "= 0")).unwrap();
    let output = binary(&[file.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(64));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("line 10, mix.weight: 0 is given"), "{said}");
}

#[test]
fn reports_are_told_apart_by_exit_code() {
    let golden = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/report.json");
    let golden = golden.to_str().unwrap();
    let same = binary(&["diff", golden, golden]);
    assert_eq!(same.status.code(), Some(0), "{same:?}");
    let dir = tempfile::tempdir().unwrap();
    let worse = dir.path().join("worse.json");
    let text = std::fs::read_to_string(golden).unwrap();
    let text = text.replace("\"errors\": 1,", "\"errors\": 60,");
    std::fs::write(&worse, text).unwrap();
    let after = binary(&["diff", golden, worse.to_str().unwrap()]);
    assert_eq!(after.status.code(), Some(1), "{after:?}");
    let said = String::from_utf8_lossy(&after.stdout).into_owned();
    assert!(
        said.contains("WORSE: decide error_share went from"),
        "{said}"
    );
    let json = binary(&["diff", golden, worse.to_str().unwrap(), "--json"]);
    let diff: Value = serde_json::from_slice(&json.stdout).unwrap();
    assert!(diff["changes"].as_array().unwrap().len() > 4, "{diff:#}");
    let none = binary(&["diff", golden, "nowhere.json"]);
    assert_eq!(none.status.code(), Some(1));
}
