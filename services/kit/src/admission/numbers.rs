//! What the gate shows of itself.

use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

use super::Gate;

#[derive(Debug)]
struct Numbers {
    prefix: String,
    gate: Arc<Gate>,
}

impl Gate {
    /// Registers, all read when they are scraped:
    ///
    /// - `cartwright_<role>_admission_limit`, `…_in_flight`, `…_queued`
    /// - `cartwright_<role>_admission_refused_total{reason}`: `deadline`, `full` or `waited`
    pub fn register(self: &Arc<Self>, registry: &mut Registry, role: &str) {
        registry.register_collector(Box::new(Numbers {
            prefix: format!("cartwright_{role}_admission"),
            gate: Arc::clone(self),
        }));
    }
}

impl Collector for Numbers {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let gauges = [
            (
                "limit",
                "Calls that may be under way now",
                self.gate.limit(),
            ),
            (
                "in_flight",
                "Calls under way that the limit counts",
                self.gate.under_way(),
            ),
            ("queued", "Calls that wait for a place", self.gate.queued()),
        ];
        for (name, help, value) in gauges {
            let gauge = ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX));
            let name = format!("{}_{name}", self.prefix);
            let metric = encoder.encode_descriptor(&name, help, None, gauge.metric_type())?;
            gauge.encode(metric)?;
        }
        let name = format!("{}_refused", self.prefix);
        let kind = ConstCounter::new(0_u64).metric_type();
        let help = "Calls refused with RESOURCE_EXHAUSTED, by reason";
        let mut metric = encoder.encode_descriptor(&name, help, None, kind)?;
        for (reason, count) in self.gate.refused() {
            let labels = [("reason", reason.as_str())];
            let family = metric.encode_family(&labels)?;
            ConstCounter::new(count).encode(family)?;
        }
        Ok(())
    }
}
