//! The demo's figures for machines.

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::{Value, json};

use super::run::Outcome;
use super::shop::Decided;
use crate::wire;

pub(super) fn write(file: &Path, outcome: &Outcome) -> anyhow::Result<()> {
    let text = serde_json::to_string_pretty(&value(outcome))?;
    std::fs::write(file, text + "\n").with_context(|| format!("write {}", file.display()))
}

fn value(outcome: &Outcome) -> Value {
    let decisions: Vec<Value> = outcome.decided.iter().map(decision).collect();
    json!({
        "events": outcome.events,
        "carts": outcome.counts,
        "decisions": decisions,
        "latency_ms": { "decide": {
            "p50": ms(percentile(&outcome.decided, 50)),
            "p99": ms(percentile(&outcome.decided, 99)),
        }},
    })
}

fn decision(decided: &Decided) -> Value {
    let decision = &decided.decision;
    json!({
        "shopper_id": decision.shopper_id,
        "action": wire::action(decision.action()),
        "items": decision.items.iter().map(|item| &item.item_id).collect::<Vec<_>>(),
        "risk": decision.risk,
        "expected_value_minor": decision.expected_value_minor,
        "degraded": decision.degraded,
        "reasons": decision.reasons,
        "generation": decision.generation,
    })
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}

/// The time that so many percent of the answers took at most; 0 without answers.
pub(super) fn percentile(decided: &[Decided], percent: usize) -> Duration {
    let mut times: Vec<Duration> = decided.iter().map(|decided| decided.took).collect();
    times.sort();
    let rank = (times.len() * percent).div_ceil(100);
    times
        .get(rank.saturating_sub(1))
        .copied()
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proto::v1 as pb;

    #[test]
    fn percentiles_are_nearest_ranks() {
        let decided: Vec<Decided> = (1..=200)
            .map(|ms| Decided {
                decision: pb::Decision::default(),
                took: Duration::from_millis(ms),
            })
            .collect();
        assert_eq!(percentile(&decided, 50), Duration::from_millis(100));
        assert_eq!(percentile(&decided, 99), Duration::from_millis(198));
        assert_eq!(percentile(&decided[..1], 99), Duration::from_millis(1));
        assert_eq!(percentile(&[], 50), Duration::ZERO);
    }
}
