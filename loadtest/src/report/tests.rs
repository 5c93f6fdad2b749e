use super::*;
use crate::measured::{Answer, Failure, Timing};
use std::time::Duration;

/// A second of a hundred requests, one of them wrong.
pub(crate) fn entry() -> Entry {
    let mut measured = Measured::new(Duration::ZERO, Duration::from_secs(1), 100.0);
    for index in 0..100_u64 {
        let intended = Duration::from_millis(index * 10);
        let answer = Answer {
            operation: "Decide",
            failure: (index == 50).then(|| Failure::wrong("k", "9, 10 were <asked> for")),
            degraded: index < 10,
            generation: if index < 70 { "g1" } else { "g2" }.into(),
            timing: crate::server_timing::ServerTiming::Stages(vec![stage("features")]),
        };
        let timing = Timing {
            request: index,
            intended,
            sent: intended + Duration::from_micros(200),
            done: intended + Duration::from_millis(1 + index % 8),
        };
        measured.record(&timing, answer);
    }
    measured.cost(Duration::from_millis(2), 100);
    let outcome = Outcome {
        measured,
        invalid_because: None,
        fault: Some(fault()),
    };
    let slos = ["p99<10ms".parse().unwrap(), "errors<0.01%".parse().unwrap()];
    let origin = Origin {
        scenario: "decide".into(),
        tracing: Tracing::of("run", 0.0),
        judges_fault: false,
        run: run(),
    };
    let mut entry = Entry::new(origin, &outcome, &slos);
    let step = |wanted: f64, why_not: Option<&str>| Step {
        wanted,
        got: wanted,
        p50_ms: Some(1.0),
        p99_ms: Some(wanted / 100.0),
        why_not: why_not.map(str::to_owned),
    };
    let steps = vec![
        step(200.0, None),
        step(400.0, Some("p99 was 30.0 ms")),
        step(140.0, None),
    ];
    entry.find_max = Some(FindMax::from(&Found {
        rate: 200.0,
        bar: crate::find_max::Bar { p99_ms: 25.0 },
        steps,
        relaxed: Some(2),
    }));
    entry.ceiling = Some(Ceiling::from(&crate::ceiling::Ceiling {
        what: crate::ceiling::WHAT,
        scenario: 3_000.0,
        empty: 12_000.0,
    }));
    entry
}

fn stage(name: &str) -> proto::v1::StageLatency {
    proto::v1::StageLatency {
        stage: name.into(),
        latency: Some(prost_types::Duration {
            seconds: 0,
            nanos: 900_000,
        }),
    }
}

fn fault() -> crate::fault::Verdict {
    crate::fault::Verdict {
        began: Duration::from_millis(300),
        ended: Duration::from_millis(600),
        unanswered: 0,
        degraded: 10,
        recovered_after: Some(Duration::from_millis(250)),
        failed: None,
    }
}

fn run() -> RunInfo {
    RunInfo {
        at: "2026-01-02T03:04:05Z".into(),
        command: "cartwright-loadtest decide --rate 100".into(),
        version: "0.1.0".into(),
        seed: 1,
        arrival: "constant".into(),
        warmup_s: 0.0,
        duration_s: 1.0,
        connections: 4,
        machine: crate::machine::Machine {
            cpu: "a CPU".into(),
            cores: 2,
            memory_mib: 4_096,
            system: "linux 6".into(),
        },
    }
}

#[test]
fn the_json_keeps_its_shape() {
    let golden = include_str!("../../tests/golden/report-2.json");
    let written = serde_json::to_string_pretty(&[entry()]).unwrap() + "\n";
    let (golden, written): (serde_json::Value, serde_json::Value) = (
        serde_json::from_str(golden).unwrap(),
        serde_json::from_str(&written).unwrap(),
    );
    assert_eq!(written, golden, "{written:#}");
}

#[test]
fn reports_of_older_versions_are_read() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    for name in ["report.json", "report-2.json"] {
        let entries = read_json(&folder.join(name)).unwrap();
        assert_eq!(entries[0].latency_ms.p50, Some(4.001), "{name}");
    }
}

#[test]
fn an_entry_passes_only_when_valid_and_every_objective_holds() {
    let entry = entry();
    assert!(!entry.passes(), "errors<0.01% does not hold");
    let mut kept = Entry {
        slo: vec![entry.slo[0].clone()],
        ..entry
    };
    assert!(kept.passes());
    kept.valid = false;
    assert!(!kept.passes());
}
