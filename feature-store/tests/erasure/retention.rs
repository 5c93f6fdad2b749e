//! What is older than it is to be kept.

use std::time::Duration;

use feature_store::store::Log;
use feature_store::{Changed, FoundDecision, Millis, Retention, ShopperChange};

use super::{NOW, change, event, ingest, open, read, rows};
use crate::on_both_stores;
use crate::support::Fixture;

on_both_stores!(
    logs_and_records_end_when_they_are_old_and_not_before,
    events_that_are_not_counted_yet_are_never_cut,
);

const DAYS_30: Duration = Duration::from_secs(30 * 24 * 3_600);

fn day(n: i64) -> Millis {
    Millis(NOW.0 + n * Millis::DAY)
}

async fn logs_and_records_end_when_they_are_old_and_not_before(fixture: &Fixture) {
    let features = open(fixture).await;
    let keep = Retention {
        decisions: Some(DAYS_30),
        outcomes: Some(DAYS_30),
        ..Retention::default()
    };
    for (n, id) in [(0, "d0"), (20, "d20")] {
        let before = read(&features, "ann").await;
        let change = ShopperChange {
            at: day(n),
            ..change(id)
        };
        let changed = features.change("ann", before, change).await;
        assert_eq!(changed, Ok(Changed::Done));
        let ended = features
            .end_what_is_old(&keep, day(n))
            .await
            .expect("answers");
        assert_eq!((ended.entries, ended.records), (0, 0), "day {n}");
    }
    let early = features
        .end_what_is_old(&keep, day(29))
        .await
        .expect("answers");
    assert_eq!((early.entries, early.records), (0, 0));
    let (mut entries, mut records) = (0, 0);
    // Each hour has another part of the partitions.
    for hour in 0..24 {
        let now = Millis(day(32).0 + hour * Millis::HOUR);
        let ended = features.end_what_is_old(&keep, now).await.expect("answers");
        (entries, records) = (entries + ended.entries, records + ended.records);
    }
    assert_eq!(
        (entries, records),
        (2, 1),
        "a decision, an outcome, a record"
    );
    for log in [Log::Decisions, Log::Outcomes] {
        assert_eq!(rows(&features, log).await, (1, 0), "{log:?}");
    }
    assert_eq!(rows(&features, Log::Outbox).await, (2, 0), "kept for good");
    assert_eq!(features.decision("ann", "d0").await, Ok(None));
    let found = features.decision("ann", "d20").await.expect("answers");
    assert!(matches!(found, Some(FoundDecision::Record(_))));
}

async fn events_that_are_not_counted_yet_are_never_cut(fixture: &Fixture) {
    let features = open(fixture).await;
    let keep = Retention {
        events: Some(DAYS_30),
        ..Retention::default()
    };
    ingest(
        &features,
        &[event("ann", 1), event("ann", 2), event("ann", 3)],
    )
    .await;
    features.end_what_is_old(&keep, NOW).await.expect("answers");
    let ended = features
        .end_what_is_old(&keep, day(40))
        .await
        .expect("answers");
    assert_eq!(ended.entries, 0);
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let following = features.follow_items(|| day(40), async {
        stopped.await.ok();
    });
    let counted = async {
        while features.items().as_of() == Millis(0) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        stop.send(()).ok();
    };
    tokio::join!(following, counted);
    let ended = features
        .end_what_is_old(&keep, day(41))
        .await
        .expect("answers");
    assert_eq!(ended.entries, 2, "the last one stays, for its number");
    assert_eq!(rows(&features, Log::Events).await, (1, 0));
}
