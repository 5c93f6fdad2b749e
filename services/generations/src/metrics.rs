//! What is counted of generations, besides which one answers.

use std::sync::{Arc, Mutex, PoisonError};

use kit::metrics::instrument::float;
use kit::metrics::{Counter, Declared, Family, Gauge, Group, Histogram, Label, Registry, count};

use crate::book::{Book, Step};
use crate::held::{Generation, Generations};

static SWAPS: Declared<Counter> = Declared::counter(
    "generation_swaps",
    "Times that another generation went live, by why.",
)
.labels(&[Label::closed(
    "why",
    &["start", "activate", "rollback", "automatic"],
)]);
static FAILURES: Declared<Counter> = Declared::counter(
    "generation_load_failures",
    "Snapshots that did not become a generation, by the step that failed; the live one stayed.",
)
.labels(&[Label::closed("step", kit::names!(Step))]);
static LOAD: Declared<Histogram> = Declared::latency(
    "generation_load_duration",
    "Time from the wish for a snapshot to a generation that is ready.",
);
static HELD: Declared<Gauge> = Declared::gauge(
    "generations_held",
    "Generations in memory that can be asked: two at most.",
);
static RETIRING: Declared<Gauge> = Declared::gauge(
    "generations_retiring",
    "Generations that were let go of and are still used by a request.",
);

static REACHABLE: Declared<Gauge> = Declared::gauge(
    "registry_reachable",
    "1 while the registry answers, 0 while it does not; nothing for a role that follows none.",
);
static SEQUENCE: Declared<Gauge> = Declared::gauge(
    "registry_sequence",
    "Number of the newest activation record that the role acted on; nothing for a role that follows no registry.",
);

/// How generations come and go.
pub static GROUP: Group = Group {
    title: "Swaps",
    about: "",
    metrics: &[
        &SWAPS.declaration,
        &FAILURES.declaration,
        &LOAD.declaration,
        &HELD.declaration,
        &RETIRING.declaration,
        &REACHABLE.declaration,
        &SEQUENCE.declaration,
    ],
};

/// Why another generation is live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The first after the start.
    Start,
    /// Somebody published it.
    Activate,
    /// Somebody went back.
    Rollback,
    /// The role went back by itself.
    Automatic,
}

impl Why {
    /// The name in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Activate => "activate",
            Self::Rollback => "rollback",
            Self::Automatic => "automatic",
        }
    }
}

/// Counts swaps. Cloning shares the counts.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    swaps: Family<Counter>,
    failures: Family<Counter>,
    pub(crate) load: Histogram,
}

impl Metrics {
    pub(crate) fn register<G: Generation>(
        registry: &mut Registry,
        generations: &Arc<Generations<G>>,
    ) -> Self {
        let metrics = Self {
            swaps: registry.family(&SWAPS),
            failures: registry.family(&FAILURES),
            load: registry.one(&LOAD),
        };
        let held = generations.clone();
        registry.watch(&HELD, move || Some(count(held.held().all().count())));
        let retiring = generations.clone();
        registry.watch(&RETIRING, move || Some(count(retiring.retiring())));
        metrics
    }

    /// Registers what the book says of the registry.
    pub(crate) fn watch_registry(registry: &mut Registry, book: &Arc<Mutex<Book>>, follows: bool) {
        let look = |book: &Arc<Mutex<Book>>, read: fn(&Book) -> u64| {
            let book = book.clone();
            move || {
                let book = book.lock().unwrap_or_else(PoisonError::into_inner);
                follows.then(|| float(read(&book)))
            }
        };
        registry.watch(&REACHABLE, look(book, |book| u64::from(book.reachable)));
        registry.watch(&SEQUENCE, look(book, |book| book.sequence));
    }

    pub(crate) fn swapped(&self, why: Why) {
        self.swaps.with([why.as_str()]).inc();
    }

    pub(crate) fn failed(&self, step: Step) {
        self.failures.with([step.as_str()]).inc();
    }
}
