//! The sample config that is shipped is read, and says what the defaults are.

use std::path::PathBuf;

use candidates::Config;
use kit::config::{self, Layers};

#[test]
fn the_shipped_config_is_the_defaults_and_a_snapshot() {
    let file =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../deploy/config/candidates.toml");
    let layers = Layers {
        role: "candidates".to_owned(),
        file: Some(file),
        ..Layers::default()
    };
    let shipped = config::load::<Config>(&layers).unwrap();
    assert!(shipped.snapshot.is_some());
    assert_eq!(
        Config {
            snapshot: None,
            ..shipped
        },
        Config::default()
    );
}

#[test]
fn mistakes_name_key_value_and_what_is_allowed() {
    let flag = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    let layers = Layers {
        flags: vec![
            flag("features", "127.0.0.1:7101"),
            flag("default_deadline_ms", "0"),
        ],
        ..Layers::default()
    };
    let said = config::load::<Config>(&layers).unwrap_err().to_string();
    assert!(
        said.contains("features = 127.0.0.1:7101: allowed: http://host:port"),
        "{said}"
    );
    assert!(
        said.contains("default_deadline_ms = 0: allowed: 1 to 60000"),
        "{said}"
    );
}
