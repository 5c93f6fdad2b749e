//! What this role measures of a snapshot before it may go live.
//!
//! | module | gate |
//! |---|---|
//! | `golden` | stored carts, ranked rows and decisions come out as they did |
//! | `latency` | a block of candidates is not scored more slowly than by the live generation |
//!
//! That models and rules read features which the server knows, as many as they have inputs, shows
//! when they are loaded: [`refusal`] names the gate.

mod golden;
mod latency;

use std::path::Path;

use kit::causes::causes;
use snapshot::{Snapshot, Verdict, gates};

use crate::ROLE;
use crate::generation::{Generation, LoadError};

/// Gates of a loaded generation: features, golden requests, latency against the live one.
pub(crate) fn examine(
    new: &Generation,
    snapshot: &Snapshot,
    live: Option<&Generation>,
) -> Vec<Verdict> {
    vec![
        features(new),
        golden::golden(new, snapshot),
        latency::latency(new, live),
    ]
}

const FEATURES_BAR: &str = "all known to this build, as many as each model has inputs";

fn features(new: &Generation) -> Verdict {
    let read = new.features().names().len() + new.item_features.len();
    let measured = format!("{read} features of the registry");
    Verdict::new(gates::FEATURES, ROLE, measured, FEATURES_BAR, true)
}

/// The verdict on a snapshot of which no generation can be made.
pub(crate) fn refusal(error: &LoadError) -> Verdict {
    let of_inputs = match error {
        LoadError::Feature { .. } => true,
        LoadError::Model { source, .. } => is_of_inputs(source),
        LoadError::Snapshot { .. }
        | LoadError::Retrieval(_)
        | LoadError::Twice { .. }
        | LoadError::Policy { .. }
        | LoadError::PolicyFile { .. } => false,
    };
    let of_items = matches!(
        error,
        LoadError::Retrieval(
            retrieval::Error::Misfit { .. }
                | retrieval::Error::Space { .. }
                | retrieval::Error::Snapshot(snapshot::Error::Catalogue { .. }),
        )
    );
    let bar = "a generation can be made of it";
    let (gate, bar) = match (of_inputs, of_items) {
        (true, _) => (gates::FEATURES, FEATURES_BAR),
        (false, true) => (gates::ITEMS, bar),
        (false, false) => (gates::LOAD, bar),
    };
    Verdict::new(gate, ROLE, causes(error), bar, false)
}

/// Names that are unknown or too many; a tree that asks for an input beyond the named ones.
fn is_of_inputs(error: &ranking::Error) -> bool {
    use ranking::Error;
    if let Error::Tree { problem, .. } = error {
        return problem.contains("feature");
    }
    matches!(
        error,
        Error::Length { .. } | Error::Name { .. } | Error::Shape { .. }
    ) || matches!(error, Error::Field { place, .. } if place.contains("feature"))
}

/// All of this role's gates on a folder, against another folder that is taken for the live one.
/// Takes the memory of both.
#[must_use]
pub fn examine_folder(dir: &Path, live: Option<&Path>) -> Vec<Verdict> {
    let snapshot = match gates::open(dir) {
        Ok(snapshot) => snapshot,
        Err(verdict) => return vec![*verdict],
    };
    match Generation::load(&snapshot, None, 0) {
        Ok(new) => {
            let live = live.and_then(|live| Snapshot::open(live).ok());
            let live = live.and_then(|live| Generation::load(&live, None, 0).ok());
            examine(&new, &snapshot, live.as_ref())
        }
        Err(error) => vec![refusal(&error)],
    }
}
