//! What is older than it is to be kept.

use std::time::Duration;

use feature_store::store::{Kind, Log};
use feature_store::{
    Ages, Changed, Ended, Ender, FeatureStore, FoundDecision, Millis, Retention, ShopperChange,
};

use super::{NOW, change, event, ingest, open, outbox_rows, read, rows};
use crate::on_both_stores;
use crate::support::Fixture;

on_both_stores!(
    logs_and_records_end_when_they_are_old_and_not_before,
    events_that_are_not_counted_yet_are_never_cut,
    who_runs_once_a_day_gets_to_every_partition,
    a_row_that_a_group_has_not_acknowledged_stays_until_a_second_time_is_over,
    rows_that_no_group_ever_asked_for_go_by_age,
);

/// In tests a section or a code says its moment, in days from the start.
pub(super) const AGES: Ages = Ages {
    section: |section| said(section),
    expiry: |_, record| said(record),
};

fn said(text: &[u8]) -> Option<Millis> {
    let days = std::str::from_utf8(text).ok()?.rsplit(' ').next()?;
    days.parse().ok().map(day)
}

/// Entries and values that a run ended.
pub(super) async fn run(ender: &mut Ender, now: Millis) -> (u64, u64) {
    let ended = ender.run(now).await.expect("answers");
    let entries: u64 = ended.entries.values().sum();
    (entries, ended.total() - entries)
}

pub(super) const DAYS_30: Duration = Duration::from_secs(30 * 24 * 3_600);

pub(super) fn day(n: i64) -> Millis {
    Millis(NOW.0 + n * Millis::DAY)
}

async fn logs_and_records_end_when_they_are_old_and_not_before(fixture: &Fixture) {
    let features = open(fixture).await;
    let keep = Retention {
        decisions: Some(DAYS_30),
        outcomes: Some(DAYS_30),
        ..Retention::default()
    };
    let mut ender = features.ender(keep, AGES);
    for (n, id) in [(0, "d0"), (20, "d20")] {
        let before = read(&features, "ann").await;
        let change = ShopperChange {
            at: day(n),
            ..change(id)
        };
        let changed = features.change("ann", before, change).await;
        assert_eq!(changed, Ok(Changed::Done));
        assert_eq!(run(&mut ender, day(n)).await, (0, 0), "day {n}");
    }
    assert_eq!(run(&mut ender, day(29)).await, (0, 0));
    let (mut entries, mut records) = (0, 0);
    // Each hour has another part of the partitions.
    for hour in 0..24 {
        let now = Millis(day(32).0 + hour * Millis::HOUR);
        let ended = run(&mut ender, now).await;
        (entries, records) = (entries + ended.0, records + ended.1);
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
    let mut ender = features.ender(keep, AGES);
    run(&mut ender, NOW).await;
    assert_eq!(run(&mut ender, day(40)).await, (0, 0));
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
    let ended = run(&mut ender, day(41)).await;
    assert_eq!(ended, (2, 0), "the last one stays, for its number");
    assert_eq!(rows(&features, Log::Events).await, (1, 0));
}

async fn who_runs_once_a_day_gets_to_every_partition(fixture: &Fixture) {
    let features = open(fixture).await;
    let keep = Retention {
        decisions: Some(DAYS_30),
        ..Retention::default()
    };
    for n in 0..40 {
        let id = format!("shopper {n}");
        let before = read(&features, &id).await;
        let change = change(&format!("d{n}"));
        let changed = features.change(&id, before, change).await;
        assert_eq!(changed, Ok(Changed::Done));
    }
    let mut ender = features.ender(keep, AGES);
    assert_eq!(run(&mut ender, NOW).await, (0, 0));
    let ended = ender.run(day(32)).await.expect("answers");
    assert_eq!(ended.records[&Kind::Decision], 40);
}

/// A row in ann's outbox.
async fn waits(features: &FeatureStore, row: &str) {
    let before = read(features, "ann").await;
    let change = ShopperChange {
        at: NOW,
        outbox: vec![row.to_owned().into()],
        ..ShopperChange::default()
    };
    let changed = features.change("ann", before, change).await;
    assert_eq!(changed, Ok(Changed::Done));
}

fn of_outbox(ended: &Ended) -> [u64; 3] {
    [&ended.entries, &ended.held, &ended.unread]
        .map(|counts| counts.get(&Log::Outbox).copied().unwrap_or(0))
}

async fn a_row_that_a_group_has_not_acknowledged_stays_until_a_second_time_is_over(
    fixture: &Fixture,
) {
    let features = open(fixture).await;
    let keep = Retention {
        outbox: Some(DAYS_30),
        unread: Some(3 * DAYS_30),
        ..Retention::default()
    };
    // It asked when there was nothing, and has not been back since.
    assert_eq!(outbox_rows(&features, "late", NOW, 9).await, []);
    for row in ["1", "2", "3", "4"] {
        waits(&features, row).await;
    }
    let mail = outbox_rows(&features, "mail", NOW, 2).await;
    let ack = async |group: &str, rows: &[(feature_store::store::Partition, u64)]| {
        let acked = features.ack_queue(Log::Outbox, group, rows);
        acked.await.expect("answers");
    };
    ack("mail", &mail[..1]).await;
    let mut ender = features.ender(keep, AGES);
    let ended = ender.run(NOW).await.expect("answers");
    assert_eq!(of_outbox(&ended), [0, 0, 0]);
    let ended = ender.run(day(31)).await.expect("answers");
    assert_eq!(of_outbox(&ended), [0, 3, 0], "all but the last are old");
    assert_eq!(ended.behind, ["late", "mail"]);
    assert_eq!(ended.oldest[&Log::Outbox], Duration::from_hours(31 * 24));
    let late = outbox_rows(&features, "late", day(31), 9).await;
    assert_eq!(late.len(), 4, "nothing was missed");
    ack("late", &late).await;
    let ended = ender.run(day(32)).await.expect("answers");
    assert_eq!(of_outbox(&ended), [1, 2, 0], "which both have acknowledged");
    assert_eq!(ended.behind, ["mail"]);
    let ended = ender.run(day(89)).await.expect("answers");
    assert_eq!(of_outbox(&ended), [0, 2, 0]);
    let ended = ender.run(day(91)).await.expect("answers");
    assert_eq!(of_outbox(&ended), [2, 0, 2], "unread, and cut all the same");
    assert_eq!(ended.behind, ["mail"]);
    assert_eq!(ended.oldest.get(&Log::Outbox), None, "the last one aside");
    let left = outbox_rows(&features, "mail", day(91), 9).await;
    assert_eq!(left.iter().map(|(_, at)| *at).collect::<Vec<_>>(), [4]);
}

async fn rows_that_no_group_ever_asked_for_go_by_age(fixture: &Fixture) {
    let features = open(fixture).await;
    let keep = Retention {
        outbox: Some(DAYS_30),
        ..Retention::default()
    };
    for row in ["1", "2", "3"] {
        waits(&features, row).await;
    }
    let mut ender = features.ender(keep, AGES);
    assert_eq!(run(&mut ender, NOW).await, (0, 0));
    let ended = ender.run(day(31)).await.expect("answers");
    assert_eq!(of_outbox(&ended), [2, 0, 0]);
    assert_eq!(ended.behind, Vec::<String>::new());
}
