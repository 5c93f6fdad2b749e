//! What an export made.

use std::collections::BTreeMap;

use feature_store::{FeatureDef, FeatureValue, Plan, PointInTime, Status};
use serde::Serialize;

/// Rows, events, and what became of each feature.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct ExportReport {
    pub rows: u64,
    /// Labels before the log begins: nothing was known then.
    pub before_log: u64,
    /// Labels after the log's last event: answered, from what was known at its end.
    pub after_log: u64,
    /// Labels of erased shoppers, which have no row.
    pub erased_rows: u64,
    pub events: Events,
    /// In the order of the columns.
    pub features: Vec<FeatureShare>,
}

/// What became of the events.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Events {
    pub accepted: u64,
    pub duplicate: u64,
    /// By reason.
    pub rejected: BTreeMap<&'static str, u64>,
    /// After the last label, so that no row could see them.
    pub after_last_label: u64,
}

impl Events {
    pub(crate) fn new(past: &PointInTime) -> Self {
        let applied = past.applied();
        let rejected = applied.rejected.iter();
        Self {
            accepted: applied.accepted,
            duplicate: applied.duplicate,
            rejected: rejected.map(|(code, count)| (*code, *count)).collect(),
            after_last_label: past.unseen() as u64,
        }
    }
}

/// One feature and its rows by status.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct FeatureShare {
    pub name: &'static str,
    #[serde(rename = "type")]
    pub value_type: &'static str,
    pub present: u64,
    pub null: u64,
    pub not_found: u64,
    pub outside_max_age: u64,
}

impl FeatureShare {
    fn new(feature: &FeatureDef) -> Self {
        Self {
            name: feature.name,
            value_type: feature.value_type.as_str(),
            present: 0,
            null: 0,
            not_found: 0,
            outside_max_age: 0,
        }
    }

    fn count(&mut self, status: Status) {
        let count = match status {
            Status::Present => &mut self.present,
            Status::Null => &mut self.null,
            Status::NotFound => &mut self.not_found,
            Status::OutsideMaxAge => &mut self.outside_max_age,
        };
        *count += 1;
    }
}

impl ExportReport {
    pub(crate) fn new(plan: &Plan) -> Self {
        let features = plan.features().iter();
        Self {
            features: features.map(|feature| FeatureShare::new(feature)).collect(),
            ..Self::default()
        }
    }

    pub(crate) fn count(&mut self, values: &[FeatureValue]) {
        self.rows += 1;
        for (feature, value) in self.features.iter_mut().zip(values) {
            feature.count(value.status);
        }
    }
}
