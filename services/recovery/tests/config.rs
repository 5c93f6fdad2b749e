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
        ("webhook.url", "ftp://shop.example"),
        ("webhook.at_once", "0"),
        ("webhook.backoff", "2h"),
        ("tokens.keys", "1:secret-but-short"),
        ("tokens.link_for", "1s"),
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
        "webhook.url",
        "webhook.keys",
        "webhook.at_once",
        "webhook.backoff",
        "tokens.keys",
        "tokens.link_for",
    ] {
        assert!(mistakes.contains(key), "{key} is not in:\n{mistakes}");
    }
    assert!(!mistakes.contains("secret-but-short"), "{mistakes}");
}

#[test]
fn keys_come_from_the_environment_and_do_not_show() {
    let key = "0f".repeat(32);
    let given = [
        ("CARTWRIGHT_RECOVERY_TOKENS_KEYS", format!("1:{key}")),
        (
            "CARTWRIGHT_RECOVERY_WEBHOOK_KEYS",
            "a-long-random-text".to_owned(),
        ),
        (
            "CARTWRIGHT_RECOVERY_WEBHOOK_URL",
            "https://shop.example/in".to_owned(),
        ),
    ];
    let layers = Layers {
        role: "recovery".to_owned(),
        environment: given.map(|(name, value)| (name.to_owned(), value)).into(),
        ..Layers::default()
    };
    let config: Config = load(&layers).unwrap();
    assert_eq!(
        config.webhook.keys.as_ref().unwrap().expose(),
        "a-long-random-text"
    );
    let shown = format!("{config:?}{}", kit::config::dump(&config).unwrap());
    for secret in [key.as_str(), "a-long-random-text", "shop.example"] {
        assert!(!shown.contains(secret), "{secret}");
    }
}
