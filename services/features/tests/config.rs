//! The sample config that is shipped is read, and says what the defaults are.

use std::path::PathBuf;

use features::Config;
use kit::config::{self, Layers};

#[test]
fn the_shipped_config_is_the_defaults() {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../deploy/config/features.toml");
    let layers = Layers {
        role: "features".to_owned(),
        file: Some(file),
        ..Layers::default()
    };
    assert_eq!(config::load::<Config>(&layers), Ok(Config::default()));
}

#[test]
fn mistakes_name_key_value_and_what_is_allowed() {
    let flag = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    let layers = Layers {
        flags: vec![
            flag("idle", "100ms"),
            flag("redis", "http://:s3cret@127.0.0.1"),
            flag("key_prefix", "{shop}"),
            flag("retention.events", "1h"),
            flag("retention.every", "1s"),
            flag("retention.shoppers", "29d"),
            flag("retention.codes", "3651d"),
            flag("retention.reports", "1s"),
            flag("retention.outbox", "30d"),
            flag("retention.unread", "29d"),
        ],
        ..Layers::default()
    };
    let said = config::load::<Config>(&layers).unwrap_err().to_string();
    for key in [
        "idle = 100ms",
        "redis = ***",
        "key_prefix = {shop}",
        "retention.events = 1h",
        "retention.every = 1s",
        "retention.shoppers = 696h",
        "30d to 3650d",
        "retention.codes = 87624h",
        "retention.reports = 1s",
        "retention.unread = 696h",
        "outbox (720h) to 3650d",
    ] {
        assert!(said.contains(key), "{key} is not in:\n{said}");
    }
    let layers = Layers {
        flags: vec![flag("retention.unread", "40d")],
        ..Layers::default()
    };
    let said = config::load::<Config>(&layers).unwrap_err().to_string();
    assert!(said.contains("while outbox is 0s"), "{said}");
}
