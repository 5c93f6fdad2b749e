//! What the role counts, besides requests.

use kit::Clock;
use kit::metrics::{
    Age, Counter, Declared, Family, Gauge, Group, Histogram, ItemTableMetrics, Label, Registry,
    StageTimes, Unit, serving,
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
    Label::closed("reason", &["search_failed", "erasures_unknown"]),
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

static ERASURES_CONNECTED: Declared<Gauge> = Declared::gauge(
    "erasures_connected",
    "1 while the features role tells who is erased, else 0.",
);
static ERASURES_LAG: Declared<Gauge> = Declared::gauge(
    "erasures_lag",
    "Time since the features role sent the newest word on who is erased; it sends one every second, news or not. Nothing before the first.",
)
.unit(Unit::Seconds);
static ERASED_SHOPPERS: Declared<Gauge> = Declared::gauge(
    "erased_shoppers",
    "Shopper ids that are known to be erased.",
);
static MASKED: Declared<Counter> = Declared::counter(
    "masked_sessions",
    "Past sessions of erased shoppers that were taken out of a loaded generation.",
);
static WITHHELD: Declared<Gauge> = Declared::gauge(
    "sessions_withheld",
    "1 while a generation answers without session neighbours, because it cannot be told whose of them are erased.",
);
static UNKEYED: Declared<Gauge> = Declared::gauge(
    "sessions_unkeyed",
    "Past sessions of the generation loaded last that carry no MAC of their shopper, so that those of erased shoppers stay until the next training.",
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
    &Group {
        title: "Erased shoppers",
        about: "",
        metrics: &[
            &ERASURES_CONNECTED.declaration,
            &ERASURES_LAG.declaration,
            &ERASED_SHOPPERS.declaration,
            &MASKED.declaration,
            &WITHHELD.declaration,
            &UNKEYED.declaration,
        ],
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
    pub(crate) erasures: ErasureMetrics,
}

/// How well it is known who is erased, and what came of it.
#[derive(Clone, Debug)]
pub(crate) struct ErasureMetrics {
    pub(crate) connected: Gauge,
    /// When the newest word was sent.
    pub(crate) heard: Age,
    pub(crate) shoppers: Gauge,
    pub(crate) masked: Counter,
    pub(crate) withheld: Gauge,
    pub(crate) unkeyed: Gauge,
}

impl ErasureMetrics {
    fn register(registry: &mut Registry, clock: Clock) -> Self {
        let metrics = Self {
            connected: registry.one(&ERASURES_CONNECTED),
            heard: Age::default(),
            shoppers: registry.one(&ERASED_SHOPPERS),
            masked: registry.one(&MASKED),
            withheld: registry.one(&WITHHELD),
            unkeyed: registry.one(&UNKEYED),
        };
        let heard = metrics.heard.clone();
        registry.watch(&ERASURES_LAG, move || heard.seconds(clock.now_ms()));
        metrics
    }
}

impl Metrics {
    /// Registers the role's metrics.
    pub fn register(registry: &mut Registry, clock: Clock) -> Self {
        Self {
            answers: registry.family(&ANSWERS),
            lists: registry.one(&LISTS),
            degraded: registry.family(&DEGRADED),
            items: ItemTableMetrics::register(registry, clock.clone()),
            erasures: ErasureMetrics::register(registry, clock),
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
            let reason = if source == Source::Sessions.as_str() {
                // Nothing is searched for them: this is why they are missing.
                "erasures_unknown"
            } else {
                "search_failed"
            };
            self.degraded.with([source, reason]).inc();
        }
    }
}
