//! Help, and refusals before anything runs.

use std::fs;

use super::support::{run, succeed, text};

const COMMANDS: &[&[&str]] = &[
    &[],
    &["demo"],
    &["serve"],
    &["events"],
    &["events", "push"],
    &["events", "import"],
    &["train"],
    &["features"],
    &["features", "list"],
    &["features", "export"],
    &["model"],
    &["model", "inspect"],
    &["model", "score"],
    &["model", "bench"],
    &["snapshot"],
    &["snapshot", "build"],
    &["snapshot", "verify"],
    &["snapshot", "show"],
    &["recover"],
    &["decide"],
    &["shopper", "show"],
    &["shopper", "export"],
    &["shopper", "erase"],
    &["policy", "check"],
    &["privacy", "key"],
    &["privacy", "erased"],
    &["evaluate", "retrieval"],
    &["doctor"],
];

#[test]
fn help_of_every_command_shows_an_example() {
    for command in COMMANDS {
        let args: Vec<&str> = command.iter().copied().chain(["--help"]).collect();
        let help = succeed(&args);
        let example = help
            .split("Example")
            .nth(1)
            .unwrap_or_else(|| panic!("{args:?}:\n{help}"));
        let called = format!("cartwright {}", command.first().unwrap_or(&""));
        assert!(example.contains(called.trim_end()), "{args:?}:\n{help}");
    }
}

#[test]
fn bad_usage_ends_with_64() {
    for args in [
        &["serve", "everything"][..],
        &["no-such-command"],
        &["decide"],
        &["train"],
    ] {
        assert_eq!(run(args).status.code(), Some(64), "{args:?}");
    }
}

#[test]
fn a_bad_config_ends_with_64_and_names_every_key() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("features.toml");
    fs::write(&file, "adress = \"127.0.0.1:7101\"\nidle = \"soon\"\n").unwrap();
    let output = run(&["serve", "features", "--config", text(&file)]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(64), "{said}");
    for part in ["adress", "idle", "soon", "hint:"] {
        assert!(said.contains(part), "{part} is missing:\n{said}");
    }
}

#[test]
fn a_bad_flag_or_variable_names_its_key() {
    let output = run(&["serve", "features", "--addr", "here"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(64), "{said}");
    assert!(said.contains("addr") && said.contains("here"), "{said}");

    let output = super::support::cartwright()
        .args(["serve", "recovery", "--dump-config"])
        .env("CARTWRIGHT_RECOVERY_DEFAULT_DEADLINE_MS", "never")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(64), "{said}");
    assert!(said.contains("default_deadline_ms"), "{said}");
}

#[test]
fn serving_without_a_snapshot_teaches_how_to_get_one() {
    for role in ["all", "candidates", "recovery"] {
        let output = run(&["serve", role]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(64), "{role}: {said}");
        assert!(
            said.contains("snapshot") && said.contains("cartwright train"),
            "{role}: {said}"
        );
    }
}

#[test]
fn the_dumped_config_is_a_config() {
    let folder = tempfile::tempdir().unwrap();
    for role in ["all", "features", "candidates", "recovery"] {
        let dumped = succeed(&["serve", role, "--dump-config"]);
        let file = folder.path().join(format!("{role}.toml"));
        fs::write(&file, &dumped).unwrap();
        let again = succeed(&["serve", role, "--dump-config", "--config", text(&file)]);
        assert_eq!(dumped, again, "{role}");
    }
}

#[test]
fn the_shipped_policy_passes_its_own_check_and_a_broken_one_is_refused_by_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("policy.toml");
    let shipped = succeed(&["policy", "check", "--default"]);
    fs::write(&file, &shipped).unwrap();
    succeed(&["policy", "check", text(&file)]);

    fs::write(&file, format!("no_such_key = 1\n{shipped}")).unwrap();
    let output = run(&["policy", "check", text(&file)]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(64), "{said}");
    assert!(
        said.contains("policy.toml:1:") && said.contains("no_such_key"),
        "{said}"
    );
}

#[test]
fn doctor_examines_this_machine() {
    let output = run(&["doctor", "--json"]);
    let findings: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let findings = findings.as_array().unwrap();
    for check in ["processor", "vector index", "clock", "disk"] {
        let found = findings.iter().find(|finding| finding["check"] == check);
        assert_eq!(found.expect(check)["verdict"], "ok", "{check}");
    }
    let output = run(&["doctor", "--to", "http://127.0.0.1:1"]);
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn a_missing_event_file_is_bad_usage() {
    let output = run(&["train", "--events", "no-such-file.csv", "--out", "nowhere"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(64), "{said}");
    assert!(said.contains("no-such-file.csv"), "{said}");
}

#[test]
fn a_network_address_without_protection_is_bad_usage() {
    let folder = tempfile::tempdir().unwrap();
    let args = [
        "serve",
        "features",
        "--addr",
        "0.0.0.0:0",
        "--admin",
        "none",
        "--data",
    ];
    let output = run(&[&args[..], &[text(folder.path())]].concat());
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(64), "{said}");
    assert!(
        said.contains("0.0.0.0") && said.contains("--insecure"),
        "{said}"
    );
}
