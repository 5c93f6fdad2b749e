//! What this role measures of a snapshot before it may go live.
//!
//! | module | gate |
//! |---|---|
//! | `fit` | items and dimension: index, catalogue and models speak of the same |
//! | `norms` | vectors and norms: finite, of the lengths that searching takes for granted, not too many missing |
//! | `tower` | the network of a space is of the same run as its vectors |
//! | `golden` | stored requests are answered as they were |
//! | `recall` | the index finds the true neighbours of held-out carts |
//! | `latency` | it is not slower than the live generation, in the same process |
//!
//! [`inspect`] reads files and loads nothing; [`examine`] asks a loaded generation.

mod fit;
mod golden;
mod latency;
mod norms;
mod recall;
mod tower;

use std::path::Path;

use kit::Clock;
use kit::causes::causes;
use retrieval::Error;
use snapshot::{Snapshot, Verdict, gates};

use crate::generation::Generation;
use crate::role::ROLE;

/// Gates of the files, before anything is loaded: items, dimension, vectors, norms.
#[must_use]
pub fn inspect(snapshot: &Snapshot) -> Vec<Verdict> {
    let mut verdicts = vec![fit::items(snapshot)];
    verdicts.extend(fit::dimension(snapshot));
    verdicts.extend(norms::norms(snapshot));
    verdicts.extend(tower::towers(snapshot));
    verdicts
}

/// Gates of a loaded generation: golden requests, recall, latency against the live one.
pub(crate) fn examine(
    new: &Generation,
    snapshot: &Snapshot,
    live: Option<&Generation>,
) -> Vec<Verdict> {
    let golden = golden::requests(snapshot);
    let model = new.model.load();
    let mut verdicts = vec![golden::golden(&model, &golden)];
    verdicts.extend(recall::recall(&model, snapshot));
    let asked: Vec<_> = golden.into_iter().flatten().collect();
    let live = live.map(|live| live.model.load());
    verdicts.push(latency::latency(&model, live.as_deref(), &asked));
    verdicts
}

/// The verdict on a snapshot of which no generation can be made.
pub(crate) fn refusal(error: &Error) -> Verdict {
    let gate = match error {
        Error::Index(ann_index::Error::Dimension { .. }) => gates::DIMENSION,
        Error::Index(ann_index::Error::NotFinite { .. }) => gates::VECTORS,
        Error::Misfit { .. }
        | Error::Space { .. }
        | Error::Snapshot(snapshot::Error::Catalogue { .. }) => gates::ITEMS,
        Error::Invalid { .. }
        | Error::Tower { .. }
        | Error::UnknownItem { .. }
        | Error::Snapshot(_)
        | Error::Index(_) => gates::LOAD,
    };
    Verdict::new(
        gate,
        ROLE,
        causes(error),
        "a generation can be made of it",
        false,
    )
}

/// All of this role's gates on a folder, against another folder that is taken for the live one.
/// Takes the memory of both.
#[must_use]
pub fn examine_folder(dir: &Path, live: Option<&Path>) -> Vec<Verdict> {
    let snapshot = match gates::open(dir) {
        Ok(snapshot) => snapshot,
        Err(verdict) => return vec![*verdict],
    };
    let mut verdicts = inspect(&snapshot);
    // What cannot be loaded is named by its own gate, which cannot be gone past.
    let hopeless = |one: &Verdict| !one.passed && !gates::can_be_forced(&one.gate);
    if verdicts.iter().any(hopeless) {
        return verdicts;
    }
    let clock = Clock::real();
    match Generation::load(&snapshot, &clock) {
        Ok(new) => {
            let live = live.and_then(|live| Snapshot::open(live).ok());
            let live = live.and_then(|live| Generation::load(&live, &clock).ok());
            verdicts.extend(examine(&new, &snapshot, live.as_ref()));
        }
        Err(error) => verdicts.push(refusal(&error)),
    }
    verdicts
}
