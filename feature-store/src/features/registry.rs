//! The list of all features.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::LazyLock;
use std::time::Duration;

use xxhash_rust::xxh3::xxh3_128;

use super::plan::Plan;
use super::value::{Value, ValueType};
use super::{counts, item, shopper};
use crate::event::EventKind;
use crate::items::ItemRow;
use crate::time::Millis;
use crate::view::{ShopperView, Window};

/// A name this far from a known one is no near match.
const MIN_SIMILARITY: f64 = 0.75;
const MAX_NEAR: usize = 5;

/// What a feature is about.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub enum EntityKind {
    Shopper,
    Item,
}

impl EntityKind {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Shopper => "shopper",
            Self::Item => "item",
        }
    }
}

/// A value as read, before its age is judged.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    pub(crate) value: Option<Value>,
    pub(crate) at: Option<Millis>,
}

/// How a feature is computed.
#[derive(Copy, Clone, Debug)]
pub(crate) enum Compute {
    Shopper(fn(&ShopperView) -> Reading),
    Item(fn(&ItemRow, Millis) -> Reading),
    Count(EventKind, Window),
}

/// One feature.
#[derive(Debug)]
pub struct FeatureDef {
    /// The entity, a dot, the feature and its unit: `shopper.idle_s`.
    pub name: &'static str,
    pub value_type: ValueType,
    pub entity: EntityKind,
    /// A value that rests on nothing newer is marked; `None` = it never is.
    pub max_age: Option<Duration>,
    /// The kinds of events that the value rests on; empty for what the catalogue or a profile says.
    pub sources: &'static [EventKind],
    pub doc: &'static str,
    pub(crate) compute: Compute,
}

/// A name that no feature has.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("feature {name:?} is unknown{}", hint(near))]
pub struct UnknownFeature {
    pub name: String,
    /// Names that were perhaps meant, the likeliest first.
    pub near: Vec<String>,
}

fn hint(near: &[String]) -> String {
    if near.is_empty() {
        String::new()
    } else {
        format!(", did you mean {}", near.join(" or "))
    }
}

/// All features, by name.
#[derive(Debug)]
pub struct Registry {
    features: Vec<FeatureDef>,
    by_name: BTreeMap<&'static str, usize>,
    fingerprint: String,
}

static STANDARD: LazyLock<Registry> = LazyLock::new(|| {
    Registry::new(
        counts::features()
            .into_iter()
            .chain(shopper::features())
            .chain(item::features())
            .collect(),
    )
});

impl Registry {
    /// The features of this version.
    #[must_use]
    pub fn standard() -> &'static Self {
        &STANDARD
    }

    fn new(mut features: Vec<FeatureDef>) -> Self {
        features.sort_by_key(|feature| feature.name);
        let by_name = features
            .iter()
            .enumerate()
            .map(|(index, feature)| (feature.name, index));
        Self {
            by_name: by_name.collect(),
            fingerprint: fingerprint(&features),
            features,
        }
    }

    /// Sorted by name.
    #[must_use]
    pub fn features(&self) -> &[FeatureDef] {
        &self.features
    }

    #[must_use]
    pub fn get(&self, name: &str) -> Option<&FeatureDef> {
        self.by_name
            .get(name)
            .and_then(|index| self.features.get(*index))
    }

    /// Changes exactly when the name, type, entity or allowed age of a feature does.
    #[must_use]
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// Resolves names, in the order given and with repeats.
    pub fn plan(&'static self, names: &[impl AsRef<str>]) -> Result<Plan, UnknownFeature> {
        let resolve = |name: &str| self.get(name).ok_or_else(|| self.unknown(name));
        let features = names.iter().map(|name| resolve(name.as_ref()));
        Ok(Plan::new(features.collect::<Result<_, _>>()?))
    }

    fn unknown(&self, name: &str) -> UnknownFeature {
        let likeness = |known: &str| strsim::jaro_winkler(name, known);
        let scored = self
            .features
            .iter()
            .map(|feature| (likeness(feature.name), feature.name));
        let mut near: Vec<_> = scored
            .filter(|(score, _)| *score >= MIN_SIMILARITY)
            .collect();
        near.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(b.1)));
        let near = near
            .into_iter()
            .take(MAX_NEAR)
            .map(|(_, name)| name.to_owned())
            .collect();
        UnknownFeature {
            name: name.to_owned(),
            near,
        }
    }
}

fn fingerprint(features: &[FeatureDef]) -> String {
    let mut schema = String::new();
    for feature in features {
        let (value_type, entity) = (feature.value_type.as_str(), feature.entity.as_str());
        let max_age = feature.max_age.map_or(0, |age| age.as_secs());
        // Writing to a text cannot fail.
        let _ = writeln!(schema, "{} {value_type} {entity} {max_age}", feature.name);
    }
    format!("{:032x}", xxh3_128(schema.as_bytes()))
}
