//! What a metric is, said once.

use std::marker::PhantomData;

use super::instrument::{Counter, Gauge, Histogram};
use super::registry::Info;

/// Bounds of latencies in seconds. A decision takes single milliseconds, so most lie below.
pub static LATENCY: [f64; 19] = [
    0.000_05, 0.000_1, 0.000_2, 0.000_35, 0.000_5, 0.000_75, 0.001, 0.001_5, 0.002, 0.003, 0.005,
    0.007_5, 0.01, 0.015, 0.025, 0.05, 0.1, 0.5, 2.5,
];

/// Bounds of ages in seconds: from a millisecond to the day after which events are refused.
pub static AGES: [f64; 16] = [
    0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 1_800.0, 3_600.0, 21_600.0,
    43_200.0, 86_400.0,
];

/// Bounds of small counts.
pub static COUNTS: [f64; 12] = [
    0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1_024.0,
];

/// The names of an enum's values, for a [`Label`]: it has `ALL` and a constant `as_str`.
#[macro_export]
macro_rules! names {
    ($values:ty) => {{
        const NAMES: [&str; <$values>::ALL.len()] = {
            let mut names = [""; <$values>::ALL.len()];
            let mut at = 0;
            while at < names.len() {
                names[at] = <$values>::ALL[at].as_str();
                at += 1;
            }
            names
        };
        &NAMES
    }};
}

/// What a metric's numbers mean.
#[derive(Copy, Clone, Debug, PartialEq)]
pub enum Kind {
    /// Only grows, from 0 at the start of the process. Its name ends in `_total`.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts observations in buckets; the upper bounds are in the metric's unit.
    Histogram(&'static [f64]),
    /// Always 1; what is said stands in the labels. Its name ends in `_info`.
    Info,
}

impl Kind {
    /// The word for people.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram(_) => "histogram",
            Self::Info => "info",
        }
    }
}

/// What a metric's numbers are numbers of.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Whatever the noun names.
    Count,
    /// Seconds.
    Seconds,
    /// Bytes.
    Bytes,
}

impl Unit {
    /// The word in names, empty for counts.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Count => "",
            Self::Seconds => "seconds",
            Self::Bytes => "bytes",
        }
    }
}

/// Which values a label takes.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Values {
    /// These and no other.
    Closed(&'static [&'static str]),
    /// Known when the role starts, or few at a time; the text says which and why they are few.
    Bounded(&'static str),
}

/// One label of a metric.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// Its name.
    pub name: &'static str,
    /// Its values.
    pub values: Values,
}

impl Label {
    /// A label with these values.
    #[must_use]
    pub const fn closed(name: &'static str, values: &'static [&'static str]) -> Self {
        Self {
            name,
            values: Values::Closed(values),
        }
    }

    /// A label whose values are few for the reason given.
    #[must_use]
    pub const fn bounded(name: &'static str, why: &'static str) -> Self {
        Self {
            name,
            values: Values::Bounded(why),
        }
    }
}

/// A metric as it is declared: its name without role and ending, and what it means.
#[derive(Copy, Clone, Debug, PartialEq)]
pub struct Declaration {
    /// What is counted: `requests`, `stage_duration`.
    pub noun: &'static str,
    /// What its numbers mean.
    pub kind: Kind,
    /// What they are numbers of.
    pub unit: Unit,
    /// In the order in which values are given.
    pub labels: &'static [Label],
    /// One sentence.
    pub help: &'static str,
    /// Series of a first label's value are exposed once one of them has counted something.
    pub when_counted: bool,
}

impl Declaration {
    /// The name under which `role` exposes it.
    #[must_use]
    pub fn name(&self, role: &str) -> String {
        let mut name = format!("cartwright_{role}_{}", self.noun);
        let ending = match self.kind {
            Kind::Counter => "total",
            Kind::Info => "info",
            Kind::Gauge | Kind::Histogram(_) => "",
        };
        for part in [self.unit.as_str(), ending] {
            if !part.is_empty() {
                name.push('_');
                name.push_str(part);
            }
        }
        name
    }
}

/// A declaration that knows by what it is counted.
#[derive(Debug)]
pub struct Declared<M> {
    /// What was declared.
    pub declaration: Declaration,
    counted_by: PhantomData<fn() -> M>,
}

impl<M> Declared<M> {
    const fn new(noun: &'static str, kind: Kind, unit: Unit, help: &'static str) -> Self {
        let labels = &[];
        let when_counted = false;
        Self {
            declaration: Declaration {
                noun,
                kind,
                unit,
                labels,
                help,
                when_counted,
            },
            counted_by: PhantomData,
        }
    }

    /// With these labels.
    #[must_use]
    pub const fn labels(mut self, labels: &'static [Label]) -> Self {
        self.declaration.labels = labels;
        self
    }

    /// In this unit; the default is a count of what the noun names.
    #[must_use]
    pub const fn unit(mut self, unit: Unit) -> Self {
        self.declaration.unit = unit;
        self
    }

    /// For many combinations of which few are used: a value of the first label is exposed, with
    /// all of the others, once one of its series has counted something.
    #[must_use]
    pub const fn when_counted(mut self) -> Self {
        self.declaration.when_counted = true;
        self
    }
}

impl Declared<Counter> {
    /// A counter, of what the noun names.
    #[must_use]
    pub const fn counter(noun: &'static str, help: &'static str) -> Self {
        Self::new(noun, Kind::Counter, Unit::Count, help)
    }
}

impl Declared<Gauge> {
    /// A gauge.
    #[must_use]
    pub const fn gauge(noun: &'static str, help: &'static str) -> Self {
        Self::new(noun, Kind::Gauge, Unit::Count, help)
    }
}

impl Declared<Histogram> {
    /// A histogram of times, with buckets below a millisecond.
    #[must_use]
    pub const fn latency(noun: &'static str, help: &'static str) -> Self {
        Self::new(noun, Kind::Histogram(&LATENCY), Unit::Seconds, help)
    }

    /// A histogram of times up to a day.
    #[must_use]
    pub const fn ages(noun: &'static str, help: &'static str) -> Self {
        Self::new(noun, Kind::Histogram(&AGES), Unit::Seconds, help)
    }

    /// A histogram of small counts.
    #[must_use]
    pub const fn counts(noun: &'static str, help: &'static str) -> Self {
        Self::new(noun, Kind::Histogram(&COUNTS), Unit::Count, help)
    }
}

impl Declared<Info> {
    /// An info metric: what it says stands in its labels.
    #[must_use]
    pub const fn info(noun: &'static str, help: &'static str) -> Self {
        Self::new(noun, Kind::Info, Unit::Count, help)
    }
}

/// Declarations that belong together, under one heading of the reference.
#[derive(Copy, Clone, Debug)]
pub struct Group {
    /// The heading.
    pub title: &'static str,
    /// What to know before reading the table; may be empty.
    pub about: &'static str,
    /// In the order of the reference.
    pub metrics: &'static [&'static Declaration],
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_carry_role_unit_and_ending() {
        let counter = Declared::counter("requests", "").declaration;
        assert_eq!(counter.name("toy"), "cartwright_toy_requests_total");
        let busy = Declared::counter("busy", "").unit(Unit::Seconds);
        assert_eq!(
            busy.declaration.name("toy"),
            "cartwright_toy_busy_seconds_total"
        );
        let latency = Declared::latency("stage_duration", "").declaration;
        assert_eq!(latency.name("toy"), "cartwright_toy_stage_duration_seconds");
        let build = Declared::info("build", "").declaration;
        assert_eq!(build.name("toy"), "cartwright_toy_build_info");
    }

    #[test]
    fn bounds_grow() {
        for bounds in [&LATENCY[..], &AGES, &COUNTS] {
            assert!(bounds.windows(2).all(|pair| pair[0] < pair[1]));
        }
    }
}
