//! What the role counts, besides requests.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use kit::Clock;
use kit::prometheus_client::collector::Collector;
use kit::prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use kit::prometheus_client::metrics::counter::Counter;
use kit::prometheus_client::metrics::family::Family;
use kit::prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use kit::prometheus_client::registry::{Registry, Unit};
use retrieval::{Answer, PlanKind};

/// Never heard of the item table.
const NEVER: i64 = i64::MIN;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PlanLabel {
    plan: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StageLabel {
    stage: String,
}

/// - `cartwright_candidates_answers_total{plan}`: exact, approximate or short
/// - `cartwright_candidates_degraded_total{stage}`: sources that could not answer
/// - `cartwright_candidates_item_table_connected`: 1 while item updates are followed
/// - `cartwright_candidates_item_table_lag_seconds`: age of the newest update, once there was one
/// - `cartwright_candidates_blocked_items`: items kept out, unsellable or out of stock
#[derive(Clone, Debug)]
pub struct Metrics {
    answers: Family<PlanLabel, Counter>,
    degraded: Family<StageLabel, Counter>,
    pub(crate) connected: Gauge,
    pub(crate) blocked_items: Gauge,
    heard_at_ms: Arc<AtomicI64>,
}

impl Metrics {
    /// Registers the role's metrics.
    pub fn register(registry: &mut Registry, clock: Clock) -> Self {
        let metrics = Self {
            answers: Family::default(),
            degraded: Family::default(),
            connected: Gauge::default(),
            blocked_items: Gauge::default(),
            heard_at_ms: Arc::new(AtomicI64::new(NEVER)),
        };
        registry.register(
            "cartwright_candidates_answers",
            "Answers, by how complete they are",
            metrics.answers.clone(),
        );
        registry.register(
            "cartwright_candidates_degraded",
            "Sources that should have answered and could not",
            metrics.degraded.clone(),
        );
        registry.register(
            "cartwright_candidates_item_table_connected",
            "1 while the item updates of features are followed",
            metrics.connected.clone(),
        );
        registry.register(
            "cartwright_candidates_blocked_items",
            "Items of the generation that are unsellable or out of stock",
            metrics.blocked_items.clone(),
        );
        let heard_at_ms = metrics.heard_at_ms.clone();
        registry.register_collector(Box::new(Lag { heard_at_ms, clock }));
        metrics
    }

    /// Counts one answer.
    pub(crate) fn count(&self, answer: &Answer) {
        let plan = match answer.plan.kind {
            PlanKind::Exact => "exact",
            PlanKind::Approximate => "approximate",
            PlanKind::Short => "short",
        };
        self.answers.get_or_create(&PlanLabel { plan }).inc();
        for source in &answer.degraded {
            let stage = source.split(':').next().unwrap_or_default().to_owned();
            self.degraded.get_or_create(&StageLabel { stage }).inc();
        }
    }

    /// Notes when the newest item update was sent.
    pub(crate) fn heard_at(&self, sent_at_ms: i64) {
        self.heard_at_ms.store(sent_at_ms, Ordering::Relaxed);
    }
}

/// Computes the lag when scraped, so that it grows while nothing is heard.
#[derive(Debug)]
struct Lag {
    heard_at_ms: Arc<AtomicI64>,
    clock: Clock,
}

impl Collector for Lag {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let heard_at_ms = self.heard_at_ms.load(Ordering::Relaxed);
        if heard_at_ms == NEVER {
            return Ok(());
        }
        #[expect(
            clippy::cast_precision_loss,
            reason = "a lag of 285,000 years needs no precision"
        )]
        let seconds = self.clock.now_ms().saturating_sub(heard_at_ms) as f64 / 1_000.0;
        let lag = ConstGauge::new(seconds);
        let descriptor = encoder.encode_descriptor(
            "cartwright_candidates_item_table_lag",
            "Age of the newest item update",
            Some(&Unit::Seconds),
            lag.metric_type(),
        )?;
        lag.encode(descriptor)
    }
}
