//! What the role counts, besides the requests that every role counts.

use std::time::Duration;

use kit::metrics::latency_histogram;
use kit::prometheus_client::encoding::EncodeLabelSet;
use kit::prometheus_client::metrics::counter::Counter;
use kit::prometheus_client::metrics::family::Family;
use kit::prometheus_client::metrics::gauge::Gauge;
use kit::prometheus_client::metrics::histogram::Histogram;
use kit::prometheus_client::registry::{Registry, Unit};

use crate::decide::Stage;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ActionLabels {
    action: &'static str,
    mode: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StageLabel {
    stage: &'static str,
}

/// Metrics of the recovery role.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    decisions: Family<ActionLabels, Counter>,
    degraded: Family<StageLabel, Counter>,
    stages: Family<StageLabel, Histogram, fn() -> Histogram>,
    items: Gauge,
    items_lag_ms: Gauge,
}

impl Metrics {
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            decisions: Family::default(),
            degraded: Family::default(),
            stages: Family::new_with_constructor(latency_histogram),
            items: Gauge::default(),
            items_lag_ms: Gauge::default(),
        };
        registry.register(
            "cartwright_recovery_decisions",
            "Decisions made, by action and by mode; answers from the decision log are not counted",
            metrics.decisions.clone(),
        );
        registry.register(
            "cartwright_recovery_degraded",
            "Stages that answered from a fallback",
            metrics.degraded.clone(),
        );
        registry.register_with_unit(
            "cartwright_recovery_stage_duration",
            "Time of one stage of a decision",
            Unit::Seconds,
            metrics.stages.clone(),
        );
        registry.register(
            "cartwright_recovery_items",
            "Items in the table that follows the features role",
            metrics.items.clone(),
        );
        registry.register(
            "cartwright_recovery_items_lag_milliseconds",
            "Age of the last change of the item table when it arrived",
            metrics.items_lag_ms.clone(),
        );
        metrics
    }

    pub(crate) fn decided(&self, action: &'static str, mode: &'static str) {
        self.decisions
            .get_or_create(&ActionLabels { action, mode })
            .inc();
    }

    pub(crate) fn degraded(&self, stage: Stage) {
        let stage = stage.as_str();
        self.degraded.get_or_create(&StageLabel { stage }).inc();
    }

    pub(crate) fn took(&self, stage: Stage, time: Duration) {
        let stage = stage.as_str();
        self.stages
            .get_or_create(&StageLabel { stage })
            .observe(time.as_secs_f64());
    }

    pub(crate) fn items(&self, items: usize, lag_ms: i64) {
        self.items.set(i64::try_from(items).unwrap_or(i64::MAX));
        self.items_lag_ms.set(lag_ms.max(0));
    }
}
