//! What the role counts, besides requests.

use kit::Clock;
use kit::metrics::{
    Counter, Declared, Family, Gauge, Group, Histogram, ItemTableMetrics, Label, Registry,
    StageTimes, serving,
};
use retrieval::{Answer, PlanKind, Source};

static ANSWERS: Declared<Counter> = Declared::counter(
    "answers",
    "Answers by how they were found: every eligible item scored, a part of the index probed, or fewer items eligible than asked for.",
)
.labels(&[Label::closed("plan", &["exact", "approximate", "short"])]);
static LISTS: Declared<Histogram> = Declared::counts(
    "lists_probed",
    "Inverted lists that an answer's search probed; 0 where vectors were scanned or not searched.",
);
static DEGRADED: Declared<Counter> = Declared::counter(
    "degraded",
    "Sources that should have added to an answer and could not.",
)
.labels(&[
    Label::closed("stage", kit::names!(Source)),
    Label::closed("reason", &["search_failed"]),
]);
static STAGES: Declared<Histogram> = Declared::latency(
    "stage_duration",
    "Time of one stage of a request: `recent` asks features, `sources` contains `fold_in` and `ann`.",
)
.labels(&[Label::closed(
    "stage",
    &["recent", "filter", "sources", "fold_in", "ann", "fuse"],
)]);
static BLOCKED: Declared<Gauge> = Declared::gauge(
    "blocked_items",
    "Items of the generation that are unsellable or out of stock.",
);

/// What the role shows, besides what every role shows.
pub static GROUPS: &[&Group] = &[
    &Group {
        title: "Answers",
        about: "",
        metrics: &[
            &ANSWERS.declaration,
            &LISTS.declaration,
            &DEGRADED.declaration,
        ],
    },
    &kit::breaker::PEERS_GROUP,
    &Group {
        title: "Stages",
        about: "",
        metrics: &[&STAGES.declaration],
    },
    &serving::GENERATION_GROUP,
    &generations::metrics::GROUP,
    &serving::ITEM_TABLE_GROUP,
    &Group {
        title: "Gate",
        about: "",
        metrics: &[&BLOCKED.declaration],
    },
];

/// Registers the times of the role's stages.
pub(crate) fn stages(registry: &mut Registry) -> StageTimes {
    StageTimes::register(registry, &STAGES)
}

/// Metrics of the candidates role. Cloning shares the counts.
#[derive(Clone, Debug)]
pub struct Metrics {
    answers: Family<Counter>,
    lists: Histogram,
    degraded: Family<Counter>,
    pub(crate) items: ItemTableMetrics,
    pub(crate) blocked_items: Gauge,
}

impl Metrics {
    /// Registers the role's metrics.
    pub fn register(registry: &mut Registry, clock: Clock) -> Self {
        Self {
            answers: registry.family(&ANSWERS),
            lists: registry.one(&LISTS),
            degraded: registry.family(&DEGRADED),
            items: ItemTableMetrics::register(registry, clock),
            blocked_items: registry.one(&BLOCKED),
        }
    }

    /// Counts one answer.
    pub(crate) fn count(&self, answer: &Answer) {
        let plan = match answer.plan.kind {
            PlanKind::Exact => "exact",
            PlanKind::Approximate => "approximate",
            PlanKind::Short => "short",
        };
        self.answers.with([plan]).inc();
        self.lists
            .observe_count(u64::from(answer.plan.lists_probed));
        for source in &answer.degraded {
            let source = source.split(':').next().unwrap_or_default();
            self.degraded.with([source, "search_failed"]).inc();
        }
    }
}
