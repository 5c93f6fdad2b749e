//! What the role counts, besides requests.

use std::sync::Arc;

use feature_store::{ItemTable, Outcome};
use kit::prometheus_client::collector::Collector;
use kit::prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use kit::prometheus_client::metrics::counter::Counter;
use kit::prometheus_client::metrics::family::Family;
use kit::prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use kit::prometheus_client::registry::Registry;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabel {
    outcome: &'static str,
}

/// - `cartwright_features_events_total{outcome}`: accepted, duplicate, or the reason of a rejection
/// - `cartwright_features_item_table_rows`
/// - `cartwright_features_item_subscribers`
#[derive(Clone, Debug)]
pub struct Metrics {
    events: Family<OutcomeLabel, Counter>,
    /// Open `StreamItemUpdates` streams.
    pub(crate) subscribers: Gauge,
}

impl Metrics {
    /// Registers the role's metrics.
    pub fn register(registry: &mut Registry, items: Arc<ItemTable>) -> Self {
        let metrics = Self {
            events: Family::default(),
            subscribers: Gauge::default(),
        };
        registry.register(
            "cartwright_features_events",
            "Events answered, by what became of them",
            metrics.events.clone(),
        );
        registry.register(
            "cartwright_features_item_subscribers",
            "Streams of item updates that are open",
            metrics.subscribers.clone(),
        );
        registry.register_collector(Box::new(ItemRows(items)));
        metrics
    }

    /// Counts one event.
    pub(crate) fn count(&self, outcome: &Outcome) {
        let outcome = match outcome {
            Outcome::Accepted => "accepted",
            Outcome::Duplicate => "duplicate",
            Outcome::Rejected(rejection) => rejection.code.as_str(),
        };
        self.events.get_or_create(&OutcomeLabel { outcome }).inc();
    }
}

/// Reads the table's size when scraped, so that nobody has to keep a gauge in step.
#[derive(Debug)]
struct ItemRows(Arc<ItemTable>);

impl Collector for ItemRows {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let rows = ConstGauge::new(i64::try_from(self.0.len()).unwrap_or(i64::MAX));
        let descriptor = encoder.encode_descriptor(
            "cartwright_features_item_table_rows",
            "Items in the in-memory item table",
            None,
            rows.metric_type(),
        )?;
        rows.encode(descriptor)
    }
}
