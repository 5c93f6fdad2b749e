//! The file format of a forest, version 1: a JSON object.
//!
//! ```json
//! {"format": "cartwright-forest", "version": 1, "features": ["price"], "base_score": 0.5,
//!  "trees": [{"nodes": [
//!    {"split": {"feature": 0, "below": 9.5, "missing": "left", "left": 1, "right": 2}},
//!    {"leaf": -0.25}, {"leaf": 0.75}]}]}
//! ```
//!
//! A reader refuses fields, kinds of nodes and versions that it does not know: a model that is
//! half understood answers wrongly.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::Forest;
use super::tree::{Tree, check_most};
use crate::error::Error;

const FORMAT: &str = "cartwright-forest";
const VERSION: u32 = 1;
const MOST_FEATURES: usize = 4_096;
const LONGEST_NAME: usize = 256;

/// The file as it is read, before it is believed.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct File {
    format: String,
    version: u32,
    features: Vec<String>,
    base_score: f64,
    trees: Vec<Tree>,
}

/// What is read of a file before anything else is believed.
#[derive(Deserialize)]
struct Head {
    format: String,
    version: u32,
}

impl File {
    pub(crate) fn of(forest: &Forest) -> Self {
        Self {
            format: FORMAT.to_owned(),
            version: VERSION,
            features: forest.features.clone(),
            base_score: forest.base_score,
            trees: forest.trees.clone(),
        }
    }

    pub(crate) fn into_forest(self) -> Result<Forest, Error> {
        check_head(&self.format, self.version)?;
        Forest::new(self.features, self.base_score, self.trees)
    }
}

impl Forest {
    /// Reads a file of the format; a damaged one is refused with the place and the reason.
    pub fn parse(json: &str) -> Result<Self, Error> {
        let head: Head = serde_json::from_str(json)?;
        check_head(&head.format, head.version)?;
        let file: File = serde_json::from_str(json)?;
        file.into_forest()
    }

    /// The bytes are a function of the forest.
    pub fn to_json(&self) -> Result<String, Error> {
        Ok(serde_json::to_string(&File::of(self))?)
    }
}

fn check_head(format: &str, version: u32) -> Result<(), Error> {
    if format != FORMAT {
        return Err(Error::Name {
            field: "format",
            name: format.to_owned(),
            allowed: format!("{FORMAT:?} is read here"),
        });
    }
    if version != VERSION {
        return Err(Error::Value {
            field: "version",
            value: f64::from(version),
            allowed: "1 is",
        });
    }
    Ok(())
}

pub(crate) fn check_features(features: &[String]) -> Result<(), Error> {
    check_most("features", features.len(), MOST_FEATURES)?;
    let mut seen = BTreeSet::new();
    let is_fit = |name: &str| (1..=LONGEST_NAME).contains(&name.len());
    let mut unfit = features.iter();
    match unfit.find(|name| !is_fit(name) || !seen.insert(name.as_str())) {
        None => Ok(()),
        Some(name) => Err(Error::Name {
            field: "features",
            name: name.clone(),
            allowed: format!("names of 1 to {LONGEST_NAME} bytes, each once, are allowed"),
        }),
    }
}
