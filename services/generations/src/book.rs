//! What is under way, and what went wrong: for whoever asks how a snapshot is doing.

use std::collections::BTreeMap;
use std::fmt;

use snapshot::{NewActivation, Verdict};

use crate::held::{Generation, Held};

/// A step on the way of a snapshot into a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Waits until the generation before is free.
    Releasing,
    /// Comes out of the registry.
    Fetching,
    /// Becomes a generation in memory.
    Loading,
    /// Is measured by the gates.
    Examining,
    /// Learns what changes without a generation, such as stock.
    Warming,
}

impl Step {
    /// All of them, in their order.
    pub(crate) const ALL: [Self; 5] = [
        Self::Releasing,
        Self::Fetching,
        Self::Loading,
        Self::Examining,
        Self::Warming,
    ];

    /// The name on the wire and in metrics.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Releasing => "releasing",
            Self::Fetching => "fetching",
            Self::Loading => "loading",
            Self::Examining => "examining",
            Self::Warming => "warming",
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A snapshot on its way.
#[derive(Clone, Debug)]
pub(crate) struct Loading {
    pub(crate) snapshot: String,
    pub(crate) step: Step,
    pub(crate) done_bytes: u64,
    pub(crate) total_bytes: u64,
    pub(crate) since_ms: i64,
}

/// Why a snapshot did not go live.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) snapshot: String,
    pub(crate) step: Step,
    pub(crate) message: String,
    pub(crate) at_ms: i64,
}

/// All of it, for one role.
#[derive(Clone, Debug, Default)]
pub(crate) struct Book {
    pub(crate) loading: Option<Loading>,
    pub(crate) failure: Option<Failure>,
    /// The newest record acted on.
    pub(crate) sequence: u64,
    /// The newest record seen, whether it was acted on or not.
    pub(crate) newest: u64,
    /// What the gates measured of the generations that are held.
    pub(crate) verdicts: BTreeMap<String, Vec<Verdict>>,
    /// Snapshots that may not go live.
    pub(crate) blocked: Vec<String>,
    /// Whether the registry answered when it was last asked.
    pub(crate) reachable: bool,
    /// A way back that is in effect here and in no record yet.
    pub(crate) unrecorded: Option<NewActivation>,
}

impl Book {
    /// Keeps what was measured of `id`, and forgets what is held no more.
    pub(crate) fn keep<G: Generation>(&mut self, id: &str, new: Vec<Verdict>, held: &Held<G>) {
        self.verdicts.insert(id.to_owned(), new);
        self.verdicts
            .retain(|id, _| held.all().any(|one| one.id() == id));
    }
}
