//! What the role counts, besides requests.

use std::sync::Arc;
use std::time::Duration;

use feature_store::{ItemTable, Millis, Outcome};
use kit::Clock;
use kit::metrics::{
    Counter, Declared, Family, Gauge, Group, Histogram, Label, Registry, StageTimes, Unit, age,
    count, serving, store,
};

static EVENTS: Declared<Counter> =
    Declared::counter("events", "Events answered, by what became of them.").labels(&[
        Label::closed(
            "outcome",
            &[
                "accepted",
                "duplicate",
                "too_late",
                "too_early",
                "invalid",
                "bot_rate",
            ],
        ),
    ]);
static LATENESS: Declared<Histogram> = Declared::ages(
    "event_lateness",
    "How late accepted events come in: from `occurred_at`, as their sender says, to `accepted_at`, the role's clock when their batch came in.",
);
static COMMIT: Declared<Histogram> = Declared::latency(
    "event_commit_duration",
    "From the arrival of an accepted event's batch until the store has acknowledged it, which is when `GetFeatures` can first read it.",
);
static FRESHNESS: Declared<Histogram> = Declared::ages(
    "event_freshness",
    "From `occurred_at` of an accepted event until `GetFeatures` can read it: lateness and commit together, by the role's clock.",
);
static STAGES: Declared<Histogram> = Declared::latency(
    "stage_duration",
    "Time of one stage of a request, waiting included; `read` and `write` contain the `redis` in them.",
)
.labels(&[Label::closed(
    "stage",
    &["read", "redis", "decode", "compute", "write"],
)]);
static ROWS: Declared<Gauge> =
    Declared::gauge("item_table_rows", "Items in the in-memory item table.");
static LAG: Declared<Gauge> = Declared::gauge(
    "item_table_lag",
    "Age of the minute up to which item statistics are counted; up to two minutes when all is well. Nothing until the table is loaded.",
)
.unit(Unit::Seconds);
static SUBSCRIBERS: Declared<Gauge> =
    Declared::gauge("item_subscribers", "Streams of item updates that are open.");

/// What the role shows, besides what every role shows.
pub static GROUPS: &[&Group] = &[
    &Group {
        title: "Events",
        about: "",
        metrics: &[
            &EVENTS.declaration,
            &LATENESS.declaration,
            &COMMIT.declaration,
            &FRESHNESS.declaration,
        ],
    },
    &Group {
        title: "Stages",
        about: "",
        metrics: &[&STAGES.declaration],
    },
    &store::GROUP,
    &Group {
        title: "Item table",
        about: "",
        metrics: &[
            &ROWS.declaration,
            &LAG.declaration,
            &SUBSCRIBERS.declaration,
        ],
    },
    &kit::breaker::STORE_GROUP,
    &serving::GENERATION_GROUP,
    &generations::metrics::GROUP,
];

/// Registers the times of the role's stages.
pub(crate) fn stages(registry: &mut Registry) -> StageTimes {
    StageTimes::register(registry, &STAGES)
}

/// Metrics of the features role. Cloning shares the counts.
#[derive(Clone, Debug)]
pub struct Metrics {
    events: Family<Counter>,
    lateness: Histogram,
    commit: Histogram,
    freshness: Histogram,
    /// Open `StreamItemUpdates` streams.
    pub(crate) subscribers: Gauge,
}

impl Metrics {
    /// Registers the role's metrics.
    pub fn register(registry: &mut Registry, items: Arc<ItemTable>, clock: Clock) -> Self {
        let metrics = Self {
            events: registry.family(&EVENTS),
            lateness: registry.one(&LATENESS),
            commit: registry.one(&COMMIT),
            freshness: registry.one(&FRESHNESS),
            subscribers: registry.one(&SUBSCRIBERS),
        };
        let table = items.clone();
        registry.watch(&ROWS, move || Some(count(table.len())));
        registry.watch(&LAG, move || {
            let as_of = items.as_of();
            let lag_ms = clock.now_ms().saturating_sub(as_of.0);
            (as_of != Millis(0)).then(|| age::seconds(lag_ms))
        });
        metrics
    }

    /// Counts one event.
    pub(crate) fn count(&self, outcome: &Outcome) {
        let outcome = match outcome {
            Outcome::Accepted => "accepted",
            Outcome::Duplicate => "duplicate",
            Outcome::Rejected(rejection) => rejection.code.as_str(),
        };
        self.events.with([outcome]).inc();
    }

    /// Counts the times of an event that was accepted.
    pub(crate) fn accepted(&self, times: &Times) {
        let lateness_ms = times.accepted_at.0.saturating_sub(times.occurred_at.0);
        let readable_ms = times.readable_at.0.saturating_sub(times.occurred_at.0);
        self.lateness.observe_ms(lateness_ms);
        self.freshness.observe_ms(readable_ms);
        self.commit.observe(times.commit);
    }
}

/// When what happened to an accepted event.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Times {
    pub(crate) occurred_at: Millis,
    pub(crate) accepted_at: Millis,
    /// By the role's clock.
    pub(crate) readable_at: Millis,
    /// From arrival to the store's acknowledgement.
    pub(crate) commit: Duration,
}

#[cfg(test)]
mod tests {
    use feature_store::{RejectCode, Rejection};

    use super::*;

    #[test]
    fn every_outcome_is_shown() {
        let mut registry = Registry::new("features");
        let items = Arc::new(ItemTable::new());
        let metrics = Metrics::register(&mut registry, items, Clock::real());
        let rejected = |code| {
            Outcome::Rejected(Rejection {
                code,
                field: "",
                detail: String::new(),
            })
        };
        metrics.count(&Outcome::Accepted);
        metrics.count(&Outcome::Duplicate);
        metrics.count(&rejected(RejectCode::TooLate));
        metrics.count(&rejected(RejectCode::TooEarly));
        metrics.count(&rejected(RejectCode::Invalid));
        metrics.count(&rejected(RejectCode::BotRate));
        let text = kit::metrics::text::encode(&[&registry]);
        let counted = text.lines().filter(|line| {
            line.starts_with("cartwright_features_events_total") && line.ends_with("} 1")
        });
        assert_eq!(counted.count(), 6, "{text}");
    }
}
