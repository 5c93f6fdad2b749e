//! What the settings take, and how they refuse.

use std::path::Path;

use kit::config::{Layers, load};
use recovery::Config;

fn with(flags: &[(&str, &str)]) -> Result<Config, String> {
    let flags = flags
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    let layers = Layers {
        role: "recovery".to_owned(),
        flags: flags.collect(),
        ..Layers::default()
    };
    load(&layers).map_err(|mistakes| mistakes.to_string())
}

#[test]
fn works_without_any_setting() {
    let config = with(&[]).unwrap();
    assert_eq!(config, Config::default());
    assert_eq!(config.addr.to_string(), "127.0.0.1:7103");
    assert_eq!(config.admin.unwrap().to_string(), "127.0.0.1:7113");
    assert_eq!(config.default_deadline_ms, 100);
}

#[test]
fn the_shipped_config_is_the_defaults_with_a_snapshot_and_a_store() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/config/recovery.toml");
    let layers = Layers {
        role: "recovery".to_owned(),
        file: Some(file),
        ..Layers::default()
    };
    let shipped: Config = load(&layers).unwrap();
    let defaults = Config {
        snapshot: shipped.snapshot.clone(),
        redis: shipped.redis.clone(),
        ..Config::default()
    };
    assert!(shipped.snapshot.is_some() && shipped.redis.is_some());
    assert_eq!(shipped, defaults);
}

#[test]
fn takes_every_setting_from_text() {
    let config = with(&[
        ("addr", "127.0.0.1:0"),
        ("admin", "none"),
        ("features", "http://127.0.0.1:1"),
        ("snapshot", "a/folder"),
        ("policy", "policy.toml"),
        ("redis", "redis://:secret@127.0.0.1:6379"),
        ("default_deadline_ms", "250"),
        ("drain", "5s"),
        ("security.insecure", "true"),
    ]);
    let config = config.unwrap();
    assert_eq!(config.default_deadline_ms, 250);
    assert!(!format!("{config:?}").contains("secret"));
    let dumped = kit::config::dump(&config).unwrap();
    assert!(!dumped.contains("secret"), "{dumped}");
    assert!(dumped.contains("a/folder"), "{dumped}");
}

#[test]
fn names_every_mistake_at_once() {
    let mistakes = with(&[
        ("default_deadline_ms", "0"),
        ("candidates", "127.0.0.1:7102"),
        ("key_prefix", "{shop}"),
        ("redis", "http://127.0.0.1"),
        ("snapshots", "a/folder"),
        ("recover.lease", "5ms"),
        ("recover.batch", "0"),
    ]);
    let mistakes = mistakes.unwrap_err();
    for key in [
        "default_deadline_ms = 0",
        "candidates",
        "key_prefix",
        "redis",
        "snapshot?",
        "recover.lease",
        "recover.batch",
    ] {
        assert!(mistakes.contains(key), "{key} is not in:\n{mistakes}");
    }
}
