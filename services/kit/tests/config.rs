//! Settings in layers, and every mistake of them in one run.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test may fail loudly, in its helpers too"
)]

use std::io::Write as _;
use std::net::SocketAddr;

use kit::ClockSettings;
use kit::config::{self, Layers, Mistakes, Period, Report, Secret, Settings};
use kit::security::Security;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Shop {
    #[serde(with = "config::socket")]
    addr: SocketAddr,
    #[serde(with = "config::socket::optional")]
    admin: Option<SocketAddr>,
    lines: u16,
    idle: Period,
    #[serde(skip_serializing_if = "Option::is_none")]
    redis: Option<Secret>,
    key_prefix: String,
    clock: ClockSettings,
    log: Log,
    security: Security,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Log {
    filter: String,
}

impl Default for Shop {
    fn default() -> Self {
        Self {
            addr: "127.0.0.1:7101".parse().unwrap(),
            admin: None,
            lines: 200,
            idle: Period::seconds(1_800),
            redis: None,
            key_prefix: String::new(),
            clock: ClockSettings::Real,
            log: Log::default(),
            security: Security::default(),
        }
    }
}

impl Settings for Shop {
    fn check(&self, report: &mut Report) {
        if self.lines == 0 {
            report.add("lines", self.lines, "1 to 65535");
        }
    }
}

struct Given {
    _file: tempfile::NamedTempFile,
    layers: Layers,
}

fn given(file: &str, environment: &[(&str, &str)], flags: &[(&str, &str)]) -> Given {
    let owned = |pairs: &[(&str, &str)]| {
        pairs
            .iter()
            .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
            .collect()
    };
    let mut handle = tempfile::NamedTempFile::with_suffix(".toml").unwrap();
    handle.write_all(file.as_bytes()).unwrap();
    let layers = Layers {
        role: "shop".to_owned(),
        file: Some(handle.path().to_owned()),
        environment: owned(environment),
        flags: owned(flags),
    };
    Given {
        _file: handle,
        layers,
    }
}

fn load(
    file: &str,
    environment: &[(&str, &str)],
    flags: &[(&str, &str)],
) -> Result<Shop, Mistakes> {
    config::load(&given(file, environment, flags).layers)
}

#[test]
fn nothing_given_is_the_defaults() {
    assert_eq!(
        config::load::<Shop>(&Layers::default()),
        Ok(Shop::default())
    );
}

#[test]
fn each_layer_wins_over_the_one_before() {
    let file = "addr = '127.0.0.1:1'\nlines = 1\nidle = '1s'\nkey_prefix = 'file'";
    let environment = [
        ("CARTWRIGHT_SHOP_LINES", "3"),
        ("CARTWRIGHT_LINES", "2"),
        ("CARTWRIGHT_IDLE", "2s"),
        ("CARTWRIGHT_SHOP_KEY_PREFIX", "environment"),
    ];
    let shop = load(file, &environment, &[("key_prefix", "flag")]).unwrap();
    assert_eq!(shop.addr.port(), 1);
    assert_eq!(shop.idle, Period::seconds(2));
    assert_eq!((shop.lines, shop.key_prefix.as_str()), (3, "flag"));
}

#[test]
fn text_becomes_the_type_that_the_setting_has() {
    let environment = [
        ("CARTWRIGHT_SHOP_SECURITY_INSECURE", "true"),
        ("CARTWRIGHT_SHOP_ADMIN", "127.0.0.1:7111"),
        ("CARTWRIGHT_SHOP_CLOCK_EPOCH_MS", "1569888000000"),
        ("CARTWRIGHT_SHOP_CLOCK_SPEED", "60"),
        ("CARTWRIGHT_SHOP_KEY_PREFIX", "0042"),
    ];
    let shop = load("", &environment, &[]).unwrap();
    assert!(shop.security.insecure);
    assert_eq!(shop.admin.map(|admin| admin.port()), Some(7_111));
    assert_eq!(shop.key_prefix, "0042");
    let ClockSettings::Simulated(clock) = shop.clock else {
        panic!("the clock is {:?}", shop.clock);
    };
    assert_eq!((clock.epoch_ms, clock.start_ms), (1_569_888_000_000, None));
}

#[test]
fn a_shared_variable_that_this_role_does_not_know_belongs_to_another() {
    let environment = [
        ("CARTWRIGHT_SNAPSHOT", "model"),
        ("CARTWRIGHT_OTHER_ADDR", "nonsense"),
        // Names a table here, and is something else elsewhere.
        ("CARTWRIGHT_LOG", "info"),
    ];
    assert_eq!(load("", &environment, &[]), Ok(Shop::default()));
}

#[test]
fn one_run_reports_every_mistake_with_key_value_and_what_is_allowed() {
    let file = "addr = 'here'\nlines = 70000\nadr = 'x'\n[security]\ninsecure = 'maybe'";
    let environment = [
        ("CARTWRIGHT_SHOP_IDLE", "soon"),
        ("CARTWRIGHT_SHOP_LINE", "3"),
    ];
    let mistakes = load(file, &environment, &[("clock", "sundial")]).unwrap_err();
    let said = mistakes.to_string();
    for expected in [
        "addr = \"here\": allowed: an address and a port such as 127.0.0.1:7101",
        "lines = 70000: allowed: a whole number from 0 to 65535",
        "adr is not a setting; did you mean addr?",
        "security.insecure = \"maybe\": allowed: true or false",
        "environment CARTWRIGHT_SHOP_IDLE: idle = \"soon\": allowed: a span of time",
        "environment CARTWRIGHT_SHOP_LINE: line is not a setting; did you mean lines?",
        "flag: clock = \"sundial\": allowed: `real`, or a table",
    ] {
        assert!(said.contains(expected), "{expected:?} is not in:\n{said}");
    }
    assert_eq!(mistakes.0.len(), 7, "{said}");
}

#[test]
fn what_a_type_cannot_say_is_checked_with_where_it_was_set() {
    let said = load("", &[("CARTWRIGHT_LINES", "0")], &[])
        .unwrap_err()
        .to_string();
    assert_eq!(
        said,
        "environment CARTWRIGHT_LINES: lines = 0: allowed: 1 to 65535"
    );
}

#[test]
fn a_file_that_is_no_toml_names_the_line_and_shows_nothing_of_it() {
    let said = load("addr = '127.0.0.1:1'\nredis = 's3cret\n", &[], &[])
        .unwrap_err()
        .to_string();
    assert!(said.contains("line 2"), "{said}");
    assert!(!said.contains("s3cret"), "{said}");
}

#[test]
fn a_file_that_is_not_there_is_a_mistake() {
    let layers = Layers {
        file: Some("/nonexistent/shop.toml".into()),
        ..Layers::default()
    };
    let said = config::load::<Shop>(&layers).unwrap_err().to_string();
    assert!(
        said.starts_with("/nonexistent/shop.toml: cannot be read"),
        "{said}"
    );
}

#[test]
fn secrets_are_never_printed() {
    let file = "redis = 'redis://:s3cret@127.0.0.1'\n[[security.tokens]]\ntoken = 's3cret'\nscopes = ['read']";
    let shop = load(file, &[], &[]).unwrap();
    assert_eq!(shop.security.tokens[0].token.expose(), "s3cret");
    let dumped = config::dump(&shop).unwrap();
    assert!(dumped.contains("***"), "{dumped}");
    for shown in [dumped, format!("{shop:?}")] {
        assert!(!shown.contains("s3cret"), "{shown}");
    }
    let mistaken = "redis = ['s3cret']\n[[security.tokens]]\ntoken = ['s3cret']\nscopes = ['reed']";
    let said = load(mistaken, &[], &[]).unwrap_err().to_string();
    assert!(!said.contains("s3cret") && said.contains("redis"), "{said}");
}

#[test]
fn what_is_dumped_can_be_read_back() {
    let shop = load(
        "clock = { epoch_ms = 1, speed = 2.0 }\nadmin = 'none'",
        &[],
        &[],
    )
    .unwrap();
    assert_eq!(load(&config::dump(&shop).unwrap(), &[], &[]), Ok(shop));
}
