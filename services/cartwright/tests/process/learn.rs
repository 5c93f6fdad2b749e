//! Event files in: recover, train, import, evaluate.

use std::fs;

use super::support::{data, root, run, snapshot, succeed, text};

fn recover(events: &str) -> Vec<String> {
    let said = succeed(&[
        "recover",
        "--events",
        events,
        "--shopper",
        "1",
        "--cart",
        "1,2,3",
    ]);
    said.lines().map(ToOwned::to_owned).collect()
}

#[test]
fn recover_prints_the_article_s_two_lines() {
    let lines = recover("examples/article.csv");
    assert_eq!(
        lines,
        [
            "Recommended items: [4, 6, 9]",
            "Recovered cart: [1, 2, 3, 4, 6, 9]"
        ]
    );
}

#[test]
fn three_more_shoppers_change_what_is_recommended() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("more.csv");
    let mut log = fs::read_to_string(root().join("examples/article.csv")).unwrap();
    for shopper in ["13", "14", "15"] {
        for item in ["1", "2", "3", "8"] {
            log.push_str(&format!("{shopper},{item}\n"));
        }
    }
    fs::write(&file, log).unwrap();
    let lines = recover(text(&file));
    assert_ne!(lines[0], "Recommended items: [4, 6, 9]");
    assert!(lines[0].contains('8'), "{lines:?}");
}

#[test]
fn an_excluded_item_is_not_recommended() {
    let args = [
        "recover",
        "--events",
        "examples/article.csv",
        "--shopper",
        "1",
    ];
    let more = ["--cart", "1,2,3", "--exclude", "4", "--k", "2"];
    let said = succeed(&[&args[..], &more].concat());
    assert!(!said.lines().next().unwrap().contains('4'), "{said}");
}

#[test]
fn a_snapshot_can_be_verified_shown_and_told_damaged() {
    let snapshot = text(snapshot());
    succeed(&["snapshot", "verify", snapshot]);
    let shown: serde_json::Value =
        serde_json::from_str(&succeed(&["snapshot", "show", snapshot, "--json"])).unwrap();
    assert_eq!(shown["id"].as_str().unwrap().len(), 64);
    succeed(&["snapshot", "show", snapshot]);

    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy");
    let events = "examples/article.csv";
    succeed(&["train", "--events", events, "--out", text(&copy)]);
    let items = copy.join("items.jsonl");
    let mut bytes = fs::read(&items).unwrap();
    bytes[0] ^= 1;
    fs::write(&items, bytes).unwrap();
    let output = run(&["snapshot", "verify", text(&copy)]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("items.jsonl"), "{said}");
}

#[test]
fn the_same_events_give_the_same_snapshot() {
    let folder = tempfile::tempdir().unwrap();
    let id = |name: &str| {
        let out = folder.path().join(name);
        let out = text(&out);
        let said = succeed(&[
            "train",
            "--events",
            "examples/article.csv",
            "--out",
            out,
            "--json",
        ]);
        serde_json::from_str::<serde_json::Value>(&said).unwrap()["id"].clone()
    };
    assert_eq!(id("one"), id("two"));
}

#[test]
fn an_imported_data_set_reads_back_as_the_same_events() {
    let Some(events) = data("rees46-oct2019-head/events.csv.zst") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("events.jsonl.zst");
    let args = [
        "events",
        "import",
        "--events",
        text(&events),
        "--format",
        "rees46",
    ];
    let said = succeed(&[&args[..], &["--out", text(&out)]].concat());
    assert!(said.contains("17,434 events"), "{said}");
    let again = folder.path().join("again.jsonl");
    let said = succeed(&[
        "events",
        "import",
        "--events",
        text(&out),
        "--out",
        text(&again),
    ]);
    assert!(
        said.contains("17,434 events written, 0 bad lines"),
        "{said}"
    );
}

#[test]
fn retrieval_is_measured_on_events_that_it_has_not_seen() {
    let Some(events) = data("rees46-oct2019-head/events.csv.zst") else {
        return;
    };
    let said = succeed(&["evaluate", "retrieval", "--events", text(&events), "--json"]);
    let report: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert!(report.is_object(), "{said}");
}
