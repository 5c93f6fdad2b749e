//! What one role exposes.

use std::fmt;
use std::sync::Arc;

use super::declaration::{Declaration, Declared, Label, Values};
use super::family::Family;
use super::instrument::{Counter, Gauge, Instrument, Reading};
use crate::Live;

/// One series at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Values of the labels, in their order.
    pub labels: Vec<Arc<str>>,
    /// What it reads.
    pub reading: Reading,
}

/// One metric at one moment.
#[derive(Clone, Debug)]
pub struct Gathered {
    /// The name under which it is exposed.
    pub name: String,
    /// What it is.
    pub declaration: &'static Declaration,
    /// Its series.
    pub samples: Vec<Sample>,
}

type Read = Box<dyn Fn() -> Vec<Sample> + Send + Sync>;

struct Registered {
    declaration: &'static Declaration,
    read: Read,
}

/// The metrics of one role, or of the process.
pub struct Registry {
    role: &'static str,
    registered: Vec<Registered>,
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry")
            .field("role", &self.role)
            .field("metrics", &self.registered.len())
            .finish()
    }
}

impl Registry {
    /// Nothing yet.
    #[must_use]
    pub fn new(role: &'static str) -> Self {
        Self {
            role,
            registered: Vec::new(),
        }
    }

    /// Whose metrics these are.
    #[must_use]
    pub fn role(&self) -> &'static str {
        self.role
    }

    /// A metric without labels.
    pub fn one<M: Instrument>(&mut self, declared: &'static Declared<M>) -> M {
        let cell = M::new(declared.declaration.kind, declared.declaration.unit);
        let shown = cell.clone();
        self.add(&declared.declaration, move || {
            let (labels, reading) = (Vec::new(), shown.read());
            vec![Sample { labels, reading }]
        });
        cell
    }

    /// A metric whose labels all have closed sets of values.
    pub fn family<M: Instrument>(&mut self, declared: &'static Declared<M>) -> Family<M> {
        self.family_of(declared, &[])
    }

    /// A metric of whose labels the bounded ones take these values, one list each, in their order.
    pub fn family_of<M: Instrument>(
        &mut self,
        declared: &'static Declared<M>,
        bounded: &[&[String]],
    ) -> Family<M> {
        let mut bounded = bounded.iter();
        let values = |label: &Label| match label.values {
            Values::Closed(values) => values.iter().map(|value| Arc::from(*value)).collect(),
            Values::Bounded(_) => {
                let given = bounded.next().copied().unwrap_or_default();
                given
                    .iter()
                    .map(|value| Arc::from(value.as_str()))
                    .collect()
            }
        };
        let values = declared.declaration.labels.iter().map(values).collect();
        let family = Family::new(&declared.declaration, values);
        let shown = family.clone();
        self.add(&declared.declaration, move || shown.samples());
        family
    }

    /// A gauge that is computed when it is read; `None` shows no series.
    pub fn watch(
        &mut self,
        declared: &'static Declared<Gauge>,
        read: impl Fn() -> Option<f64> + Send + Sync + 'static,
    ) {
        self.add(&declared.declaration, move || single(read()));
    }

    /// A counter that somebody else keeps, read when it is needed; `None` shows no series.
    pub fn watch_counter(
        &mut self,
        declared: &'static Declared<Counter>,
        read: impl Fn() -> Option<f64> + Send + Sync + 'static,
    ) {
        self.add(&declared.declaration, move || single(read()));
    }

    /// A metric with labels whose numbers somebody else keeps: values of the labels, then the
    /// number.
    pub fn watch_each<M, const N: usize>(
        &mut self,
        declared: &'static Declared<M>,
        read: impl Fn() -> Vec<([&'static str; N], f64)> + Send + Sync + 'static,
    ) {
        self.add(&declared.declaration, move || {
            let sample = |(labels, number): ([&'static str; N], f64)| Sample {
                labels: labels.into_iter().map(Arc::from).collect(),
                reading: Reading::Number(number),
            };
            read().into_iter().map(sample).collect()
        });
    }

    /// An info metric; it says nothing until it is told.
    pub fn info(&mut self, declared: &'static Declared<Info>) -> Info {
        let info = Info::default();
        let shown = info.clone();
        self.add(&declared.declaration, move || shown.samples());
        info
    }

    /// All metrics as they read now, in the order in which they were registered.
    #[must_use]
    pub fn gather(&self) -> Vec<Gathered> {
        let gathered = |one: &Registered| Gathered {
            name: one.declaration.name(self.role),
            declaration: one.declaration,
            samples: (one.read)(),
        };
        self.registered.iter().map(gathered).collect()
    }

    fn add(
        &mut self,
        declaration: &'static Declaration,
        read: impl Fn() -> Vec<Sample> + Send + Sync + 'static,
    ) {
        let read = Box::new(read);
        self.registered.push(Registered { declaration, read });
    }
}

fn single(number: Option<f64>) -> Vec<Sample> {
    let sample = |number| Sample {
        labels: Vec::new(),
        reading: Reading::Number(number),
    };
    number.map(sample).into_iter().collect()
}

/// Says what is so, in labels. Cloning shares what is said.
#[derive(Clone, Debug)]
pub struct Info(Arc<Live<Vec<Vec<Arc<str>>>>>);

impl Default for Info {
    fn default() -> Self {
        Self(Arc::new(Live::new(Vec::new())))
    }
}

impl Info {
    /// From now on these series, each with the values of its labels in their order; those that
    /// were said before are gone.
    pub fn say(&self, series: &[&[&str]]) {
        let row = |row: &&[&str]| row.iter().map(|value| Arc::from(*value)).collect();
        self.0.store(Arc::new(series.iter().map(row).collect()));
    }

    fn samples(&self) -> Vec<Sample> {
        let sample = |labels: &Vec<Arc<str>>| Sample {
            labels: labels.clone(),
            reading: Reading::Number(1.0),
        };
        self.0.load().iter().map(sample).collect()
    }
}
