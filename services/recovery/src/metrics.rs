//! What the role counts, besides the requests that every role counts.

use std::sync::Arc;

use feature_store::ItemTable;
use kit::Clock;
use kit::metrics::{
    Counter, Declared, Family, Gauge, Group, Histogram, ItemTableMetrics, Label, Registry,
    StageTimes, count, serving, store,
};
use policy::Action;

use crate::decide::{Reason, Stage};

static DECISIONS: Declared<Counter> = Declared::counter(
    "decisions",
    "Decisions made, by action and mode; answers from the decision log are not counted.",
)
.labels(&[
    Label::closed("action", kit::names!(Action)),
    Label::closed("mode", &["preview", "commit"]),
]);
static DEGRADED: Declared<Counter> = Declared::counter(
    "degraded",
    "Stages that answered from a fallback, by why; one decision may count in several stages.",
)
.labels(&[
    Label::closed("stage", kit::names!(Stage)),
    Label::closed("reason", kit::names!(Reason)),
]);
static DEGRADED_DECISIONS: Declared<Counter> = Declared::counter(
    "degraded_decisions",
    "Decisions in which at least one stage answered from a fallback.",
);
static REPINNED: Declared<Counter> = Declared::counter(
    "repinned_decisions",
    "Decisions made anew with a generation that the candidates role holds, because it did not hold the first.",
);
static STAGE_DURATION: Declared<Histogram> = Declared::latency(
    "stage_duration",
    "Time of one stage of a request, waiting included: `lookup` and `commit` are the decision log, with the `read`, `write`, `decode` and `redis` in them. Only while requests are recorded (`telemetry.trace`).",
)
.labels(&[Label::closed(
    "stage",
    &[
        "lookup",
        "features",
        "candidates",
        "rank",
        "policy",
        "commit",
        "read",
        "write",
        "decode",
        "redis",
    ],
)]);
static ROWS: Declared<Gauge> = Declared::gauge(
    "item_table_rows",
    "Items in the table that follows the features role.",
);

/// What the role shows, besides what every role shows.
pub static GROUPS: &[&Group] = &[
    &Group {
        title: "Decisions",
        about: "",
        metrics: &[
            &DECISIONS.declaration,
            &DEGRADED_DECISIONS.declaration,
            &DEGRADED.declaration,
            &REPINNED.declaration,
            &STAGE_DURATION.declaration,
        ],
    },
    &kit::breaker::PEERS_GROUP,
    &kit::breaker::STORE_GROUP,
    &store::GROUP,
    &serving::GENERATION_GROUP,
    &generations::metrics::GROUP,
    &serving::ITEM_TABLE_GROUP,
    &Group {
        title: "Items",
        about: "",
        metrics: &[&ROWS.declaration],
    },
];

/// Registers the times of the role's stages.
pub(crate) fn stages(registry: &mut Registry) -> StageTimes {
    StageTimes::register(registry, &STAGE_DURATION)
}

/// Metrics of the recovery role. Cloning shares the counts.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    decisions: Family<Counter>,
    degraded: Family<Counter>,
    degraded_decisions: Counter,
    repinned: Counter,
    pub(crate) items: ItemTableMetrics,
}

impl Metrics {
    pub(crate) fn register(registry: &mut Registry, items: Arc<ItemTable>, clock: Clock) -> Self {
        registry.watch(&ROWS, move || Some(count(items.len())));
        Self {
            decisions: registry.family(&DECISIONS),
            degraded: registry.family(&DEGRADED),
            degraded_decisions: registry.one(&DEGRADED_DECISIONS),
            repinned: registry.one(&REPINNED),
            items: ItemTableMetrics::register(registry, clock),
        }
    }

    pub(crate) fn decided(&self, action: &'static str, mode: &'static str, degraded: bool) {
        self.decisions.with([action, mode]).inc();
        if degraded {
            self.degraded_decisions.inc();
        }
    }

    pub(crate) fn repinned(&self) {
        self.repinned.inc();
    }

    pub(crate) fn degraded(&self, stage: Stage, reason: Reason) {
        self.degraded.with([stage.as_str(), reason.as_str()]).inc();
    }
}
