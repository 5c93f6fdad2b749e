//! A list of features, resolved once.

use super::registry::{Compute, EntityKind, FeatureDef, Reading};
use super::value::{FeatureValue, Status, Value};
use crate::items::ItemRow;
use crate::time::Millis;
use crate::view::ShopperView;

/// Features to compute, in the order asked for.
#[derive(Clone, Debug)]
pub struct Plan {
    features: Vec<&'static FeatureDef>,
}

impl Plan {
    pub(crate) fn new(features: Vec<&'static FeatureDef>) -> Self {
        Self { features }
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.features.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.features.is_empty()
    }

    #[must_use]
    pub fn features(&self) -> &[&'static FeatureDef] {
        &self.features
    }

    /// Whether any feature is about this kind of entity.
    #[must_use]
    pub fn needs(&self, entity: EntityKind) -> bool {
        self.features.iter().any(|feature| feature.entity == entity)
    }

    /// One value per feature; `None` is an unknown shopper.
    #[must_use]
    pub fn shopper(&self, view: Option<&ShopperView>) -> Vec<FeatureValue> {
        let value = |feature: &&FeatureDef| {
            let Some(view) = view else {
                return FeatureValue::NOT_FOUND;
            };
            match feature.compute {
                Compute::Shopper(read) => judge(feature, read(view), view.now),
                Compute::Count(kind, window) => {
                    let count = i64::from(view.counts.get(kind, window));
                    let at = view.last_times.get(kind);
                    judge(
                        feature,
                        Reading {
                            value: Some(Value::Int(count)),
                            at,
                        },
                        view.now,
                    )
                }
                Compute::Item(_) => FeatureValue::NOT_FOUND,
            }
        };
        self.features.iter().map(value).collect()
    }

    /// One value per feature; `None` is an unknown item.
    #[must_use]
    pub fn item(&self, row: Option<&ItemRow>, now: Millis) -> Vec<FeatureValue> {
        let value = |feature: &&FeatureDef| match (row, feature.compute) {
            (Some(row), Compute::Item(read)) => judge(feature, read(row, now), now),
            (None, _) | (Some(_), Compute::Shopper(_) | Compute::Count(..)) => {
                FeatureValue::NOT_FOUND
            }
        };
        self.features.iter().map(value).collect()
    }
}

/// Says what a reading is worth at `now`.
fn judge(feature: &FeatureDef, reading: Reading, now: Millis) -> FeatureValue {
    let Reading { value, at } = reading;
    let too_old = match (feature.max_age, at) {
        (Some(max_age), Some(at)) => at < now.saturating_sub(max_age),
        (None, _) | (_, None) => false,
    };
    let status = match (&value, too_old) {
        (None, _) => Status::Null,
        (Some(_), true) => Status::OutsideMaxAge,
        (Some(_), false) => Status::Present,
    };
    FeatureValue {
        status,
        value,
        event_time: at,
    }
}
