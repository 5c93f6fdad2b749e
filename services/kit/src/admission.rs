//! Who gets in: a limit on the calls under way that follows how long they take, a short queue, and
//! refusals that cost next to nothing.
//!
//! | file | what it does |
//! |---|---|
//! | `gate.rs` | places, the queue, and who is refused |
//! | `limit.rs` | the formula of the limit, with its sources |
//! | `meter.rs`, `histogram.rs` | what calls take now |
//! | `starvation.rs` | whether this process gets the cores it asks for |
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
mod starvation;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use serde::{Deserialize, Serialize};

use crate::config::Report;

pub use gate::Gate;
pub use layer::{Admission, AdmissionLayer};
pub(crate) use methods::limited;
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

/// What a role hears of load that is not its own calls': the roles behind it, and the machine.
/// Cloning shares it.
#[derive(Clone, Debug, Default)]
pub struct Pressure(Arc<Heard>);

#[derive(Debug, Default)]
struct Heard {
    /// Calls that a role behind this one had no room for, since the limit last asked.
    felt: AtomicU32,
    starved: AtomicBool,
}

impl Pressure {
    /// A role behind this one has more to do than it can: our own limit gives way.
    pub fn felt(&self) {
        self.0.felt.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether this process lately waited for cores: then whoever shares them is slow as well, and
    /// an answer that does not come in time says that there is too much to do.
    #[must_use]
    pub fn is_starved(&self) -> bool {
        self.0.starved.load(Ordering::Relaxed)
    }

    pub(crate) fn set_starved(&self, starved: bool) {
        self.0.starved.store(starved, Ordering::Relaxed);
    }

    pub(crate) fn take(&self) -> u32 {
        self.0.felt.swap(0, Ordering::Relaxed)
    }
}

/// Marks an answer (among its extensions) that came from a fallback: the time it took says nothing
/// of what a whole one takes.
#[derive(Clone, Copy, Debug)]
pub struct Degraded;
