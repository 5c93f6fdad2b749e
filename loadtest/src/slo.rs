//! Objectives as expressions: `p99<10ms`, `errors<0.01%`, `degraded<1%`, `rate>1500`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::measured::Measured;
use crate::period;

/// An objective, kept as it was written.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Slo {
    text: String,
    metric: Metric,
    comparison: Comparison,
    /// Milliseconds, a share, or requests a second, by the metric.
    bound: f64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Metric {
    /// Of the latency; in percent.
    Percentile(f64),
    Mean,
    Max,
    /// p99 of the generator's own lag.
    Lag,
    Errors,
    Degraded,
    Rate,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    Below,
    AtMost,
    Above,
    AtLeast,
}

/// Why an expression is none.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Mistake {
    #[error("slo is {0:?}, a comparison is needed: <, <=, > or >=, such as p99<10ms")]
    Comparison(String),
    #[error(
        "slo {expression:?} names {name:?}, allowed are p50 to p99.999, mean, max, lag, errors, degraded and rate"
    )]
    Metric { expression: String, name: String },
    #[error("slo {expression:?} has the bound {bound:?}, {needed} is needed")]
    Bound {
        expression: String,
        bound: String,
        needed: &'static str,
    },
}

impl FromStr for Slo {
    type Err = Mistake;

    fn from_str(text: &str) -> Result<Self, Mistake> {
        let (name, comparison, bound) =
            split(text).ok_or_else(|| Mistake::Comparison(text.to_owned()))?;
        let metric = Metric::named(name).ok_or_else(|| Mistake::Metric {
            expression: text.to_owned(),
            name: name.to_owned(),
        })?;
        let value = metric.bound(bound).ok_or_else(|| Mistake::Bound {
            expression: text.to_owned(),
            bound: bound.to_owned(),
            needed: metric.needs(),
        })?;
        Ok(Self {
            text: text.to_owned(),
            metric,
            comparison,
            bound: value,
        })
    }
}

impl fmt::Display for Slo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn split(text: &str) -> Option<(&str, Comparison, &str)> {
    let at = text.find(['<', '>'])?;
    let (name, rest) = text.split_at(at);
    let comparisons = [
        ("<=", Comparison::AtMost),
        (">=", Comparison::AtLeast),
        ("<", Comparison::Below),
        (">", Comparison::Above),
    ];
    let found = comparisons
        .into_iter()
        .find_map(|(sign, comparison)| Some((comparison, rest.strip_prefix(sign)?)));
    found.map(|(comparison, bound)| (name.trim(), comparison, bound.trim()))
}

impl Metric {
    fn named(name: &str) -> Option<Self> {
        if let Some(percent) = name.strip_prefix('p') {
            let percent: f64 = percent.parse().ok()?;
            return (percent > 0.0 && percent < 100.0).then_some(Self::Percentile(percent));
        }
        match name {
            "mean" => Some(Self::Mean),
            "max" => Some(Self::Max),
            "lag" => Some(Self::Lag),
            "errors" => Some(Self::Errors),
            "degraded" => Some(Self::Degraded),
            "rate" => Some(Self::Rate),
            _ => None,
        }
    }

    fn needs(self) -> &'static str {
        match self {
            Self::Percentile(_) | Self::Mean | Self::Max | Self::Lag => {
                "a duration such as 10ms or 250us"
            }
            Self::Errors | Self::Degraded => "a share from 0% to 100%, such as 0.01%",
            Self::Rate => "requests a second, such as 1500",
        }
    }

    fn bound(self, text: &str) -> Option<f64> {
        match self {
            Self::Percentile(_) | Self::Mean | Self::Max | Self::Lag => {
                period::with_unit(text).ok().map(millis)
            }
            Self::Errors | Self::Degraded => {
                let percent: f64 = text.strip_suffix('%')?.trim().parse().ok()?;
                (0.0..=100.0).contains(&percent).then_some(percent / 100.0)
            }
            Self::Rate => text
                .parse()
                .ok()
                .filter(|r: &f64| r.is_finite() && *r >= 0.0),
        }
    }

    /// What was measured; nothing where there is nothing to judge.
    fn of(self, measured: &Measured) -> Option<f64> {
        let latency = measured.latency();
        let answered = !latency.is_empty();
        match self {
            Self::Percentile(percent) => answered.then(|| latency.percentile_ms(percent)),
            Self::Mean => answered.then(|| latency.mean_ms()),
            Self::Max => answered.then(|| latency.max_ms()),
            Self::Lag => (!measured.lag().is_empty()).then(|| measured.lag().percentile_ms(99.0)),
            Self::Errors => measured.error_share(),
            Self::Degraded => measured.degraded_share(),
            Self::Rate => Some(measured.rate_got()),
        }
    }
}

fn millis(period: Duration) -> f64 {
    period.as_secs_f64() * 1_000.0
}

impl Slo {
    /// Whether the objective holds. What was not measured does not hold.
    pub(crate) fn holds(&self, measured: &Measured) -> bool {
        self.metric
            .of(measured)
            .is_some_and(|got| match self.comparison {
                Comparison::Below => got < self.bound,
                Comparison::AtMost => got <= self.bound,
                Comparison::Above => got > self.bound,
                Comparison::AtLeast => got >= self.bound,
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measured::{Answer, Failure, Timing};

    /// A hundred requests of 1 to 100 ms in one second; the last fails, the first two are degraded.
    fn measured() -> Measured {
        let mut measured = Measured::new(Duration::ZERO, Duration::from_secs(1), 100.0);
        for index in 1..=100_u64 {
            let intended = Duration::from_millis(index * 5);
            let answer = Answer {
                operation: "test",
                failure: (index == 100).then(|| Failure::wrong("k", "9 of 10")),
                degraded: index <= 2,
                generation: String::new(),
                timing: crate::server_timing::ServerTiming::Unsaid,
            };
            let timing = Timing {
                request: index,
                intended,
                sent: intended,
                done: intended + Duration::from_millis(index),
            };
            measured.record(&timing, answer);
        }
        measured
    }

    #[test]
    fn verdicts_follow_what_was_measured() {
        let measured = measured();
        for (expression, expected) in [
            ("p50<51ms", true),
            ("p50<50ms", false),
            ("p50 <= 0.0502s", true),
            ("p99<99ms", false),
            ("p99<100ms", true),
            ("p99.9<100ms", false),
            ("max<=101ms", true),
            ("mean<51ms", true),
            ("lag<1ms", true),
            ("errors<1%", false),
            ("errors<=1%", true),
            ("errors<1.01%", true),
            ("degraded<2%", false),
            ("degraded<=2%", true),
            ("rate>98", true),
            ("rate>=100", false),
        ] {
            let slo: Slo = expression.parse().unwrap();
            assert_eq!(slo.holds(&measured), expected, "{expression}");
        }
    }

    #[test]
    fn what_was_not_measured_does_not_hold() {
        let nothing = Measured::new(Duration::ZERO, Duration::from_secs(1), 100.0);
        for expression in ["p99<10ms", "errors<1%", "degraded<1%", "max<1s"] {
            assert!(
                !expression.parse::<Slo>().unwrap().holds(&nothing),
                "{expression}"
            );
        }
    }

    #[test]
    fn mistakes_say_what_is_needed() {
        for (expression, needed) in [
            ("p99", "a comparison is needed"),
            ("p99=10ms", "a comparison is needed"),
            ("p100<10ms", "allowed are p50 to p99.999"),
            ("latency<10ms", "names \"latency\""),
            ("p99<10", "a duration such as 10ms"),
            ("p99<fast", "a duration such as 10ms"),
            ("errors<0.01", "a share from 0% to 100%"),
            ("errors<101%", "a share from 0% to 100%"),
            ("rate>fast", "requests a second"),
            ("p99<", "has the bound \"\""),
        ] {
            let mistake = expression.parse::<Slo>().unwrap_err().to_string();
            assert!(mistake.contains(needed), "{expression}: {mistake}");
        }
    }
}
