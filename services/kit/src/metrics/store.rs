//! What the roles that use a store show of it. The names of its calls are theirs to give: no store is
//! known here.

use std::time::Duration;

use super::declaration::{Declared, Group, Label};
use super::family::Family;
use super::instrument::{Counter, Histogram};
use super::registry::Registry;

const CALL: Label = Label::closed(
    "call",
    &[
        "get_many",
        "commit",
        "list",
        "read_logs",
        "log_ends",
        "claim_due",
        "read_group",
        "extend_group",
        "ack_group",
        "check",
    ],
);

static DURATION: Declared<Histogram> = Declared::latency(
    "store_call_duration",
    "Time of one call to the store, failed ones included. A call is one round trip, whatever the number of keys, except that claiming deadlines is two, and that a script which a restarted Redis has forgotten is sent twice.",
)
.labels(&[CALL]);
static ERRORS: Declared<Counter> = Declared::counter(
    "store_errors",
    "Calls to the store that failed: it did not answer in time or could not be reached, or what it holds cannot be read.",
)
.labels(&[CALL, Label::closed("reason", &["unavailable", "corrupt"])]);
static CONFLICTS: Declared<Counter> = Declared::counter(
    "store_conflicts",
    "Commits that lost against another process and were tried again.",
);

/// The store, as this role uses it.
pub static GROUP: Group = Group {
    title: "Store",
    about: "Each role counts its own calls, also where two share a store in one process. A broken \
            connection to Redis shows as `unavailable` until it is made again.",
    metrics: &[
        &DURATION.declaration,
        &ERRORS.declaration,
        &CONFLICTS.declaration,
    ],
};

/// How calls to a store go. Cloning shares the counts.
#[derive(Clone, Debug)]
pub struct StoreMetrics {
    duration: Family<Histogram>,
    errors: Family<Counter>,
    conflicts: Counter,
}

impl StoreMetrics {
    /// Registers the metrics.
    pub fn register(registry: &mut Registry) -> Self {
        Self {
            duration: registry.family(&DURATION),
            errors: registry.family(&ERRORS),
            conflicts: registry.one(&CONFLICTS),
        }
    }

    /// A call took this long; `error` is the reason for which it failed.
    pub fn called(&self, call: &str, took: Duration, error: Option<&str>) {
        self.duration.with([call]).observe(took);
        if let Some(reason) = error {
            self.errors.with([call, reason]).inc();
        }
    }

    /// So many commits lost against another process.
    pub fn conflicted(&self, commits: usize) {
        self.conflicts
            .add(u64::try_from(commits).unwrap_or(u64::MAX));
    }
}
