//! The parts of an entry that not every run has, and where it was made.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Latency, round};
use crate::ceiling;
use crate::compare::Comparison;
use crate::fault;
use crate::machine::Machine;
use crate::measured::Measured;
use crate::server_timing::{self, Breakdown};
use crate::session::Outcome;
use crate::slowest::SlowRequest;
use crate::trace::Tracing;

/// The same connections, called with nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Ceiling {
    pub(crate) what: String,
    /// Of the scenario's rate to the ceiling's.
    pub(crate) ratio: f64,
    pub(crate) rate: f64,
    pub(crate) ceiling_rate: f64,
}

/// Another target beside the entry's own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Compared {
    pub(crate) target: String,
    pub(crate) order: String,
    pub(crate) window_s: f64,
    /// Pairs of windows.
    pub(crate) pairs: usize,
    pub(crate) latency_ms: Latency,
    pub(crate) got: f64,
    pub(crate) errors: u64,
    pub(crate) ratios: Vec<Ratio>,
}

/// Other / own, with its 95 % interval.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Ratio {
    pub(crate) metric: String,
    pub(crate) a: f64,
    pub(crate) b: f64,
    pub(crate) ratio: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct FaultResult {
    pub(crate) began_s: f64,
    pub(crate) ended_s: f64,
    pub(crate) unanswered: u64,
    pub(crate) degraded: u64,
    /// From its end until two slices in a row were as good as before it; nothing when none were.
    pub(crate) recovered_after_s: Option<f64>,
    pub(crate) failed: Option<String>,
}

/// Something that happened at a time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Mark {
    pub(crate) at_s: f64,
    /// `generation`, `fault` or `recovered`.
    pub(crate) kind: String,
    pub(crate) what: String,
}

/// One of the slowest requests, with where its own time went.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Slow {
    pub(crate) trace_id: String,
    /// Whether it asked the servers to keep its trace.
    pub(crate) sampled: bool,
    pub(crate) at_s: f64,
    pub(crate) operation: String,
    pub(crate) latency_ms: f64,
    pub(crate) generator_lag_ms: f64,
    /// What no stage accounts for: both networks, both kernels and every queue.
    pub(crate) network_and_queue_ms: f64,
    /// As the server said; nothing when it did not.
    pub(crate) stages: Option<Vec<Stage>>,
    /// Each part of them alone, under its path; where the server told such.
    #[serde(default)]
    pub(crate) within: Vec<Stage>,
    pub(crate) error: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Stage {
    pub(crate) stage: String,
    pub(crate) ms: f64,
}

/// How to make it again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct RunInfo {
    pub(crate) at: String,
    pub(crate) command: String,
    pub(crate) version: String,
    pub(crate) seed: u64,
    pub(crate) arrival: String,
    pub(crate) warmup_s: f64,
    pub(crate) duration_s: f64,
    pub(crate) connections: usize,
    pub(crate) machine: Machine,
}

impl From<&ceiling::Ceiling> for Ceiling {
    fn from(ceiling: &ceiling::Ceiling) -> Self {
        Self {
            what: ceiling.what.to_owned(),
            ratio: round(ceiling.scenario / ceiling.empty),
            rate: round(ceiling.scenario),
            ceiling_rate: round(ceiling.empty),
        }
    }
}

impl From<&fault::Verdict> for FaultResult {
    fn from(fault: &fault::Verdict) -> Self {
        Self {
            began_s: seconds(fault.began),
            ended_s: seconds(fault.ended),
            unanswered: fault.unanswered,
            degraded: fault.degraded,
            recovered_after_s: fault.recovered_after.map(seconds),
            failed: fault.failed.clone(),
        }
    }
}

impl Compared {
    pub(crate) fn new(target: &str, window: Duration, comparison: &Comparison) -> Self {
        let measured = &comparison.b.measured;
        let ratio = |ratio: &crate::compare::Ratio| Ratio {
            metric: ratio.metric.to_owned(),
            a: round(ratio.a),
            b: round(ratio.b),
            ratio: round(ratio.ratio.middle),
            low: round(ratio.ratio.low),
            high: round(ratio.ratio.high),
        };
        Self {
            target: target.to_owned(),
            order: "ABBA".to_owned(),
            window_s: seconds(window),
            pairs: comparison.pairs,
            latency_ms: Latency::of(measured.latency()),
            got: round(measured.rate_got()),
            errors: measured.failed(),
            ratios: comparison.ratios.iter().map(ratio).collect(),
        }
    }
}

pub(super) fn marks(outcome: &Outcome) -> Vec<Mark> {
    let changes = outcome.measured.changes().iter().map(|change| Mark {
        at_s: seconds(change.at),
        kind: "generation".to_owned(),
        what: change.generation.clone(),
    });
    let mut marks: Vec<Mark> = changes.collect();
    if let Some(fault) = &outcome.fault {
        let mut mark = |kind: &str, at: Duration, what: &str| {
            marks.push(Mark {
                at_s: seconds(at),
                kind: kind.to_owned(),
                what: what.to_owned(),
            });
        };
        mark("fault", fault.began, "the fault begins");
        mark("fault", fault.ended, "the fault is over");
        if let Some(after) = fault.recovered_after {
            mark("recovered", fault.ended + after, "as good as before");
        }
    }
    marks.sort_by(|a, b| a.at_s.total_cmp(&b.at_s));
    marks
}

pub(super) fn slowest(measured: &Measured, tracing: Tracing) -> Vec<Slow> {
    let requests = measured.slowest().iter();
    requests.map(|request| slow(request, tracing)).collect()
}

fn slow(request: &SlowRequest, tracing: Tracing) -> Slow {
    let breakdown = Breakdown::of(&request.timing.stages());
    let stage = |stage: &server_timing::Stage| Stage {
        stage: stage.name.clone(),
        ms: millis(stage.took),
    };
    let stages: Vec<Stage> = breakdown.stages.iter().map(stage).collect();
    let outside = request
        .latency
        .saturating_sub(request.lag + breakdown.inside());
    Slow {
        trace_id: tracing.id(request.request),
        sampled: tracing.sampled(request.request),
        at_s: seconds(request.at),
        operation: request.operation.to_owned(),
        latency_ms: millis(request.latency),
        generator_lag_ms: millis(request.lag),
        network_and_queue_ms: millis(outside),
        stages: (!stages.is_empty()).then_some(stages),
        within: breakdown.within.iter().map(stage).collect(),
        error: request.error.clone(),
    }
}

fn seconds(period: Duration) -> f64 {
    round(period.as_secs_f64())
}

fn millis(period: Duration) -> f64 {
    round(period.as_secs_f64() * 1_000.0)
}

impl RunInfo {
    /// This machine, this command, now; what a run adds is empty.
    pub(crate) fn here() -> Self {
        Self {
            at: jiff::Timestamp::now().to_string(),
            command: command_line(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            seed: 0,
            arrival: String::new(),
            warmup_s: 0.0,
            duration_s: 0.0,
            connections: 0,
            machine: Machine::this(),
        }
    }
}

/// The command as it can be typed again, without the path of the binary.
fn command_line() -> String {
    let arguments = std::env::args_os().skip(1).map(|argument| {
        let text = argument.to_string_lossy().into_owned();
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%".contains(c);
        if !text.is_empty() && text.chars().all(plain) {
            return text;
        }
        format!("'{}'", text.replace('\'', r"'\''"))
    });
    let words = std::iter::once("cartwright-loadtest".to_owned()).chain(arguments);
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server_timing::ServerTiming;

    fn request(header: &'static str) -> SlowRequest {
        let ms = Duration::from_millis;
        let mut response = tonic::Response::new(());
        let metadata = response.metadata_mut();
        metadata.insert("server-timing", header.parse().unwrap());
        SlowRequest {
            request: 4,
            operation: "Decide",
            at: ms(1_500),
            latency: ms(20),
            lag: ms(2),
            timing: ServerTiming::of(&response),
            error: None,
        }
    }

    #[test]
    fn the_time_of_a_slow_request_adds_up() {
        let tracing = Tracing::of("run", 0.0);
        let named = |slow: &Slow| -> Vec<(String, f64)> {
            let stages = slow.stages.clone().unwrap_or_default();
            stages.into_iter().map(|s| (s.stage, s.ms)).collect()
        };
        let open = slow(&request("features;dur=5, rank;dur=3"), tracing);
        assert_eq!(
            named(&open),
            [("features".to_owned(), 5.0), ("rank".to_owned(), 3.0)]
        );
        assert!((open.network_and_queue_ms - 10.0).abs() < 1e-9);
        assert_eq!(open.trace_id, tracing.id(4));
        let whole = slow(&request("features;dur=5, total;dur=12"), tracing);
        assert_eq!(
            named(&whole),
            [("features".to_owned(), 5.0), ("other".to_owned(), 7.0)]
        );
        assert!((whole.network_and_queue_ms - 6.0).abs() < 1e-9);
        let silent = slow(&request(""), tracing);
        assert_eq!(silent.stages, None);
        assert!((silent.network_and_queue_ms - 18.0).abs() < 1e-9);
    }
}
