//! Config mistakes as people read them: where, which key, what was given, what is allowed.

use std::fmt::{self, Display};
use std::path::PathBuf;

use super::fault::{Fault, Kind};
use super::node::Node;

/// The layer that a setting came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    Default,
    File(PathBuf),
    Environment(String),
    Flag,
}

impl Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::Flag => f.write_str("flag"),
        }
    }
}

/// One thing that is wrong with the settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The key, with dots; empty when a whole file is at fault.
    pub key: String,
    /// What was given, as written; absent for secrets and unknown keys.
    pub value: Option<String>,
    /// What is wrong, and what is allowed.
    pub problem: String,
    pub(super) origin: Origin,
}

impl Mistake {
    pub(super) fn whole(origin: Origin, problem: String) -> Self {
        Self {
            key: String::new(),
            value: None,
            problem,
            origin,
        }
    }

    pub(super) fn of(fault: Fault, origin: Origin, given: Option<&Node>) -> Self {
        let key = fault.path.join(".");
        let value = given.filter(|_| !fault.secret).map(Node::shown);
        let (value, problem) = match fault.kind {
            Kind::Unknown { known } => (None, unknown(fault.path.last(), &known)),
            Kind::NotAllowed { allowed } => (value, format!("allowed: {allowed}")),
            Kind::Refused { why } => (value, why),
            Kind::Missing => (None, "is missing".to_owned()),
        };
        Self {
            key,
            value,
            problem,
            origin,
        }
    }
}

fn unknown(key: Option<&String>, known: &[String]) -> String {
    let key = key.map_or("", String::as_str);
    let mut near: Vec<(f64, &String)> = known
        .iter()
        .map(|known| (strsim::jaro_winkler(key, known), known))
        .filter(|(likeness, _)| *likeness > 0.8)
        .collect();
    near.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(b.1)));
    match near.first() {
        Some((_, best)) => format!("is not a setting; did you mean {best}?"),
        None => format!("is not a setting; allowed: {}", known.join(", ")),
    }
}

impl Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.origin)?;
        match &self.value {
            Some(value) => write!(f, "{} = {value}: {}", self.key, self.problem),
            None if self.key.is_empty() => f.write_str(&self.problem),
            None => write!(f, "{} {}", self.key, self.problem),
        }
    }
}

/// Everything that is wrong with the settings, one line each. The process ends with
/// [`EXIT_USAGE`](super::EXIT_USAGE).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistakes(pub Vec<Mistake>);

impl Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&lines.join("\n"))
    }
}

impl std::error::Error for Mistakes {}

/// Collects what [`Settings::check`](super::Settings::check) finds.
#[derive(Debug, Default)]
pub struct Report(pub(super) Vec<Mistake>);

impl Report {
    /// Records that `key` has a `value` that is not among what is `allowed`.
    pub fn add(&mut self, key: &str, value: impl Display, allowed: &str) {
        self.0.push(Mistake {
            key: key.to_owned(),
            value: Some(value.to_string()),
            problem: format!("allowed: {allowed}"),
            origin: Origin::Default,
        });
    }

    /// Checks a table of settings: what it records, it records under `section`.
    pub fn within(&mut self, section: &str, check: impl FnOnce(&mut Self)) {
        let mut inner = Self::default();
        check(&mut inner);
        self.0.extend(inner.0.into_iter().map(|mut mistake| {
            mistake.key = format!("{section}.{}", mistake.key);
            mistake
        }));
    }
}
