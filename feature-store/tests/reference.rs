//! `docs/features.md` is written from the registry, so that it cannot say anything else.

use std::path::Path;

use feature_store::{FeatureDef, Registry};

const HEAD: &str = "# Features

What `GetFeatures` answers, as the registry in `feature-store/src/features/` defines it. A value
whose newest event is older than the allowed age is `OUTSIDE_MAX_AGE` and comes along all the same.
[training-rows.md](training-rows.md) says how to have them at moments of the past, to train elsewhere.
This page is written by a test: `UPDATE_DOCS=1 cargo test -p feature-store --test reference`.

| name | type | allowed age | rests on | what it is |
|---|---|---|---|---|
";

fn page() -> String {
    let lines = Registry::standard().features().iter().map(line);
    HEAD.to_owned() + &lines.collect::<String>()
}

fn line(feature: &FeatureDef) -> String {
    format!(
        "| `{}` | {} | {} | {} | {} |\n",
        feature.name,
        feature.value_type.as_str(),
        allowed_age(feature),
        sources(feature),
        feature.doc.replace('|', "\\|"),
    )
}

fn allowed_age(feature: &FeatureDef) -> String {
    feature.max_age.map_or_else(
        || "any".to_owned(),
        |age| match age.as_secs() {
            seconds if seconds % 86_400 == 0 => format!("{} d", seconds / 86_400),
            seconds if seconds % 3_600 == 0 => format!("{} h", seconds / 3_600),
            seconds => format!("{} min", seconds / 60),
        },
    )
}

fn sources(feature: &FeatureDef) -> String {
    if feature.sources.is_empty() {
        return "catalogue, profile".to_owned();
    }
    let names: Vec<&str> = feature.sources.iter().map(|kind| kind.as_str()).collect();
    names.join(", ")
}

#[test]
fn the_reference_says_what_the_registry_does() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/features.md");
    let wanted = page();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&file, &wanted).expect("docs/features.md can be written");
    }
    let found = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        found == wanted,
        "docs/features.md is out of date: UPDATE_DOCS=1 cargo test -p feature-store --test reference"
    );
}
