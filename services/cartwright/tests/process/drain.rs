//! SIGTERM lets what is in flight finish, and ends with 0.

use super::support::{Server, snapshot, succeed, text};

const ANY: &[&str] = &["--addr", "127.0.0.1:0", "--admin", "127.0.0.1:0"];

fn drains(server: Server) {
    server.terminate();
    assert!(server.wait().success());
}

#[test]
fn features_drains() {
    let folder = tempfile::tempdir().unwrap();
    let data = text(folder.path());
    let server = Server::start(&[&["features", "--data", data], ANY].concat(), 1);
    succeed(&["doctor", "--to", &server.url("features")]);
    drains(server);
}

#[test]
fn candidates_drains() {
    let snapshot = text(snapshot());
    let server = Server::start(&[&["candidates", "--snapshot", snapshot], ANY].concat(), 1);
    succeed(&["doctor", "--to", &server.url("candidates")]);
    drains(server);
}

#[test]
fn recovery_drains() {
    let snapshot = text(snapshot());
    let server = Server::start(&[&["recovery", "--snapshot", snapshot], ANY].concat(), 1);
    succeed(&["doctor", "--to", &server.url("recovery")]);
    drains(server);
}

#[test]
fn all_three_in_one_process_drain_and_answer_before() {
    let folder = tempfile::tempdir().unwrap();
    let environment = [
        ("CARTWRIGHT_ALL_FEATURES_ADDR", "127.0.0.1:0"),
        ("CARTWRIGHT_ALL_CANDIDATES_ADDR", "127.0.0.1:0"),
        ("CARTWRIGHT_ALL_RECOVERY_ADDR", "127.0.0.1:0"),
    ];
    let args = [
        "all",
        "--data",
        text(folder.path()),
        "--snapshot",
        text(snapshot()),
        "--admin",
        "127.0.0.1:0",
    ];
    let server = Server::start_with(&args, &environment, 4);
    let decided = succeed(&[
        "decide",
        "--shopper",
        "anna",
        "--cart",
        "1,2,3",
        "--why",
        "--to",
        &server.url("recovery"),
    ]);
    assert!(decided.contains("anna"), "{decided}");
    let committed = |shopper| {
        let to = server.url("recovery");
        let args = [
            "decide",
            "--shopper",
            shopper,
            "--cart",
            "1,2,3",
            "--json",
            "--to",
            &to,
        ];
        let commit = ["--commit", "--request-id", "r1"];
        let said = succeed(&[&args[..], &commit].concat());
        serde_json::from_str::<serde_json::Value>(&said).unwrap()
    };
    let first = committed("anna");
    assert_eq!(first["decision_id"], committed("anna")["decision_id"]);
    assert_ne!(first["decision_id"], "");
    drains(server);
}

#[test]
fn the_sample_config_of_all_three_is_the_default() {
    let defaults = succeed(&["serve", "all", "--dump-config"]);
    let sample = succeed(&[
        "serve",
        "all",
        "--dump-config",
        "--config",
        "deploy/config/all.toml",
    ]);
    let snapshot = "snapshot = \"/var/lib/cartwright/snapshot\"\n";
    assert!(sample.contains(snapshot), "{sample}");
    assert_eq!(sample.replace(snapshot, ""), defaults);
}

#[test]
fn a_taken_port_names_its_owner() {
    let folder = tempfile::tempdir().unwrap();
    let data = text(folder.path());
    let server = Server::start(&[&["features", "--data", data], ANY].concat(), 1);
    let other = tempfile::tempdir().unwrap();
    let addr = format!("127.0.0.1:{}", server.port("features"));
    let output = super::support::run(&[
        "serve",
        "features",
        "--addr",
        &addr,
        "--admin",
        "none",
        "--data",
        text(other.path()),
    ]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("cartwright"), "{said}");
}
