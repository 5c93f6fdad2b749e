//! Every constant that the order of candidates depends on, besides the weights of the sources.

use std::time::Duration;

use crate::Kind;

/// How much an interaction says about what the shopper wants.
pub(crate) fn of_kind(kind: Kind) -> f32 {
    match kind {
        Kind::View => 1.0,
        Kind::Add | Kind::Checkout => 3.0,
        Kind::Purchase => 2.0,
        // Put back: it was of interest, but not enough.
        Kind::Remove => 0.5,
    }
}

/// Interest halves in this time and never falls below the floor.
const HALF_LIFE: Duration = Duration::from_secs(3 * 24 * 3600);
const FLOOR: f32 = 0.05;
const REBUY_FLOOR: f32 = 1e-3;

/// Of two interactions equally old, the one behind `POSITIONS` others counts half.
const POSITIONS: f32 = 20.0;

pub(crate) fn of_age(age: Duration) -> f32 {
    (-age.as_secs_f32() / HALF_LIFE.as_secs_f32())
        .exp2()
        .max(FLOOR)
}

/// What a purchase says of buying the item again halves in this time: on the next baskets of a
/// gift shop recall@20 rises up to here and stays, `docs/retrieval.md`.
const REBUY_HALF_LIFE: Duration = Duration::from_secs(180 * 24 * 3600);

pub(crate) fn of_rebuy(age: Duration) -> f32 {
    (-age.as_secs_f32() / REBUY_HALF_LIFE.as_secs_f32())
        .exp2()
        .max(REBUY_FLOOR)
}

/// `position` 0 is the newest.
pub(crate) fn of_position(position: usize) -> f32 {
    let position = f32::from(u16::try_from(position).unwrap_or(u16::MAX));
    POSITIONS / (POSITIONS + position)
}

/// Items that each source names, at least: enough for two sources to agree on one although
/// neither has it among its first k.
pub(crate) const DEPTH: usize = 100;

/// A longer pause between two interactions ends a visit.
pub(crate) const PAUSE: Duration = Duration::from_secs(30 * 60);

/// Categories whose popular items come before those popular overall.
pub(crate) const CATEGORIES: usize = 5;
