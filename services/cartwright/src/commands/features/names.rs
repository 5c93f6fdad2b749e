//! Which features: named on the command line, in a file, or all that the labels allow.

use std::path::Path;

use anyhow::Context as _;
use feature_store::{EntityKind, FeatureDef, Plan, Registry, UnknownFeature};

use crate::failure::{Failure, OrFail as _};

const LIST: &str = "`cartwright features list` shows the names";

/// Names given, resolved; without any, all features of the entities that the labels name.
pub(super) fn plan(named: &[String], file: Option<&Path>, has_items: bool) -> anyhow::Result<Plan> {
    let registry = Registry::standard();
    let names = match file {
        Some(file) => in_file(file)?,
        None if named.is_empty() => all(registry, has_items),
        None => named.to_vec(),
    };
    let plan = registry.plan(&names).map_err(unknown)?;
    if let Some(feature) = plan.features().iter().find(|feature| is_item(feature))
        && !has_items
    {
        let name = feature.name;
        return Err(Failure::usage(format!(
            "feature {name} is about an item, and the labels have no column item_id"
        ))
        .hint("add the column, with null where a label has no item")
        .into());
    }
    Ok(plan)
}

fn all(registry: &Registry, has_items: bool) -> Vec<String> {
    let features = registry.features().iter();
    features
        .filter(|feature| has_items || !is_item(feature))
        .map(|feature| feature.name.to_owned())
        .collect()
}

fn is_item(feature: &FeatureDef) -> bool {
    feature.entity == EntityKind::Item
}

fn in_file(file: &Path) -> anyhow::Result<Vec<String>> {
    let text = std::fs::read_to_string(file)
        .with_context(|| format!("read {}", file.display()))
        .or_usage("--features-file takes a file with one name a line; # begins a comment")?;
    let names: Vec<String> = text
        .lines()
        .filter_map(|line| line.split('#').next())
        .flat_map(|line| line.split(','))
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect();
    if names.is_empty() {
        return Err(
            Failure::usage(format!("{} names no feature", file.display()))
                .hint(LIST)
                .into(),
        );
    }
    Ok(names)
}

fn unknown(unknown: UnknownFeature) -> anyhow::Error {
    Failure::usage_because(unknown).hint(LIST).into()
}
