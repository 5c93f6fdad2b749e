//! What the role counts, besides the requests that every role counts.

mod back;

use std::sync::Arc;

use feature_store::ItemTable;
use kit::Clock;
use kit::metrics::{
    Counter, Declared, Family, Gauge, Group, Histogram, ItemTableMetrics, Label, Registry,
    StageTimes, count, serving, store,
};
use policy::Action;
use policy::guard::{Reason as Why, Verdict};

use crate::decide::{Reason, Stage};

pub(crate) use back::BackMetrics;

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
    "Time of one stage of a request, waiting included: `lookup` and `commit` are the decision log, with the `read`, `write`, `decode` and `redis` in them.",
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

static SWEPT: Declared<Counter> = Declared::counter(
    "sweeps",
    "People who were claimed as due, by what was found: decided about; put_off, because they have not left or no message may go yet; overtaken, because the cart changed or another replica was quicker; failed, to be claimed again.",
)
.labels(&[Label::closed("found", kit::names!(Swept))]);
static SWEEP_LATENESS: Declared<Histogram> = Declared::ages(
    "sweep_lateness",
    "How long the one who waited longest in a claim had been due, by the role's clock.",
);
static HANDED: Declared<Counter> = Declared::counter(
    "handouts",
    "Actions that were checked to be handed out, at first or again, by what became of them; a reason other than sent kept it from going out then.",
)
.labels(&[Label::closed("outcome", kit::names!(Handing))]);
static ACKNOWLEDGED: Declared<Counter> = Declared::counter(
    "acknowledged_actions",
    "Actions whose delivery to a group was acknowledged.",
);

static POSTED: Declared<Counter> = Declared::counter(
    "webhook_posts",
    "Attempts to post an action to the webhook, by what became of them: delivered; failed, to be tried again or at last to be dead; and dead, once for each action that went to the dead letters.",
)
.labels(&[Label::closed("outcome", kit::names!(Posted))]);

/// What became of an attempt to post an action.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Posted {
    Delivered,
    Failed,
    Dead,
}

impl Posted {
    pub(crate) const ALL: [Self; 3] = [Self::Delivered, Self::Failed, Self::Dead];

    /// The name in metrics.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Failed => "failed",
            Self::Dead => "dead",
        }
    }
}

/// What was found of somebody who was claimed.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Swept {
    Decided,
    PutOff,
    Overtaken,
    Failed,
}

impl Swept {
    pub(crate) const ALL: [Self; 4] = [Self::Decided, Self::PutOff, Self::Overtaken, Self::Failed];

    /// The name in metrics.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Decided => "decided",
            Self::PutOff => "put_off",
            Self::Overtaken => "overtaken",
            Self::Failed => "failed",
        }
    }
}

/// What became of an action that was to be handed out.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Handing {
    Sent,
    /// It is not on its way any more.
    Withdrawn,
    Ordered,
    Dismissed,
    Holdout,
    Consent,
    CartChanged,
    Expired,
    Terms,
    Budget,
    QuietHours,
    Capped,
    NoHour,
}

impl Handing {
    pub(crate) const ALL: [Self; 13] = [
        Self::Sent,
        Self::Withdrawn,
        Self::Ordered,
        Self::Dismissed,
        Self::Holdout,
        Self::Consent,
        Self::CartChanged,
        Self::Expired,
        Self::Terms,
        Self::Budget,
        Self::QuietHours,
        Self::Capped,
        Self::NoHour,
    ];

    /// The name in metrics.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Withdrawn => "withdrawn",
            Self::Ordered => "ordered",
            Self::Dismissed => "dismissed",
            Self::Holdout => "holdout",
            Self::Consent => "consent",
            Self::CartChanged => "cart_changed",
            Self::Expired => "expired",
            Self::Terms => "terms",
            Self::Budget => "budget",
            Self::QuietHours => "quiet_hours",
            Self::Capped => "capped",
            Self::NoHour => "no_hour",
        }
    }

    pub(crate) fn of(verdict: &Verdict) -> Self {
        let (Verdict::Later { why, .. } | Verdict::Never { why }) = verdict else {
            return Self::Sent;
        };
        match why {
            Why::Ordered => Self::Ordered,
            Why::Dismissed => Self::Dismissed,
            Why::Holdout => Self::Holdout,
            Why::Consent(_) => Self::Consent,
            Why::CartChanged { .. } => Self::CartChanged,
            Why::Expired => Self::Expired,
            Why::NotForSale { .. } | Why::PriceRose { .. } | Why::Margin { .. } => Self::Terms,
            Why::Budget { .. } => Self::Budget,
            Why::QuietHours => Self::QuietHours,
            Why::Capped | Why::NoMessages => Self::Capped,
            Why::NoHour => Self::NoHour,
            Why::Sent => Self::Withdrawn,
        }
    }
}

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
    &Group {
        title: "The recovery loop",
        about: "Noticing who has left, and handing out what was decided.",
        metrics: &[
            &SWEPT.declaration,
            &SWEEP_LATENESS.declaration,
            &HANDED.declaration,
            &ACKNOWLEDGED.declaration,
            &POSTED.declaration,
        ],
    },
    &back::GROUP,
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

/// Metrics of the loop. Cloning shares the counts.
#[derive(Clone, Debug)]
pub(crate) struct LoopMetrics {
    swept: Family<Counter>,
    lateness: Histogram,
    handed: Family<Counter>,
    acknowledged: Counter,
    posted: Family<Counter>,
    pub(crate) back: BackMetrics,
}

impl LoopMetrics {
    pub(crate) fn register(registry: &mut Registry) -> Self {
        Self {
            swept: registry.family(&SWEPT),
            lateness: registry.one(&SWEEP_LATENESS),
            handed: registry.family(&HANDED),
            acknowledged: registry.one(&ACKNOWLEDGED),
            posted: registry.family(&POSTED),
            back: BackMetrics::register(registry),
        }
    }

    pub(crate) fn swept(&self, found: Swept, people: usize) {
        self.swept.with([found.as_str()]).add(amount(people));
    }

    pub(crate) fn late(&self, late_ms: i64) {
        self.lateness.observe_ms(late_ms.max(0));
    }

    pub(crate) fn handed(&self, outcome: Handing) {
        self.handed.with([outcome.as_str()]).inc();
    }

    pub(crate) fn posted(&self, outcome: Posted) {
        self.posted.with([outcome.as_str()]).inc();
    }

    pub(crate) fn acknowledged(&self, actions: usize) {
        self.acknowledged.add(amount(actions));
    }
}

fn amount(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
