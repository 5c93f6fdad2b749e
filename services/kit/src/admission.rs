//! Who gets in: a limit on the calls under way that follows how long they take, a short queue, and
//! refusals that cost next to nothing.
//!
//! | file | what it does |
//! |---|---|
//! | `gate.rs` | places, the queue, and who is refused |
//! | `limit.rs` | the formula of the limit, with its sources |
//! | `meter.rs`, `histogram.rs` | what calls take now |
//! | `layer.rs` | the tower layer, in front of decoding |
//! | `refusal.rs` | RESOURCE_EXHAUSTED with a hint when to try again |
//! | `standing.rs` | when a role counts as overloaded, and what its health says then |
//! | `numbers.rs` | what is counted |
//!
//! Only unary calls of a role's own services pass the gate. Health, reflection, streams and
//! `SnapshotService` never wait and are never refused: they are how an overloaded role is watched
//! and mended. `docs/pressure.md` tells the whole of it.

mod gate;
mod histogram;
mod layer;
mod limit;
mod meter;
mod methods;
mod numbers;
mod refusal;
mod standing;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use serde::{Deserialize, Serialize};

use crate::config::Report;

pub use gate::Gate;
pub use layer::{Admission, AdmissionLayer};
pub use numbers::GROUP;
pub(crate) use refusal::unit;
pub use refusal::{PUSHBACK, Reason, hinted};
pub(crate) use standing::Standing;

/// `[admission]` of a role's config. The defaults need no tuning.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The limit never falls below this many calls under way.
    pub least: u32,
    /// Nor does it rise above this many.
    pub most: u32,
    /// Calls that may wait for a place.
    pub queue: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            least: 16,
            most: 1_024,
            queue: 512,
        }
    }
}

impl Settings {
    /// Reports what cannot be used.
    pub fn check(&self, report: &mut Report) {
        const HIGHEST: u32 = 100_000;
        if !(1..=HIGHEST).contains(&self.most) {
            report.add("admission.most", self.most, "1 to 100000");
        }
        if !(1..=self.most.max(1)).contains(&self.least) {
            let allowed = format!("1 to admission.most, which is {}", self.most);
            report.add("admission.least", self.least, &allowed);
        }
        if self.queue > HIGHEST {
            report.add("admission.queue", self.queue, "0 to 100000");
        }
    }
}

/// What the roles behind this one say of their load. A refusal of theirs means that we hand on
/// more than they can take, so our own limit gives way.
#[derive(Clone, Debug, Default)]
pub struct Pressure(Arc<AtomicU32>);

impl Pressure {
    /// A role behind this one refused a call because it is overloaded.
    pub fn felt(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn take(&self) -> u32 {
        self.0.swap(0, Ordering::Relaxed)
    }
}

/// Marks an answer (among its extensions) that came from a fallback: the time it took says nothing
/// of what a whole one takes.
#[derive(Clone, Copy, Debug)]
pub struct Degraded;
