//! Metrics: each is declared once, as a typed constant, and everything else follows from that.
//!
//! | file | what it does |
//! |---|---|
//! | [`declaration`] | name, kind, unit, labels with their values, and one sentence of help |
//! | [`instrument`] | the three things that count: [`Counter`], [`Gauge`], [`Histogram`] |
//! | [`family`] | the cells of one metric, one for each combination of its labels' values |
//! | [`registry`] | what one role exposes; a scrape, a push and the reference read the same list |
//! | [`text`], [`push`], `otlp`, [`mod@reference`] | the Prometheus text format; pushes over OTLP; `docs/metrics.md` |
//! | [`requests`], [`traffic`] | rate, errors and duration of every method, as a tower layer |
//! | [`serving`] | the generation that answers, the item table that is followed |
//! | [`stages`], [`store`] | the stages of a request, the calls to a store |
//! | [`process`] | figures of the process, shown once however many roles share it |
//!
//! A metric's name is `cartwright_<role>_<noun>_<unit>[_total]`. Its labels take values from sets
//! that are known when the role starts, so the number of series is bounded, all of them exist
//! from the start, and counting is an atomic addition to a cell that is looked up once.
//!
//! ```
//! use kit::metrics::{Counter, Declared, Label, Registry};
//!
//! static EVENTS: Declared<Counter> = Declared::counter("events", "Events answered.")
//!     .labels(&[Label::closed("outcome", &["accepted", "rejected"])]);
//!
//! let mut registry = Registry::new("features");
//! let events = registry.family(&EVENTS);
//! events.with(["accepted"]).inc();
//! assert!(kit::metrics::text::encode(&[&registry])
//!     .contains("cartwright_features_events_total{outcome=\"accepted\"} 1"));
//! ```

pub mod age;
pub mod declaration;
pub mod family;
pub mod instrument;
mod otlp;
pub mod process;
pub mod push;
pub mod reference;
pub mod registry;
pub mod requests;
pub mod serving;
pub mod stages;
pub mod store;
pub mod text;
pub mod traffic;

pub use age::Age;
pub use declaration::{Declaration, Declared, Group, Kind, Label, Unit, Values};
pub use family::Family;
pub use instrument::{Counter, Gauge, Histogram, float};
pub use registry::{Info, Registry};
pub use requests::{RequestMetrics, code_name};
pub use serving::{GenerationMetrics, ItemTableMetrics};
pub use stages::StageTimes;
pub use store::StoreMetrics;

/// What every role exposes under its own name.
pub static EVERY_ROLE: &[&Group] = &[
    &requests::GROUP,
    &crate::admission::GROUP,
    &crate::trace::metrics::GROUP,
    &push::GROUP,
];

/// A number of things, as the text format takes it.
#[must_use]
pub fn count(number: usize) -> f64 {
    instrument::float(u64::try_from(number).unwrap_or(u64::MAX))
}

/// The role under whose name the figures of the process are shown.
pub const PROCESS: &str = "process";
