//! The parts of the file that predictions depend on. Numbers are often strings there.

use std::fmt;
use std::str::FromStr;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, Visitor};

use crate::error::Error;

#[derive(Debug, Deserialize)]
pub(super) struct File {
    pub(super) learner: Learner,
    pub(super) version: Option<Vec<u32>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Learner {
    #[serde(default)]
    pub(super) feature_names: Vec<String>,
    pub(super) gradient_booster: Booster,
    pub(super) learner_model_param: Parameters,
    pub(super) objective: Named,
}

#[derive(Debug, Deserialize)]
pub(super) struct Named {
    pub(super) name: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Parameters {
    pub(super) base_score: String,
    #[serde(default, deserialize_with = "number")]
    pub(super) num_class: u32,
    #[serde(deserialize_with = "number")]
    pub(super) num_feature: u32,
    #[serde(default, deserialize_with = "number")]
    pub(super) num_target: u32,
}

#[derive(Debug, Deserialize)]
pub(super) struct Booster {
    pub(super) name: String,
    pub(super) model: Option<Forest>,
    pub(super) gbtree: Option<Inner>,
    pub(super) weight_drop: Option<Vec<f32>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Inner {
    pub(super) model: Forest,
}

#[derive(Debug, Deserialize)]
pub(super) struct Forest {
    /// The class that each tree adds to.
    #[serde(default)]
    pub(super) tree_info: Vec<i64>,
    pub(super) trees: Vec<Tree>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Tree {
    pub(super) left_children: Vec<i64>,
    pub(super) right_children: Vec<i64>,
    pub(super) split_indices: Vec<i64>,
    /// The value of a leaf, where there is no child.
    pub(super) split_conditions: Vec<f32>,
    pub(super) default_left: Vec<Flag>,
    /// 1 for sets of categories; absent before version 1.3.
    #[serde(default)]
    pub(super) split_type: Vec<i64>,
    #[serde(default)]
    pub(super) categories: Vec<i64>,
    #[serde(default)]
    pub(super) categories_nodes: Vec<i64>,
    #[serde(default)]
    pub(super) categories_segments: Vec<i64>,
    #[serde(default)]
    pub(super) categories_sizes: Vec<i64>,
    pub(super) tree_param: TreeParameters,
}

#[derive(Debug, Deserialize)]
pub(super) struct TreeParameters {
    #[serde(default, deserialize_with = "number")]
    pub(super) size_leaf_vector: u32,
}

/// A bool, as a word in version 1 and as 0 or 1 later.
#[derive(Copy, Clone, Debug)]
pub(super) struct Flag(pub(super) bool);

impl File {
    pub(super) fn parse(text: &str) -> Result<Self, Error> {
        let mut json = serde_json::Deserializer::from_str(text);
        let file = serde_path_to_error::deserialize(&mut json).map_err(|error| Error::Parse {
            place: error.path().to_string(),
            problem: error.into_inner(),
        })?;
        json.end()?;
        Ok(file)
    }
}

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(FlagVisitor)
    }
}

struct FlagVisitor;

impl Visitor<'_> for FlagVisitor {
    type Value = Flag;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("true, false, 0 or 1")
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<Flag, E> {
        Ok(Flag(value))
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Flag, E> {
        match value {
            0 => Ok(Flag(false)),
            1 => Ok(Flag(true)),
            other => Err(E::invalid_value(
                serde::de::Unexpected::Unsigned(other),
                &self,
            )),
        }
    }
}

/// A whole number, written as one or as a string of one.
fn number<'de, D: Deserializer<'de>>(from: D) -> Result<u32, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Number(u32),
        Text(String),
    }
    match Written::deserialize(from)? {
        Written::Number(number) => Ok(number),
        Written::Text(text) => u32::from_str(&text)
            .map_err(|_| D::Error::custom(format!("{text:?} where a whole number is allowed"))),
    }
}
