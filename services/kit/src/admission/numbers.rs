//! What the gate shows of itself.

use std::sync::Arc;

use super::{Gate, Reason};
use crate::metrics::{Counter, Declared, Gauge, Group, Label, Registry, count, float};

static LIMIT: Declared<Gauge> = Declared::gauge(
    "admission_limit",
    "Calls that may be under way now; it follows what calls take.",
);
static IN_FLIGHT: Declared<Gauge> = Declared::gauge(
    "admission_in_flight",
    "Calls under way that the limit counts.",
);
static QUEUED: Declared<Gauge> =
    Declared::gauge("admission_queued", "Calls that wait for a place.");
static REFUSED: Declared<Counter> = Declared::counter(
    "admission_refused",
    "Calls refused with RESOURCE_EXHAUSTED: their deadline is too near, the queue is full, or they waited in vain.",
)
.labels(&[Label::closed("reason", crate::names!(Reason))]);

/// Who gets in.
pub static GROUP: Group = Group {
    title: "Admission",
    about: "Only unary calls of the role's own services pass the gate.",
    metrics: &[
        &LIMIT.declaration,
        &IN_FLIGHT.declaration,
        &QUEUED.declaration,
        &REFUSED.declaration,
    ],
};

impl Gate {
    /// Registers what the gate shows, all read when it is scraped.
    pub fn register(self: &Arc<Self>, registry: &mut Registry) {
        let gate = self.clone();
        registry.watch(&LIMIT, move || Some(count(gate.limit())));
        let gate = self.clone();
        registry.watch(&IN_FLIGHT, move || Some(count(gate.under_way())));
        let gate = self.clone();
        registry.watch(&QUEUED, move || Some(count(gate.queued())));
        let gate = self.clone();
        registry.watch_each(&REFUSED, move || {
            let refused = gate.refused().into_iter();
            refused
                .map(|(reason, calls)| ([reason.as_str()], float(calls)))
                .collect()
        });
    }
}
