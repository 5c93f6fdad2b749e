//! What `deploy/` ships reads metrics that exist, and fits together.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::queries::Known;
use crate::support::{cartwright, root};

fn deploy(path: &str) -> PathBuf {
    root().join("deploy").join(path)
}

fn text(path: &str) -> String {
    fs::read_to_string(deploy(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn yaml(path: &str) -> Value {
    serde_yaml_ng::from_str(&text(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn dashboard() -> Value {
    serde_json::from_str(&text("grafana/dashboards/cartwright.json")).unwrap()
}

fn word<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key]
        .as_str()
        .unwrap_or_else(|| panic!("no {key} in {value}"))
}

fn list<'v>(value: &'v Value, key: &str) -> &'v Vec<Value> {
    value[key]
        .as_array()
        .unwrap_or_else(|| panic!("no {key} in {value}"))
}

/// The rules of a file, whatever their group.
fn rules(file: &Value) -> impl Iterator<Item = &Value> {
    list(file, "groups")
        .iter()
        .flat_map(|group| list(group, "rules"))
}

fn known() -> Known {
    let recording = yaml("prometheus/recording.yml");
    Known::with(rules(&recording).map(|rule| word(rule, "record").to_owned()))
}

fn promtool(args: &[&str]) -> Output {
    Command::new("promtool")
        .args(args)
        .current_dir(deploy("prometheus"))
        .output()
        .expect("promtool, of Debian's prometheus package")
}

fn passes(args: &[&str]) {
    let output = promtool(args);
    let said = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "promtool {args:?}: {said}");
}

/// Whether they are PromQL, as promtool sees it: each as a rule of a file.
fn promtool_reads(expressions: &[&str]) {
    let rule = |(at, expression): (usize, &&str)| {
        // Grafana's own variable, a range.
        let expression = expression.replace("$__rate_interval", "5m");
        serde_json::json!({ "record": format!("panel:{at}"), "expr": expression })
    };
    let rules: Vec<_> = expressions.iter().enumerate().map(rule).collect();
    let file = serde_json::json!({ "groups": [{ "name": "panels", "rules": rules }] });
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("panels.yml");
    fs::write(&path, file.to_string()).unwrap();
    passes(&["check", "rules", path.to_str().unwrap()]);
}

#[test]
fn rules_and_alerts_read_what_is_exposed() {
    let known = known();
    for path in ["prometheus/recording.yml", "prometheus/alerts.yml"] {
        for rule in rules(&yaml(path)) {
            known.check(word(rule, "expr")).unwrap();
        }
    }
}

#[test]
fn every_alert_says_whom_it_wakes_and_what_to_do_first() {
    for alert in rules(&yaml("prometheus/alerts.yml")) {
        let name = word(alert, "alert");
        let severity = word(&alert["labels"], "severity");
        assert!(["page", "ticket"].contains(&severity), "{name}: {severity}");
        for key in ["summary", "runbook"] {
            assert!(word(&alert["annotations"], key).len() > 20, "{name}: {key}");
        }
    }
}

#[test]
fn promtool_takes_rules_and_config_and_the_alerts_fire_when_they_should() {
    passes(&["check", "rules", "recording.yml", "alerts.yml"]);
    passes(&["check", "config", "prometheus.yml"]);
    passes(&["test", "rules", "tests.yml"]);
}

#[test]
fn every_group_of_alerts_has_one_that_a_test_makes_fire() {
    let tests = yaml("prometheus/tests.yml");
    let fired: BTreeSet<&str> = list(&tests, "tests")
        .iter()
        .flat_map(|test| list(test, "alert_rule_test"))
        .filter(|case| !list(case, "exp_alerts").is_empty())
        .map(|case| word(case, "alertname"))
        .collect();
    for group in list(&yaml("prometheus/alerts.yml"), "groups") {
        let mut alerts = list(group, "rules").iter().map(|rule| word(rule, "alert"));
        assert!(alerts.any(|alert| fired.contains(alert)), "{group}");
    }
}

#[test]
fn the_dashboard_reads_what_is_exposed() {
    let (known, dashboard) = (known(), dashboard());
    let mut expressions = Vec::new();
    let mut read = BTreeSet::new();
    let mut ids = BTreeSet::new();
    for panel in list(&dashboard, "panels") {
        assert!(ids.insert(panel["id"].as_u64()), "{panel}");
        assert!(!word(panel, "title").is_empty());
        for target in panel["targets"].as_array().into_iter().flatten() {
            read.extend(known.check(word(target, "expr")).unwrap());
            expressions.push(word(target, "expr"));
        }
    }
    for annotation in list(&dashboard["annotations"], "list") {
        known.check(word(annotation, "expr")).unwrap();
        expressions.push(word(annotation, "expr"));
    }
    promtool_reads(&expressions);
    let missing: Vec<_> = crate::catalogue::exposed()
        .into_keys()
        .filter(|name| !read.contains(name) && !NOT_DRAWN.iter().any(|end| name.ends_with(end)))
        .collect();
    assert!(missing.is_empty(), "nobody sees {missing:?}");
}

/// Numbers that are for the reference and for queries by hand.
const NOT_DRAWN: [&str; 3] = ["_generation_items", "_item_table_rows", "_item_subscribers"];

#[test]
fn panels_do_not_lie_over_each_other() {
    let mut taken = BTreeSet::new();
    for panel in list(&dashboard(), "panels") {
        let place = |key: &str| panel["gridPos"][key].as_u64().unwrap();
        assert!(place("x") + place("w") <= 24, "{panel}");
        for x in place("x")..place("x") + place("w") {
            for y in place("y")..place("y") + place("h") {
                assert!(taken.insert((x, y)), "{} lies over another", panel["title"]);
            }
        }
    }
}

#[test]
fn grafana_is_given_the_data_source_and_the_folder_that_it_reads() {
    let sources = yaml("grafana/provisioning/datasources/prometheus.yml");
    let source = &list(&sources, "datasources")[0];
    for panel in list(&dashboard(), "panels") {
        if let Some(uid) = panel["datasource"]["uid"].as_str() {
            assert_eq!(uid, word(source, "uid"));
        }
    }
    let compose = yaml("compose.yaml");
    let host = word(source, "url")
        .trim_start_matches("http://")
        .split(':')
        .next()
        .unwrap();
    assert!(!compose["services"][host].is_null(), "{host}");
    let folders = yaml("grafana/provisioning/dashboards/cartwright.yml");
    let folder = word(&list(&folders, "providers")[0]["options"], "path").to_owned();
    let mounted = list(&compose["services"]["grafana"], "volumes").iter();
    let mounted: Vec<_> = mounted.filter_map(Value::as_str).collect();
    let wanted = format!("./grafana/dashboards:{folder}:ro");
    assert!(mounted.contains(&wanted.as_str()), "{mounted:?}");
}

#[test]
fn compose_mounts_what_is_there_and_starts_what_is_scraped() {
    let compose = yaml("compose.yaml");
    let services = compose["services"].as_object().unwrap();
    for (name, service) in services {
        for volume in service["volumes"].as_array().into_iter().flatten() {
            let host = volume.as_str().unwrap().split(':').next().unwrap();
            let is_there = deploy(host).exists() || !host.starts_with('.');
            assert!(is_there, "{name} mounts {host}");
        }
        for other in depends_on(service) {
            assert!(services.contains_key(&other), "{name} depends on {other}");
        }
    }
    for job in list(&yaml("prometheus/prometheus.yml"), "scrape_configs") {
        for target in list(job, "static_configs")
            .iter()
            .flat_map(|config| list(config, "targets"))
        {
            let (host, port) = target.as_str().unwrap().split_once(':').unwrap();
            let service = services.get(host).expect(host);
            assert!(
                service.to_string().contains(port) || host == "collector",
                "{host} does not listen on {port}"
            );
        }
    }
}

fn depends_on(service: &Value) -> Vec<String> {
    let by_name = service["depends_on"].as_object().into_iter().flatten();
    let listed = service["depends_on"].as_array().into_iter().flatten();
    by_name
        .map(|(name, _)| name.clone())
        .chain(listed.filter_map(|name| name.as_str().map(str::to_owned)))
        .collect()
}

#[test]
fn the_roles_take_the_settings_that_compose_gives_them() {
    let compose = yaml("compose.yaml");
    for role in ["features", "candidates", "recovery"] {
        let service = &compose["services"][role];
        let args: Vec<_> = list(service, "command")
            .iter()
            .filter_map(Value::as_str)
            .collect();
        let environment = service["environment"].as_object().unwrap();
        let output = cartwright()
            .args(&args)
            .arg("--dump-config")
            .envs(
                environment
                    .iter()
                    .map(|(key, value)| (key, value.as_str().unwrap())),
            )
            .output()
            .unwrap();
        let dumped = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success(),
            "{role}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        for (key, value) in environment {
            let value = value.as_str().unwrap();
            // A store's URL may hold a password, and is not printed.
            assert!(
                dumped.contains(value) || key.ends_with("_REDIS"),
                "{role}: {key}: {dumped}"
            );
        }
    }
}

#[test]
fn the_collector_passes_on_through_parts_that_it_has() {
    let collector = yaml("otel/collector.yaml");
    let pipelines = collector["service"]["pipelines"].as_object().unwrap();
    for signal in ["traces", "metrics"] {
        for kind in ["receivers", "processors", "exporters"] {
            for part in list(&pipelines[signal], kind) {
                let part = part.as_str().unwrap();
                assert!(!collector[kind][part].is_null(), "{signal}: {kind}: {part}");
            }
        }
    }
    let compose = yaml("compose.yaml");
    let image = word(&compose["services"]["collector"], "image");
    assert!(
        image.contains("-contrib:"),
        "the prometheus exporter is there only"
    );
}

#[test]
fn the_image_installs_what_a_build_needs() {
    let setup = fs::read_to_string(root().join("scripts/setup.sh")).unwrap();
    let packages = setup
        .lines()
        .find_map(|line| line.trim().strip_prefix("echo g++ "))
        .expect("the packages of a build");
    let image = text("Dockerfile");
    for package in packages.split_whitespace() {
        assert!(image.contains(package), "{package}");
    }
    let minimum = env!("CARGO_PKG_RUST_VERSION");
    assert!(
        image.contains(&format!("FROM rust:{minimum}-")),
        "{minimum}"
    );
    for copied in ["target", ".git"] {
        let ignored = fs::read_to_string(root().join(".dockerignore")).unwrap();
        assert!(ignored.lines().any(|line| line == format!("/{copied}")));
    }
    assert!(Path::new(&root()).join("Cargo.lock").exists());
}
