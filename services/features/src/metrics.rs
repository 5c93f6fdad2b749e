//! What the role counts, besides requests.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use feature_store::store::{Kind, Log};
use feature_store::{Ended, ItemTable, Millis, Outcome, Retention};
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

/// Logs that are cut by age, as they are named in metrics.
const CUT: [&str; 5] = ["events", "decisions", "outcomes", "outbox", "redriven"];
/// Those among them that consumer groups read.
const QUEUES: [&str; 2] = ["outbox", "redriven"];
static ENTRIES: Declared<Counter> = Declared::counter(
    "retention_entries",
    "Entries of logs that were ended by age.",
)
.labels(&[Label::closed("log", &CUT)]);
static UNREAD: Declared<Counter> = Declared::counter(
    "retention_unread_entries",
    "Entries that were ended though a consumer group had not acknowledged them, or one before them.",
)
.labels(&[Label::closed("log", &QUEUES)]);
static HELD: Declared<Gauge> = Declared::gauge(
    "retention_held_entries",
    "Entries that are old enough to be ended and stay, since a consumer group has not acknowledged them.",
)
.labels(&[Label::closed("log", &QUEUES)]);
static OLDEST: Declared<Gauge> = Declared::gauge(
    "retention_oldest_entry_age",
    "At least so old is the oldest entry of the logs that are ended by age, the last one of each partition aside; 0 for a log that is kept for good.",
)
.unit(Unit::Seconds)
.labels(&[Label::closed("log", &CUT)]);
static RECORDS: Declared<Counter> = Declared::counter(
    "retention_records",
    "Values that were ended by age; a `shopper` is a person with all ids.",
)
.labels(&[Label::closed(
    "kind",
    &[
        "shopper",
        "decision",
        "dead_letter",
        "coupon",
        "stored_cart",
        "report",
    ],
)]);
static FAILED: Declared<Counter> = Declared::counter(
    "retention_errors",
    "Runs that did not come to their end; the next one does what they left.",
);

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
    &Group {
        title: "Retention",
        about: "Of processes whose `[retention]` ends anything ([privacy](privacy.md#retention)).",
        metrics: &[
            &ENTRIES.declaration,
            &RECORDS.declaration,
            &UNREAD.declaration,
            &HELD.declaration,
            &OLDEST.declaration,
            &FAILED.declaration,
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

/// Metrics of what is ended by age.
#[derive(Clone, Debug)]
pub(crate) struct Ending {
    entries: Family<Counter>,
    unread: Family<Counter>,
    held: Family<Gauge>,
    oldest: Family<Gauge>,
    records: Family<Counter>,
    failed: Counter,
}

impl Ending {
    pub(crate) fn register(registry: &mut Registry) -> Self {
        Self {
            entries: registry.family(&ENTRIES),
            unread: registry.family(&UNREAD),
            held: registry.family(&HELD),
            oldest: registry.family(&OLDEST),
            records: registry.family(&RECORDS),
            failed: registry.one(&FAILED),
        }
    }

    /// Counts what a run ended, and shows what it found.
    pub(crate) fn ended(&self, keep: &Retention, ended: &Ended) {
        let of = |counts: &BTreeMap<Log, u64>, log| counts.get(&log).copied().unwrap_or(0);
        for (log, name) in LOGS.into_iter().zip(CUT) {
            self.entries.with([name]).add(of(&ended.entries, log));
            if keep.of(log).is_some() {
                let oldest = ended.oldest.get(&log).copied().unwrap_or_default();
                let seconds = i64::try_from(oldest.as_secs()).unwrap_or(i64::MAX);
                self.oldest.with([name]).set(seconds);
            }
            if QUEUES.contains(&name) {
                self.unread.with([name]).add(of(&ended.unread, log));
                let held = i64::try_from(of(&ended.held, log)).unwrap_or(i64::MAX);
                self.held.with([name]).set(held);
            }
        }
        for (kind, count) in &ended.records {
            if let Some(name) = name_of(*kind) {
                self.records.with([name]).add(*count);
            }
        }
    }

    pub(crate) fn failed(&self) {
        self.failed.inc();
    }
}

/// In the order of [`CUT`].
const LOGS: [Log; 5] = [
    Log::Events,
    Log::Decisions,
    Log::Outcomes,
    Log::Outbox,
    Log::Redriven,
];

fn name_of(kind: Kind) -> Option<&'static str> {
    match kind {
        Kind::Shopper => Some("shopper"),
        Kind::Decision => Some("decision"),
        Kind::DeadLetter => Some("dead_letter"),
        Kind::Coupon => Some("coupon"),
        Kind::StoredCart => Some("stored_cart"),
        Kind::Outcome => Some("report"),
        Kind::Item
        | Kind::ItemTiles
        | Kind::Offset
        | Kind::Budget
        | Kind::Policy
        | Kind::Campaigns
        | Kind::Secret
        | Kind::RowKey
        | Kind::Tombstone => None,
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

    #[test]
    fn what_a_run_ended_is_counted_by_what_it_was() {
        let mut registry = Registry::new("features");
        let metrics = Ending::register(&mut registry);
        let keep = Retention {
            outbox: Some(Duration::from_secs(86_400)),
            ..Retention::default()
        };
        let kinds = [
            Kind::Shopper,
            Kind::Decision,
            Kind::DeadLetter,
            Kind::Coupon,
            Kind::StoredCart,
            Kind::Outcome,
        ];
        let ended = Ended {
            entries: LOGS.into_iter().zip(1..).collect(),
            unread: BTreeMap::from([(Log::Outbox, 6)]),
            held: BTreeMap::from([(Log::Redriven, 7)]),
            oldest: BTreeMap::from([(Log::Outbox, Duration::from_secs(8))]),
            records: kinds.into_iter().zip(11..).collect(),
            ..Ended::default()
        };
        metrics.ended(&keep, &ended);
        metrics.failed();
        let text = kit::metrics::text::encode(&[&registry]);
        let shown = |line: &str| {
            let line = format!("cartwright_features_retention_{line}");
            assert!(
                text.lines().any(|one| one == line),
                "{line} is not in:\n{text}"
            );
        };
        for (log, count) in CUT.into_iter().zip(1..) {
            shown(&format!("entries_total{{log=\"{log}\"}} {count}"));
        }
        let names = [
            "shopper",
            "decision",
            "dead_letter",
            "coupon",
            "stored_cart",
            "report",
        ];
        for (kind, count) in names.into_iter().zip(11..) {
            shown(&format!("records_total{{kind=\"{kind}\"}} {count}"));
        }
        shown("unread_entries_total{log=\"outbox\"} 6");
        shown("held_entries{log=\"redriven\"} 7");
        shown("held_entries{log=\"outbox\"} 0");
        shown("oldest_entry_age_seconds{log=\"outbox\"} 8");
        shown("errors_total 1");
    }
}
