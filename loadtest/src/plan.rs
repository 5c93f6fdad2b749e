//! Scenarios as they are asked for: by name, or as a TOML file.

use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use serde::Deserialize;
use toml::Spanned;

use crate::period;
use crate::scenario::Kind;
use crate::schedule::Arrival;
use crate::slo::Slo;
use crate::targets::Role;

/// What to send, and what its file says of how.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Plan {
    pub(crate) name: String,
    pub(crate) mix: Vec<Share>,
    /// Goes before the command line's, as do the others below.
    pub(crate) rate: Option<f64>,
    pub(crate) duration: Option<Duration>,
    pub(crate) warmup: Option<Duration>,
    pub(crate) arrival: Option<Arrival>,
    pub(crate) timeout: Option<Duration>,
    /// Judged besides the command line's.
    pub(crate) slo: Vec<Slo>,
    /// Whether the command of `--fault-cmd` is run meanwhile.
    pub(crate) fault: bool,
}

/// An operation and its part of the requests.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Share {
    pub(crate) kind: Kind,
    pub(crate) weight: f64,
    pub(crate) k: Option<u32>,
    pub(crate) entities: Option<u32>,
    pub(crate) batch: Option<u32>,
}

/// The built-in mix is a file like any other.
const MIXED: &str = include_str!("../scenarios/mixed.toml");
const RATES: std::ops::RangeInclusive<f64> = 0.1..=1_000_000.0;

/// A scenario, perhaps with a rate of its own.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Chosen {
    pub(crate) plan: Arc<Plan>,
    pub(crate) rate: Option<f64>,
}

impl FromStr for Chosen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, rate) = match text.rsplit_once('@') {
            Some((name, rate)) => (name, Some(parse_rate(rate)?)),
            None => (text, None),
        };
        let plan = if Path::new(name).extension().is_some_and(|e| e == "toml") {
            Plan::read(Path::new(name)).map_err(|e| format!("{e:#}"))?
        } else {
            Plan::named(name)?
        };
        let rate = rate.or(plan.rate);
        Ok(Self {
            plan: Arc::new(plan),
            rate,
        })
    }
}

/// Reads requests a second.
pub(crate) fn parse_rate(text: &str) -> Result<f64, String> {
    let rate = text.parse().ok().filter(|rate| RATES.contains(rate));
    rate.ok_or_else(|| format!("rate is {text:?}, 0.1 to 1000000 requests a second are allowed"))
}

impl Plan {
    /// A built-in scenario.
    pub(crate) fn named(name: &str) -> Result<Self, String> {
        match name {
            "mixed" => Self::parse(MIXED),
            "fault" => Ok(Self {
                name: "fault".to_owned(),
                fault: true,
                ..Self::of(Kind::Decide { commit: false })
            }),
            _ => name.parse().map(Self::of).map_err(|_| {
                format!(
                    "scenario is {name:?}, allowed are {}, mixed, fault and a .toml file, each \
                     with an own rate if wanted: decide@1500",
                    Kind::NAMES.join(", ")
                )
            }),
        }
    }

    fn of(kind: Kind) -> Self {
        Self {
            name: kind.to_string(),
            mix: vec![Share {
                kind,
                weight: 1.0,
                k: None,
                entities: None,
                batch: None,
            }],
            rate: None,
            duration: None,
            warmup: None,
            arrival: None,
            timeout: None,
            slo: Vec::new(),
            fault: false,
        }
    }

    fn read(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path);
        let text = text.with_context(|| format!("read {}", path.display()))?;
        Self::parse(&text)
            .map_err(anyhow::Error::msg)
            .with_context(|| path.display().to_string())
    }

    fn parse(text: &str) -> Result<Self, String> {
        let file: File = toml::from_str(text).map_err(|e| e.to_string())?;
        file.checked(text)
    }

    /// `--commit` turns PREVIEW into COMMIT; the name of a single operation follows.
    pub(crate) fn committed(&self) -> Self {
        let commit = Kind::Decide { commit: true };
        let mut plan = self.clone();
        for share in &mut plan.mix {
            if share.kind == (Kind::Decide { commit: false }) {
                share.kind = commit;
            }
        }
        if plan.name == "decide" {
            plan.name = commit.to_string();
        }
        plan
    }

    /// Servers that the scenario talks to; the first is the one that is measured.
    pub(crate) fn needs(&self) -> Vec<Role> {
        let mut roles = Vec::new();
        for role in self.mix.iter().flat_map(|share| share.kind.needs()) {
            if !roles.contains(role) {
                roles.push(*role);
            }
        }
        roles
    }

    /// Whether the shoppers have to be in the store before it starts.
    pub(crate) fn needs_population(&self) -> bool {
        self.mix.iter().any(|share| share.kind.needs_population())
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: Spanned<String>,
    rate: Option<Spanned<f64>>,
    duration: Option<Spanned<String>>,
    warmup: Option<Spanned<String>>,
    arrival: Option<Spanned<String>>,
    timeout: Option<Spanned<String>>,
    #[serde(default)]
    slo: Vec<Spanned<String>>,
    #[serde(default)]
    fault: bool,
    mix: Vec<Spanned<Line>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    operation: Spanned<String>,
    weight: Option<Spanned<f64>>,
    k: Option<Spanned<u32>>,
    entities: Option<Spanned<u32>>,
    batch: Option<Spanned<u32>>,
}

/// Says where in the file something is wrong.
#[derive(Clone, Copy)]
struct Places<'a>(&'a str);

impl Places<'_> {
    fn wrong<T>(self, key: &str, at: &Spanned<T>, why: impl std::fmt::Display) -> String {
        let before = self.0.get(..at.span().start).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        format!("line {line}, {key}: {why}")
    }

    fn read<T, E: std::fmt::Display>(
        self,
        key: &str,
        text: Option<&Spanned<String>>,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Result<Option<T>, String> {
        let read = text.map(|text| {
            let parsed = parse(text.get_ref());
            parsed.map_err(|error| self.wrong(key, text, error))
        });
        read.transpose()
    }

    fn within(
        self,
        key: &str,
        value: Option<&Spanned<u32>>,
        most: u32,
    ) -> Result<Option<u32>, String> {
        let Some(value) = value else { return Ok(None) };
        if (1..=most).contains(value.get_ref()) {
            return Ok(Some(*value.get_ref()));
        }
        let got = value.get_ref();
        Err(self.wrong(
            key,
            value,
            format!("{got} is given, 1 to {most} are allowed"),
        ))
    }
}

impl File {
    fn checked(&self, text: &str) -> Result<Plan, String> {
        let places = Places(text);
        let name = self.name.get_ref();
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if name.is_empty() || !name.chars().all(plain) {
            let why = format!("{name:?} is given, letters, digits, - _ and . are allowed");
            return Err(places.wrong("name", &self.name, why));
        }
        if self.mix.is_empty() {
            return Err("mix: at least one operation is needed".to_owned());
        }
        let rate = match &self.rate {
            Some(rate) if !RATES.contains(rate.get_ref()) => {
                let why = parse_rate(&rate.get_ref().to_string()).err();
                return Err(places.wrong("rate", rate, why.unwrap_or_default()));
            }
            rate => rate.as_ref().map(|rate| *rate.get_ref()),
        };
        let slo = self.slo.iter().map(|slo| {
            let parsed = places.read("slo", Some(slo), str::parse);
            parsed.map(|slo| slo.into_iter())
        });
        let slo: Vec<_> = slo.collect::<Result<_, _>>()?;
        let mix = self.mix.iter().map(|line| line.get_ref().checked(places));
        Ok(Plan {
            name: name.clone(),
            mix: mix.collect::<Result<_, _>>()?,
            rate,
            duration: places.read("duration", self.duration.as_ref(), period::positive)?,
            warmup: places.read("warmup", self.warmup.as_ref(), period::parse)?,
            arrival: places.read("arrival", self.arrival.as_ref(), str::parse)?,
            timeout: places.read("timeout", self.timeout.as_ref(), period::positive)?,
            slo: slo.into_iter().flatten().collect(),
            fault: self.fault,
        })
    }
}

impl Line {
    fn checked(&self, places: Places<'_>) -> Result<Share, String> {
        let kind = places.read("mix.operation", Some(&self.operation), str::parse)?;
        let weight = match &self.weight {
            Some(weight) if !(weight.get_ref().is_finite() && *weight.get_ref() > 0.0) => {
                let why = format!("{} is given, a number above 0 is needed", weight.get_ref());
                return Err(places.wrong("mix.weight", weight, why));
            }
            weight => weight.as_ref().map_or(1.0, |weight| *weight.get_ref()),
        };
        Ok(Share {
            kind: kind.ok_or("mix.operation is needed")?,
            weight,
            k: places.within("mix.k", self.k.as_ref(), 1_000)?,
            entities: places.within("mix.entities", self.entities.as_ref(), 256)?,
            batch: places.within("mix.batch", self.batch.as_ref(), 1_000)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shipped_scenario_is_understood() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
        let mut read = 0;
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let plan = Plan::read(&path).unwrap();
            assert_eq!(path.file_stem().unwrap(), plan.name.as_str());
            read += 1;
        }
        assert!(read >= 3, "{read}");
    }

    #[test]
    fn a_file_says_what_and_how() {
        let text = include_str!("../scenarios/storefront.toml");
        let plan = Plan::parse(text).unwrap();
        assert_eq!(plan.rate, Some(500.0));
        assert_eq!(plan.duration, Some(Duration::from_secs(20)));
        assert_eq!(plan.slo.len(), 4);
        assert_eq!(plan.mix.len(), 5);
        assert_eq!(plan.mix[2].k, Some(50));
        assert_eq!(plan.needs().len(), 3);
        assert!(plan.needs_population());
    }

    #[test]
    fn the_mix_of_a_day_is_that_of_the_real_log() {
        let plan = Plan::named("mixed").unwrap();
        let weights: Vec<_> = plan.mix.iter().map(|share| share.weight).collect();
        assert_eq!(weights, [17_434.0, 111.0]);
    }

    #[test]
    fn commit_changes_every_decision_and_the_name_of_a_single_one() {
        let commit = Kind::Decide { commit: true };
        let plan = Plan::named("decide").unwrap().committed();
        assert_eq!(
            (plan.name.as_str(), plan.mix[0].kind),
            ("decide-commit", commit)
        );
        let plan = Plan::named("mixed").unwrap().committed();
        assert_eq!((plan.name.as_str(), plan.mix[1].kind), ("mixed", commit));
        let plan = Plan::named("features").unwrap();
        assert_eq!(plan.committed(), plan);
    }

    #[test]
    fn mistakes_name_the_line_and_the_key() {
        let mix = "[[mix]]\noperation = \"decide\"\n";
        let file = |head: &str, tail: &str| format!("name = \"x\"\n{head}\n{mix}{tail}");
        for (text, needed) in [
            (file("rate = 0", ""), "line 2, rate: rate is \"0\", 0.1 to"),
            (
                file("arrival = \"burst\"", ""),
                "line 2, arrival: arrival is \"burst\"",
            ),
            (file("slo = [\"p99\"]", ""), "line 2, slo: slo is \"p99\""),
            (
                file("duration = \"fast\"", ""),
                "line 2, duration: duration is",
            ),
            (file("", "weight = -1"), "line 5, mix.weight: -1 is given"),
            (file("", "k = 0"), "line 5, mix.k: 0 is given, 1 to 1000"),
            (
                file("", "[[mix]]\noperation = \"swap\""),
                "line 6, mix.operation: operation is",
            ),
            (file("speed = 1", ""), "unknown field `speed`"),
            (file("rate = \"fast\"", ""), "line 2"),
            (
                "name = \"a b\"\nmix = []".to_owned(),
                "line 1, name: \"a b\" is given",
            ),
            (
                "name = \"x\"\nmix = []".to_owned(),
                "at least one operation",
            ),
            ("name = \"x\"".to_owned(), "missing field `mix`"),
        ] {
            let error = Plan::parse(&text).unwrap_err();
            assert!(error.contains(needed), "{text}\n{error}");
        }
    }
}
