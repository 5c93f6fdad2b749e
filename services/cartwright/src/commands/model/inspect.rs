//! What a model is, and whether a ranker could read its features.

use std::collections::BTreeMap;

use feature_store::Registry;
use ranking::{Column, Model};
use serde::Serialize;

use crate::output;

#[derive(Debug, Serialize)]
struct Report {
    about: BTreeMap<&'static str, String>,
    features: Vec<Feature>,
}

#[derive(Debug, Serialize)]
struct Feature {
    name: String,
    known: Known,
    near: Vec<String>,
}

#[derive(Copy, Clone, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum Known {
    Column,
    Registry,
    No,
}

pub(super) fn run(model: &dyn Model, json: bool) -> anyhow::Result<()> {
    let about = model.describe();
    let features: Vec<Feature> = model.features().iter().map(|name| feature(name)).collect();
    if json {
        return output::json(&Report {
            about: about.into_iter().collect(),
            features,
        });
    }
    let mut table = output::table(["", ""]);
    for (name, value) in about {
        table.add_row([name.to_owned(), value]);
    }
    output::result(table);
    let mut table = output::table(["feature", "name", "a ranker reads it as"]);
    for (place, feature) in features.iter().enumerate() {
        let known = match feature.known {
            Known::Column => "a column of ranking".to_owned(),
            Known::Registry => "a feature of the registry".to_owned(),
            Known::No if feature.near.is_empty() => "unknown".to_owned(),
            Known::No => format!("unknown; near are {}", feature.near.join(", ")),
        };
        table.add_row([place.to_string(), feature.name.clone(), known]);
    }
    output::result(table);
    Ok(())
}

fn feature(name: &str) -> Feature {
    let (known, near) = if Column::named(name).is_some() {
        (Known::Column, Vec::new())
    } else {
        match Registry::standard().plan(&[name.to_owned()]) {
            Ok(_) => (Known::Registry, Vec::new()),
            Err(unknown) => (Known::No, unknown.near),
        }
    };
    Feature {
        name: name.to_owned(),
        known,
        near,
    }
}
