//! What breakers show of themselves.

use super::{Breaker, Phase};
use crate::metrics::{Counter, Declared, Gauge, Group, Label, Registry, float};

const PEER: Label = Label::bounded("peer", "the roles that this one asks");

static PHASE: Declared<Gauge> = Declared::gauge(
    "breaker_phase",
    "1 for what the breaker in front of another role does now, 0 for the rest: closed lets all calls through, open none, half_open one, ramp a growing share.",
)
.labels(&[
    PEER,
    Label::closed("phase", crate::names!(Phase)),
]);
static MISSED: Declared<Counter> = Declared::counter(
    "breaker_missed",
    "Calls to another role that were not made because its breaker held them back.",
)
.labels(&[PEER]);
static AWAY: Declared<Gauge> = Declared::gauge(
    "store_away",
    "1 while the store is known not to answer, so that requests fail at once.",
);

/// Of a role that calls others.
pub static PEERS_GROUP: Group = Group {
    title: "Other roles",
    about: "",
    metrics: &[&PHASE.declaration, &MISSED.declaration],
};

/// Of a role with a store.
pub static STORE_GROUP: Group = Group {
    title: "Breaker of the store",
    about: "",
    metrics: &[&AWAY.declaration],
};

/// Registers what these breakers show, read when it is scraped.
pub fn register(registry: &mut Registry, breakers: &[Breaker]) {
    let shown = breakers.to_vec();
    registry.watch_each(&PHASE, move || {
        let phases = shown.iter().flat_map(|breaker| {
            let (peer, now) = (breaker.peer(), breaker.phase());
            Phase::ALL.map(|phase| ([peer, phase.as_str()], float(u64::from(phase == now))))
        });
        phases.collect()
    });
    let shown = breakers.to_vec();
    registry.watch_each(&MISSED, move || {
        let missed = shown.iter();
        missed
            .map(|breaker| ([breaker.peer()], float(breaker.missed())))
            .collect()
    });
}

/// Registers whether the role's store answers.
pub fn watch_store(registry: &mut Registry, is_away: impl Fn() -> bool + Send + Sync + 'static) {
    registry.watch(&AWAY, move || Some(float(u64::from(is_away()))));
}
