//! Settings in layers: defaults, then a TOML file, then the environment, then flags.
//!
//! The settings of a role are a serde type with defaults for everything. Each layer names single
//! keys (`addr`, `security.insecure`); later layers win. All mistakes are found in one run: a key
//! that cannot be read is reported and set aside, and the rest is read again without it.
//!
//! Environment: `CARTWRIGHT_<ROLE>_<KEY>` for one role, `CARTWRIGHT_<KEY>` for every role that has
//! the key; a dot in a key is written `_` too (`CARTWRIGHT_FEATURES_SECURITY_INSECURE=true`).

mod fault;
mod mistake;
mod node;
mod period;
mod secret;
pub mod socket;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

pub use mistake::{Mistake, Mistakes, Report};
pub use period::Period;
pub use secret::Secret;

use mistake::Origin;
use node::Node;

/// Exit code of a process whose usage or config is wrong (`EX_USAGE`).
pub const EXIT_USAGE: u8 = 64;

const PREFIX: &str = "CARTWRIGHT_";

/// The settings of a role: a serde type with `#[serde(default, deny_unknown_fields)]`.
pub trait Settings: DeserializeOwned {
    /// Checks what a type cannot: ranges, and settings that depend on each other.
    fn check(&self, _report: &mut Report) {}
}

/// Where settings come from, besides their defaults.
#[derive(Clone, Debug, Default)]
pub struct Layers {
    /// `features`, `candidates`, `recovery` or `all`: selects `CARTWRIGHT_<ROLE>_…`.
    pub role: String,
    /// A TOML file. One that cannot be read is a mistake.
    pub file: Option<PathBuf>,
    /// The process's environment, as [`environment`] gives it.
    pub environment: Vec<(String, String)>,
    /// Keys given on the command line, as (`security.insecure`, `true`).
    pub flags: Vec<(String, String)>,
}

/// The variables of this process that may hold settings.
#[must_use]
pub fn environment() -> Vec<(String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(name, _)| name.starts_with(PREFIX))
        .collect()
}

/// Reads settings from all layers.
///
/// # Errors
/// Every mistake of every layer, in the order of their keys.
pub fn load<T: Settings>(layers: &Layers) -> Result<T, Mistakes> {
    let mut merged = Merged::default();
    if let Some(path) = &layers.file {
        merged.add_file(path);
    }
    merged.add_environment::<T>(&layers.role, &layers.environment);
    for (key, value) in &layers.flags {
        merged.set(&split(key), Node::text(value), &Origin::Flag);
    }
    merged.read()
}

/// The settings in force, as TOML that could be a config file; secrets are masked.
///
/// # Errors
/// When a setting has no TOML form.
pub fn dump<T: Serialize>(settings: &T) -> Result<String, toml::ser::Error> {
    toml::to_string(settings)
}

fn split(key: &str) -> Vec<String> {
    key.split('.').map(str::to_owned).collect()
}

#[derive(Default)]
struct Merged {
    root: BTreeMap<String, Node>,
    origins: BTreeMap<Vec<String>, Origin>,
    mistakes: Vec<Mistake>,
}

impl Merged {
    fn add_file(&mut self, path: &Path) {
        let origin = Origin::File(path.to_owned());
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) => {
                let problem = format!("cannot be read: {error}");
                return self.mistakes.push(Mistake::whole(origin, problem));
            }
        };
        match text.parse::<toml::Table>() {
            Ok(table) => self.add_table(&mut Vec::new(), table, &origin),
            Err(error) => {
                let line = error
                    .span()
                    .and_then(|span| text.get(..span.start))
                    .map_or(1, |before| before.matches('\n').count() + 1);
                let problem = format!("line {line}: {}", error.message().trim());
                self.mistakes.push(Mistake::whole(origin, problem));
            }
        }
    }

    fn add_table(&mut self, path: &mut Vec<String>, table: toml::Table, origin: &Origin) {
        for (key, value) in table {
            path.push(key);
            if let toml::Value::Table(inner) = value {
                self.add_table(path, inner, origin);
            } else {
                self.set(path, Node::from(value), origin);
            }
            path.pop();
        }
    }

    /// First what all roles share, then this role's own, which wins.
    fn add_environment<T: DeserializeOwned>(
        &mut self,
        role: &str,
        environment: &[(String, String)],
    ) {
        let own = format!("{PREFIX}{}_", role.to_uppercase());
        for (name, value) in environment
            .iter()
            .filter(|(name, _)| !name.starts_with(&own))
        {
            // Unknown here may be known to another role.
            if let Some(path) = name.strip_prefix(PREFIX).and_then(known_path::<T>) {
                self.set(&path, Node::text(value), &Origin::Environment(name.clone()));
            }
        }
        for (name, value) in environment {
            if let Some(key) = name.strip_prefix(&own) {
                let path = known_path::<T>(key).unwrap_or_else(|| vec![key.to_lowercase()]);
                self.set(&path, Node::text(value), &Origin::Environment(name.clone()));
            }
        }
    }

    fn set(&mut self, path: &[String], value: Node, origin: &Origin) {
        node::set(&mut self.root, path, value);
        self.origins.insert(path.to_vec(), origin.clone());
    }

    /// Reads, sets aside what is wrong, and reads again until nothing is.
    fn read<T: Settings>(mut self) -> Result<T, Mistakes> {
        loop {
            match T::deserialize(Node::Table(self.root.clone())) {
                Ok(settings) => return self.finish(settings),
                Err(fault) => {
                    let removed = node::remove(&mut self.root, &fault.path);
                    let origin = self.origin_of(&fault.path);
                    self.mistakes
                        .push(Mistake::of(fault, origin, removed.as_ref()));
                    if removed.is_none() {
                        return Err(Mistakes(self.mistakes));
                    }
                }
            }
        }
    }

    fn finish<T: Settings>(self, settings: T) -> Result<T, Mistakes> {
        let mut report = Report::default();
        settings.check(&mut report);
        let mut mistakes = self.mistakes;
        mistakes.extend(report.0.into_iter().map(|mut mistake| {
            let path = split(&mistake.key);
            mistake.origin = nearest(&self.origins, &path);
            mistake
        }));
        if mistakes.is_empty() {
            Ok(settings)
        } else {
            Err(Mistakes(mistakes))
        }
    }

    fn origin_of(&self, path: &[String]) -> Origin {
        nearest(&self.origins, path)
    }
}

/// The layer that set the key, or a part of it.
fn nearest(origins: &BTreeMap<Vec<String>, Origin>, path: &[String]) -> Origin {
    origins
        .get(path)
        .or_else(|| {
            origins
                .iter()
                .find(|(set, _)| path.starts_with(set.as_slice()) || set.starts_with(path))
                .map(|(_, origin)| origin)
        })
        .cloned()
        .unwrap_or(Origin::Default)
}

/// The key that a variable's name stands for: `SECURITY_INSECURE` may be `security_insecure` or
/// `security.insecure`, and the settings type knows which of them exists.
fn known_path<T: DeserializeOwned>(name: &str) -> Option<Vec<String>> {
    let words: Vec<String> = name.to_lowercase().split('_').map(str::to_owned).collect();
    let gaps = words.len().saturating_sub(1).min(8);
    let mut splits: Vec<u32> = (0..1u32 << gaps).collect();
    splits.sort_by_key(|bits| bits.count_ones());
    splits
        .into_iter()
        .map(|dots| joined(&words, dots))
        .find(|path| is_known::<T>(path))
}

/// Joins words by `_`, or by a dot at the gaps whose bit is set.
fn joined(words: &[String], dots: u32) -> Vec<String> {
    let mut path: Vec<String> = Vec::new();
    for (i, word) in words.iter().enumerate() {
        let dot = i == 0 || (i <= 8 && dots & (1 << (i - 1)) != 0);
        match path.last_mut() {
            Some(last) if !dot => {
                last.push('_');
                last.push_str(word);
            }
            _ => path.push(word.clone()),
        }
    }
    path
}

/// A key is known when one value there is read, or refused as a value.
fn is_known<T: DeserializeOwned>(path: &[String]) -> bool {
    let mut root = BTreeMap::new();
    node::set(&mut root, path, Node::text(""));
    let Err(fault) = T::deserialize(Node::Table(root)) else {
        return true;
    };
    let refused_as_a_value = match &fault.kind {
        fault::Kind::NotAllowed { allowed } => allowed != fault::A_TABLE,
        fault::Kind::Refused { .. } => true,
        fault::Kind::Unknown { .. } | fault::Kind::Missing => false,
    };
    fault.path == path && refused_as_a_value
}
