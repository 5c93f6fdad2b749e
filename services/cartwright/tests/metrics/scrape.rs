//! What running roles expose, after real requests, is what is declared: no more and no less.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};

use kit::metrics::{Declaration, Kind, PROCESS, Values};

use crate::catalogue::exposed;
use crate::support::{Redis, Server, await_some, free_port, snapshot, succeed, text};

/// One line of a scrape.
#[derive(Clone, Debug)]
struct Series {
    name: String,
    labels: BTreeMap<String, String>,
}

fn scrape(port: u16) -> String {
    let mut socket = TcpStream::connect(("127.0.0.1", port)).expect("the admin port");
    let request = "GET /metrics HTTP/1.1\r\nhost: admin\r\nconnection: close\r\n\r\n";
    socket.write_all(request.as_bytes()).expect("it reads");
    let mut answer = String::new();
    socket.read_to_string(&mut answer).expect("it answers");
    answer
        .split_once("\r\n\r\n")
        .expect("a head and a body")
        .1
        .to_owned()
}

fn series(line: &str) -> Series {
    let (name, rest) = line.split_at(line.find(['{', ' ']).expect("a number"));
    let mut labels = BTreeMap::new();
    if let Some(inside) = rest
        .strip_prefix('{')
        .and_then(|rest| rest.split('}').next())
    {
        for pair in inside.split("\",") {
            let (label, value) = pair.split_once("=\"").expect("a label");
            labels.insert(label.to_owned(), value.trim_end_matches('"').to_owned());
        }
    }
    Series {
        name: name.to_owned(),
        labels,
    }
}

/// The declaration that a line belongs to, histograms by their parts.
fn declared<'a>(
    series: &Series,
    exposed: &'a BTreeMap<String, &'static Declaration>,
) -> (&'a String, &'static Declaration) {
    let parts = ["_bucket", "_sum", "_count"];
    let whole = parts
        .iter()
        .find_map(|part| series.name.strip_suffix(part))
        .and_then(|name| exposed.get_key_value(name))
        .filter(|(_, metric)| matches!(metric.kind, Kind::Histogram(_)));
    let found = whole.or_else(|| exposed.get_key_value(&series.name));
    let (name, metric) = found.unwrap_or_else(|| panic!("{series:?} is not declared"));
    (name, metric)
}

/// Checks every line of a scrape and gives the names that it had series of.
fn check(text: &str) -> BTreeSet<String> {
    let exposed = exposed();
    let mut shown = BTreeSet::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let series = series(line);
        let (name, metric) = declared(&series, &exposed);
        shown.insert(name.clone());
        let mut labels: Vec<_> = metric.labels.iter().map(|label| label.name).collect();
        if series.name.ends_with("_bucket") {
            labels.push("le");
        }
        labels.sort_unstable();
        let found: Vec<_> = series.labels.keys().map(String::as_str).collect();
        assert_eq!(found, labels, "{line}");
        for label in metric.labels {
            if let Values::Closed(values) = label.values {
                let value = series.labels[label.name].as_str();
                assert!(values.contains(&value), "{line}");
            }
        }
    }
    for name in &shown {
        let help = format!("# HELP {name} ");
        assert_eq!(text.matches(&help).count(), 1, "{name}");
    }
    shown
}

/// Events, a preview and a commit, through the command line like anybody else.
fn use_it(features: &str, recovery: &str) {
    let events = ["--events", "examples/article.csv", "--to", features];
    succeed(&[&["events", "push"], &events[..]].concat());
    let decide = [
        "decide",
        "--shopper",
        "1001",
        "--cart",
        "1,2",
        "--to",
        recovery,
    ];
    succeed(&decide);
    succeed(&[&decide[..], &["--commit", "--request-id", "r1"]].concat());
}

/// A registry with one snapshot that is live, and a place for a cache.
fn published(folder: &Path) -> (String, String) {
    let at = |name: &str| text(&folder.join(name)).to_owned();
    let (registry, cache) = (at("registry"), at("cache"));
    let shown = succeed(&["snapshot", "show", text(snapshot()), "--json"]);
    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    let id = shown["id"].as_str().unwrap();
    let to = ["--registry", registry.as_str()];
    succeed(&[&["snapshot", "publish", text(snapshot())], &to[..]].concat());
    succeed(&[&["snapshot", "activate", id, "--why", "a test"], &to[..]].concat());
    (registry, cache)
}

fn wanted(role: &str, name: &str) -> bool {
    name.starts_with(&format!("cartwright_{role}_"))
}

#[test]
fn three_roles_in_one_process_expose_each_declared_metric_once() {
    let folder = tempfile::tempdir().unwrap();
    let (registry, cache) = published(folder.path());
    let data = folder.path().join("data");
    let args = [
        "all",
        "--registry",
        &registry,
        "--cache",
        &cache,
        "--data",
        text(&data),
        "--admin",
        "127.0.0.1:0",
    ];
    let ports = [
        ("CARTWRIGHT_FEATURES_ADDR", "127.0.0.1:0"),
        ("CARTWRIGHT_CANDIDATES_ADDR", "127.0.0.1:0"),
        ("CARTWRIGHT_RECOVERY_ADDR", "127.0.0.1:0"),
    ];
    let server = Server::start_with(&args, &ports, 4);
    use_it(&server.url("features"), &server.url("recovery"));
    let all: BTreeSet<_> = exposed().into_keys().collect();
    await_some("every metric", || {
        (check(&scrape(server.port("admin"))) == all).then_some(())
    });
}

/// A role of its own, and its admin port.
fn serve(role: &str, more: &[&str]) -> (Server, u16) {
    let admin = free_port();
    let address = format!("127.0.0.1:{admin}");
    let own = [role, "--addr", "127.0.0.1:0", "--admin", &address];
    (Server::start(&[&own, more].concat(), 1), admin)
}

#[test]
fn each_role_of_three_processes_exposes_its_own_and_the_process() {
    let redis = Redis::start();
    let folder = tempfile::tempdir().unwrap();
    let (registry, cache) = published(folder.path());
    let follows = ["--registry", registry.as_str(), "--cache", &cache];
    let (features, features_admin) = serve(
        "features",
        &[&follows[..], &["--redis", &redis.url]].concat(),
    );
    let features_url = features.url("features");
    let knows = [&follows[..], &["--features", &features_url]].concat();
    let (candidates, candidates_admin) = serve("candidates", &knows);
    let candidates_url = candidates.url("candidates");
    let more = ["--candidates", &candidates_url, "--redis", &redis.url];
    let (recovery, recovery_admin) = serve("recovery", &[&knows[..], &more].concat());
    use_it(&features_url, &recovery.url("recovery"));
    for (role, admin) in [
        ("features", features_admin),
        ("candidates", candidates_admin),
        ("recovery", recovery_admin),
    ] {
        let all: BTreeSet<_> = exposed()
            .into_keys()
            .filter(|name| wanted(role, name) || wanted(PROCESS, name))
            .collect();
        await_some(role, || (check(&scrape(admin)) == all).then_some(()));
    }
}

#[test]
fn promtool_finds_nothing_wrong_with_a_scrape() {
    let folder = tempfile::tempdir().unwrap();
    let (_server, admin) = serve("features", &["--data", text(folder.path())]);
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool, of Debian's prometheus package");
    let text = scrape(admin);
    let mut stdin = promtool.stdin.take().expect("it is piped");
    stdin.write_all(text.as_bytes()).expect("it reads");
    drop(stdin);
    let output = promtool.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{text}");
}
