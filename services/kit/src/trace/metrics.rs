//! What became of requests and spans.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::keep::{Counts, Lost, Why};
use crate::metrics::{Counter, Declared, Group, Label, Registry, float};

static KEPT: Declared<Counter> = Declared::counter(
    "traces_kept",
    "Requests whose spans were handed to the exporter, by why they were kept.",
)
.labels(&[Label::closed("why", &Why::NAMES)]);
static EXPORTED: Declared<Counter> =
    Declared::counter("spans_exported", "Spans that the receiver of traces took.");
static DROPPED: Declared<Counter> = Declared::counter(
    "spans_dropped",
    "Spans that were to be sent and were not: too many requests went wrong at once, the queue was full, the receiver did not take them, or one request had too many.",
)
.labels(&[Label::closed("why", &Lost::NAMES)]);

/// What every role says of its traces.
pub(crate) static GROUP: Group = Group {
    title: "Traces",
    about: "",
    metrics: &[
        &KEPT.declaration,
        &EXPORTED.declaration,
        &DROPPED.declaration,
    ],
};

pub(super) fn register(registry: &mut Registry, counts: &Arc<Counts>) {
    let kept = counts.clone();
    registry.watch_each(&KEPT, move || {
        let count = |why: Why| ([why.as_str()], float(kept.kept(why)));
        Why::ALL.map(count).to_vec()
    });
    let exported = counts.clone();
    registry.watch_counter(&EXPORTED, move || {
        Some(float(exported.exported.load(Ordering::Relaxed)))
    });
    let lost = counts.clone();
    registry.watch_each(&DROPPED, move || {
        let count = |why: Lost| ([why.as_str()], float(lost.lost(why)));
        Lost::ALL.map(count).to_vec()
    });
}
