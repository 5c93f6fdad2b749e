//! What a run leaves: one entry per scenario, as a table, as JSON and as a page.

mod chart;
mod extras;
pub(crate) mod page;
pub(crate) mod table;

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use crate::find_max::{Found, Step};
use crate::measured::Measured;
use crate::session::Outcome;
use crate::slo::Slo;
use crate::trace::Tracing;
pub(crate) use extras::{Ceiling, Compared, FaultResult, Mark, RunInfo, Slow};

/// Where an entry comes from.
#[derive(Debug)]
pub(crate) struct Origin {
    pub(crate) scenario: String,
    pub(crate) tracing: Tracing,
    /// Whether an unanswered request is a failure of the run.
    pub(crate) judges_fault: bool,
    pub(crate) run: RunInfo,
}

/// One scenario's result. Fields are added, never renamed: other programs read this.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) scenario: String,
    pub(crate) rate: Rate,
    pub(crate) latency_ms: Latency,
    #[serde(default)]
    pub(crate) mean_ms: Option<f64>,
    /// From the actual send, to stand beside tools that count so; no objective is judged by it.
    #[serde(default)]
    pub(crate) from_send_ms: Option<FromSend>,
    /// Measured requests; `errors` of them failed, were wrong or were never sent.
    pub(crate) requests: u64,
    pub(crate) errors: u64,
    pub(crate) errors_by_code: BTreeMap<String, ErrorCount>,
    pub(crate) degraded_share: f64,
    pub(crate) valid: bool,
    pub(crate) invalid_because: Option<String>,
    /// p99 of actual send less intended start.
    pub(crate) generator_lag_ms: f64,
    /// CPU time of the generator, its warm-up included.
    #[serde(default)]
    pub(crate) generator_cpu_us_per_request: Option<f64>,
    pub(crate) slo: Vec<Verdict>,
    pub(crate) find_max: Option<FindMax>,
    #[serde(default)]
    pub(crate) ceiling: Option<Ceiling>,
    #[serde(default)]
    pub(crate) compare: Option<Compared>,
    #[serde(default)]
    pub(crate) fault: Option<FaultResult>,
    /// What happened meanwhile, in the order of time.
    #[serde(default)]
    pub(crate) marks: Vec<Mark>,
    /// Slowest first, from the intended start.
    #[serde(default)]
    pub(crate) slowest: Vec<Slow>,
    /// Answers by generation.
    pub(crate) generations: BTreeMap<String, u64>,
    pub(crate) operations: BTreeMap<String, OperationResult>,
    pub(crate) series: Vec<Point>,
    pub(crate) histogram: Vec<HistogramBar>,
    pub(crate) run: RunInfo,
}

/// Requests a second.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Rate {
    pub(crate) wanted: f64,
    /// Good answers.
    pub(crate) got: f64,
}

/// From the intended start; nothing where nothing was answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Latency {
    pub(crate) p50: Option<f64>,
    pub(crate) p90: Option<f64>,
    pub(crate) p99: Option<f64>,
    pub(crate) p999: Option<f64>,
    pub(crate) max: Option<f64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct FromSend {
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) mean: f64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ErrorCount {
    pub(crate) count: u64,
    /// What the first one said.
    pub(crate) first: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Verdict {
    pub(crate) expr: String,
    pub(crate) ok: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct FindMax {
    pub(crate) rate: f64,
    pub(crate) p99_ms_at_70_percent: Option<f64>,
    /// What p99 had to stay below.
    pub(crate) p99_bound_ms: f64,
    pub(crate) steps: Vec<StepResult>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct StepResult {
    pub(crate) wanted: f64,
    pub(crate) got: f64,
    pub(crate) p50_ms: Option<f64>,
    pub(crate) p99_ms: Option<f64>,
    pub(crate) holds: bool,
    pub(crate) why_not: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct OperationResult {
    pub(crate) requests: u64,
    pub(crate) errors: u64,
    pub(crate) latency_ms: Latency,
}

/// A slice of the measured time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Point {
    /// Where it begins, from the end of the warm-up.
    pub(crate) at_s: f64,
    pub(crate) got: f64,
    pub(crate) errors: u64,
    #[serde(default)]
    pub(crate) degraded: u64,
    pub(crate) latency_ms: Latency,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct HistogramBar {
    pub(crate) from_ms: f64,
    pub(crate) to_ms: f64,
    pub(crate) count: u64,
}

const BARS_PER_DECADE: u32 = 10;

impl Entry {
    pub(crate) fn new(origin: Origin, outcome: &Outcome, slos: &[Slo]) -> Self {
        let (measured, invalid_because) = (&outcome.measured, &outcome.invalid_because);
        let mut slo: Vec<_> = slos.iter().map(|slo| verdict(slo, measured)).collect();
        if let Some(fault) = outcome.fault.as_ref().filter(|_| origin.judges_fault) {
            slo.push(Verdict {
                expr: "every request answered inside its deadline".to_owned(),
                ok: fault.unanswered == 0,
            });
        }
        Self {
            scenario: origin.scenario,
            rate: Rate {
                wanted: round(measured.rate_wanted()),
                got: round(measured.rate_got()),
            },
            latency_ms: Latency::of(measured.latency()),
            mean_ms: (!measured.latency().is_empty()).then(|| round(measured.latency().mean_ms())),
            from_send_ms: FromSend::of(measured.since_send()),
            requests: measured.requests(),
            errors: measured.failed(),
            errors_by_code: errors(measured),
            degraded_share: measured.degraded_share().unwrap_or(0.0),
            valid: invalid_because.is_none(),
            invalid_because: invalid_because.clone(),
            generator_lag_ms: round(measured.lag().percentile_ms(99.0)),
            generator_cpu_us_per_request: measured.cpu_us_per_request().map(round),
            slo,
            find_max: None,
            ceiling: None,
            compare: None,
            fault: outcome.fault.as_ref().map(FaultResult::from),
            marks: extras::marks(outcome),
            slowest: extras::slowest(measured, origin.tracing),
            generations: measured.generations().clone(),
            operations: operations(measured),
            series: series(measured),
            histogram: histogram(measured),
            run: origin.run,
        }
    }

    /// Whether CI may go on: a valid run whose objectives all hold.
    pub(crate) fn passes(&self) -> bool {
        self.valid && self.slo.iter().all(|verdict| verdict.ok)
    }
}

impl FromSend {
    fn of(timings: &crate::timings::Timings) -> Option<Self> {
        (!timings.is_empty()).then(|| Self {
            p50: round(timings.percentile_ms(50.0)),
            p99: round(timings.percentile_ms(99.0)),
            mean: round(timings.mean_ms()),
        })
    }
}

impl Latency {
    fn of(timings: &crate::timings::Timings) -> Self {
        let some = |value: f64| (!timings.is_empty()).then(|| round(value));
        Self {
            p50: some(timings.percentile_ms(50.0)),
            p90: some(timings.percentile_ms(90.0)),
            p99: some(timings.percentile_ms(99.0)),
            p999: some(timings.percentile_ms(99.9)),
            max: some(timings.max_ms()),
        }
    }
}

impl From<&Found> for FindMax {
    fn from(found: &Found) -> Self {
        Self {
            rate: round(found.rate),
            p99_ms_at_70_percent: found.relaxed().and_then(|step| step.p99_ms),
            p99_bound_ms: round(found.bar.p99_ms),
            steps: found.steps.iter().map(StepResult::from).collect(),
        }
    }
}

impl From<&Step> for StepResult {
    fn from(step: &Step) -> Self {
        Self {
            wanted: round(step.wanted),
            got: round(step.got),
            p50_ms: step.p50_ms,
            p99_ms: step.p99_ms,
            holds: step.holds(),
            why_not: step.why_not.clone(),
        }
    }
}

fn verdict(slo: &Slo, measured: &Measured) -> Verdict {
    Verdict {
        expr: slo.to_string(),
        ok: slo.holds(measured),
    }
}

fn errors(measured: &Measured) -> BTreeMap<String, ErrorCount> {
    let counted = measured.errors().iter().map(|(code, errors)| {
        let count = ErrorCount {
            count: errors.count,
            first: errors.first.clone(),
        };
        (code.clone(), count)
    });
    counted.collect()
}

fn operations(measured: &Measured) -> BTreeMap<String, OperationResult> {
    let calls = measured.operations().iter().map(|(name, calls)| {
        let result = OperationResult {
            requests: calls.requests,
            errors: calls.errors,
            latency_ms: Latency::of(&calls.latency),
        };
        ((*name).to_owned(), result)
    });
    calls.collect()
}

#[expect(clippy::cast_precision_loss, reason = "counts of a slice")]
fn series(measured: &Measured) -> Vec<Point> {
    let slices = measured.slices().iter().enumerate();
    let length = measured.slice_length().as_secs_f64();
    slices
        .map(|(index, slice)| Point {
            at_s: round(index as f64 * length),
            got: round(slice.good as f64 / measured.slice_seconds(index)),
            errors: slice.errors,
            degraded: slice.degraded,
            latency_ms: Latency::of(&slice.latency),
        })
        .collect()
}

fn histogram(measured: &Measured) -> Vec<HistogramBar> {
    let bars = measured.latency().bars(BARS_PER_DECADE).into_iter();
    bars.map(|bar| HistogramBar {
        from_ms: edge(bar.from_ms),
        to_ms: edge(bar.to_ms),
        count: bar.count,
    })
    .collect()
}

/// Three digits after the point: histograms know no more.
fn round(value: f64) -> f64 {
    (value * 1_000.0).round() / 1_000.0
}

/// Edges of bars begin at a microsecond and need more.
fn edge(ms: f64) -> f64 {
    (ms * 1e6).round() / 1e6
}

/// Reads what `write_json` wrote, also of versions that knew less.
pub(crate) fn read_json(path: &Path) -> anyhow::Result<Vec<Entry>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
    serde_json::from_str(&text)
        .with_context(|| format!("{} is no report of cartwright-loadtest", path.display()))
}

/// Writes the entries as JSON.
pub(crate) fn write_json(path: &Path, entries: &[Entry]) -> anyhow::Result<()> {
    let text = serde_json::to_string_pretty(entries)?;
    std::fs::write(path, text + "\n").with_context(|| format!("write {}", path.display()))
}

#[cfg(test)]
pub(crate) mod tests;
