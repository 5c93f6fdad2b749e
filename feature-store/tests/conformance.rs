//! What every store must do, asked of both.
#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a test says what it expects"
)]

mod support;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use feature_store::Millis;
use feature_store::store::{
    Commit, CommitOutcome, Due, Durability, GroupPlace, Key, Kind, Log, LogEntry, Op, Partition,
    Place, Redis, RedisSettings, Store, Versioned,
};
use support::{Fixture, open_embedded};

on_both_stores!(
    a_version_counts_the_writes,
    reads_answer_in_the_order_of_the_keys,
    a_conflict_leaves_nothing_half_done,
    a_conflict_does_not_stop_its_neighbours,
    an_expectation_changes_nothing_and_guards_the_rest,
    a_deleted_value_is_absent,
    of_several_changes_to_one_thing_the_last_counts,
    logs_are_gapless_and_ordered,
    logs_of_partitions_and_kinds_are_apart,
    a_log_is_cut_at_its_beginning,
    eight_writers_lose_no_entry,
    eight_writers_lose_no_increment,
    what_is_due_is_claimed_for_a_time,
    a_cancelled_deadline_is_never_due,
    a_limit_claims_the_longest_due,
    two_claimers_never_get_the_same,
    a_group_gets_each_entry_once,
    an_expired_delivery_comes_again,
    a_lease_is_extended_by_whoever_still_holds_it,
    groups_do_not_disturb_each_other,
    lists_know_the_ids_of_a_kind,
    a_walk_meets_every_value_of_a_kind,
    a_deadline_is_read_and_stays_as_it_is,
    a_group_stands_before_the_first_entry_that_it_has_not_acknowledged,
    any_bytes_and_ids_are_kept,
    a_large_batch_is_one_call,
    everything_is_there_after_reopening,
);

const LEASE: Duration = Duration::from_secs(10);

fn partition(number: u16) -> Partition {
    Partition::new(number).expect("is one")
}

fn key(number: u16, id: &str) -> Key {
    Key {
        partition: partition(number),
        kind: Kind::Shopper,
        id: id.to_owned(),
    }
}

fn put(key: &Key, expected: u64, value: &str) -> Op {
    Op::Put {
        key: key.clone(),
        expected,
        value: Bytes::from(value.to_owned()),
    }
}

fn append(log: Log, value: &str) -> Op {
    Op::Append {
        log,
        value: Bytes::from(value.to_owned()),
    }
}

fn schedule(id: &str, due_at: i64) -> Op {
    Op::Schedule {
        id: id.to_owned(),
        due_at: Millis(due_at),
    }
}

fn cancel(id: &str) -> Op {
    Op::Cancel { id: id.to_owned() }
}

async fn commit(store: &dyn Store, number: u16, ops: Vec<Op>) -> CommitOutcome {
    let commit = Commit {
        partition: partition(number),
        ops,
    };
    store.commit(vec![commit]).await.expect("answers").remove(0)
}

async fn done(store: &dyn Store, number: u16, ops: Vec<Op>) {
    assert_eq!(commit(store, number, ops).await, CommitOutcome::Done);
}

async fn get(store: &dyn Store, key: &Key) -> Option<(u64, Bytes)> {
    let values = store
        .get_many(std::slice::from_ref(key))
        .await
        .expect("answers");
    values
        .into_iter()
        .next()
        .flatten()
        .map(|value| (value.version, value.value))
}

async fn log(store: &dyn Store, number: u16, log: Log) -> Vec<(u64, String)> {
    let from = [(partition(number), log, 0)];
    let entries = store
        .read_logs(&from, 100_000)
        .await
        .expect("answers")
        .remove(0);
    readable(entries)
}

fn readable(entries: Vec<LogEntry>) -> Vec<(u64, String)> {
    let text = |value: Bytes| String::from_utf8(value.to_vec()).expect("is text");
    entries
        .into_iter()
        .map(|entry| (entry.sequence, text(entry.value)))
        .collect()
}

async fn claim(store: &dyn Store, now: i64, limit: usize) -> Vec<(String, i64)> {
    let partitions: Vec<_> = Partition::all().collect();
    let claimed = store
        .claim_due(&partitions, Millis(now), LEASE, limit)
        .await
        .expect("answers");
    claimed
        .into_iter()
        .map(|Due { id, due_at, .. }| (id, due_at.0))
        .collect()
}

async fn deliver(store: &dyn Store, group: &str, now: i64, limit: usize) -> Vec<u64> {
    let read = store.read_group(
        partition(1),
        Log::Outbox,
        group,
        "consumer",
        LEASE,
        Millis(now),
        limit,
    );
    read.await
        .expect("answers")
        .into_iter()
        .map(|entry| entry.sequence)
        .collect()
}

async fn a_version_counts_the_writes(fixture: &Fixture) {
    let store = fixture.open().await;
    let a = key(1, "a");
    assert_eq!(get(&*store, &a).await, None);
    done(&*store, 1, vec![put(&a, 0, "one")]).await;
    assert_eq!(get(&*store, &a).await, Some((1, Bytes::from("one"))));
    let conflict = CommitOutcome::Conflict { key: a.clone() };
    assert_eq!(commit(&*store, 1, vec![put(&a, 0, "no")]).await, conflict);
    assert_eq!(commit(&*store, 1, vec![put(&a, 2, "no")]).await, conflict);
    for version in 1..600 {
        done(&*store, 1, vec![put(&a, version, "more")]).await;
    }
    assert_eq!(get(&*store, &a).await, Some((600, Bytes::from("more"))));
}

async fn reads_answer_in_the_order_of_the_keys(fixture: &Fixture) {
    let store = fixture.open().await;
    done(&*store, 1, vec![put(&key(1, "a"), 0, "a1")]).await;
    done(&*store, 2, vec![put(&key(2, "a"), 0, "a2")]).await;
    let keys = [key(2, "a"), key(1, "none"), key(1, "a"), key(2, "a")];
    let values = store.get_many(&keys).await.expect("answers");
    let values: Vec<_> = values
        .into_iter()
        .map(|value| value.map(|value| value.value))
        .collect();
    let (a1, a2) = (Some(Bytes::from("a1")), Some(Bytes::from("a2")));
    assert_eq!(values, [a2.clone(), None, a1, a2]);
    assert_eq!(store.get_many(&[]).await, Ok(Vec::new()));
}

async fn a_conflict_leaves_nothing_half_done(fixture: &Fixture) {
    let store = fixture.open().await;
    let (a, b) = (key(1, "a"), key(1, "b"));
    done(&*store, 1, vec![put(&b, 0, "b"), schedule("kept", 5)]).await;
    let tile = Key {
        kind: Kind::ItemTiles,
        ..a.clone()
    };
    let ops = vec![
        append(Log::Events, "e"),
        put(&a, 0, "a"),
        put(&tile, 0, "t"),
        schedule("new", 1),
        cancel("kept"),
        put(&b, 7, "no"),
        append(Log::Decisions, "d"),
    ];
    assert_eq!(
        commit(&*store, 1, ops).await,
        CommitOutcome::Conflict { key: b.clone() }
    );
    assert_eq!(get(&*store, &a).await, None);
    assert_eq!(get(&*store, &tile).await, None);
    assert_eq!(get(&*store, &b).await, Some((1, Bytes::from("b"))));
    assert_eq!(store.list(partition(1), Kind::ItemTiles).await, Ok(vec![]));
    assert_eq!(log(&*store, 1, Log::Events).await, []);
    let logs = [(partition(1), Log::Events), (partition(1), Log::Decisions)];
    assert_eq!(store.log_ends(&logs).await, Ok(vec![0, 0]));
    assert_eq!(claim(&*store, 100, 10).await, [("kept".to_owned(), 5)]);
}

async fn a_conflict_does_not_stop_its_neighbours(fixture: &Fixture) {
    let store = fixture.open().await;
    let commits = (0..9).map(|number| Commit {
        partition: partition(number),
        ops: vec![
            put(&key(number, "a"), u64::from(number % 3 == 1), "x"),
            append(Log::Events, "e"),
        ],
    });
    let outcomes = store.commit(commits.collect()).await.expect("answers");
    for number in 0..9 {
        let conflicts = number % 3 == 1;
        let expected = match conflicts {
            true => CommitOutcome::Conflict {
                key: key(number, "a"),
            },
            false => CommitOutcome::Done,
        };
        assert_eq!(outcomes[usize::from(number)], expected);
        assert_eq!(
            log(&*store, number, Log::Events).await.is_empty(),
            conflicts
        );
    }
}

async fn an_expectation_changes_nothing_and_guards_the_rest(fixture: &Fixture) {
    let store = fixture.open().await;
    let (a, b) = (key(1, "a"), key(1, "b"));
    let expect = |key: &Key, expected| Op::Expect {
        key: key.clone(),
        expected,
    };
    done(&*store, 1, vec![put(&a, 0, "a"), expect(&b, 0)]).await;
    done(&*store, 1, vec![expect(&a, 1), schedule("x", 5)]).await;
    assert_eq!(get(&*store, &a).await, Some((1, Bytes::from("a"))));
    let ops = vec![schedule("x", 9), append(Log::Outcomes, "o"), expect(&a, 2)];
    assert_eq!(
        commit(&*store, 1, ops).await,
        CommitOutcome::Conflict { key: a.clone() }
    );
    let ops = vec![put(&a, 1, "a2"), expect(&b, 1), cancel("x")];
    assert_eq!(
        commit(&*store, 1, ops).await,
        CommitOutcome::Conflict { key: b }
    );
    assert_eq!(get(&*store, &a).await, Some((1, Bytes::from("a"))));
    assert_eq!(log(&*store, 1, Log::Outcomes).await, []);
    assert_eq!(claim(&*store, 100, 10).await, [("x".to_owned(), 5)]);
}

async fn a_deleted_value_is_absent(fixture: &Fixture) {
    let store = fixture.open().await;
    let a = key(1, "a");
    let delete = |expected| Op::Delete {
        key: a.clone(),
        expected,
    };
    done(&*store, 1, vec![put(&a, 0, "a")]).await;
    let conflict = CommitOutcome::Conflict { key: a.clone() };
    assert_eq!(commit(&*store, 1, vec![delete(2)]).await, conflict);
    done(&*store, 1, vec![delete(1)]).await;
    assert_eq!(get(&*store, &a).await, None);
    done(&*store, 1, vec![put(&a, 0, "again")]).await;
    assert_eq!(get(&*store, &a).await, Some((1, Bytes::from("again"))));
}

async fn of_several_changes_to_one_thing_the_last_counts(fixture: &Fixture) {
    let store = fixture.open().await;
    let a = key(1, "a");
    let ops = vec![
        put(&a, 0, "first"),
        put(&a, 0, "last"),
        schedule("x", 1),
        cancel("x"),
        schedule("x", 3),
        schedule("y", 1),
        cancel("y"),
    ];
    done(&*store, 1, ops).await;
    assert_eq!(get(&*store, &a).await, Some((1, Bytes::from("last"))));
    assert_eq!(claim(&*store, 100, 10).await, [("x".to_owned(), 3)]);
}

async fn logs_are_gapless_and_ordered(fixture: &Fixture) {
    let store = fixture.open().await;
    for n in 0..40 {
        let ops = (0..5).map(|m| append(Log::Events, &format!("{}", 5 * n + m + 1)));
        done(&*store, 1, ops.collect()).await;
    }
    let expected: Vec<_> = (1..=200).map(|n| (n, n.to_string())).collect();
    assert_eq!(log(&*store, 1, Log::Events).await, expected);
    let p = partition(1);
    let from = [
        (p, Log::Events, 190),
        (p, Log::Events, 200),
        (p, Log::Events, 0),
    ];
    let logs = store.read_logs(&from, 7).await.expect("answers");
    let sequences: Vec<Vec<_>> = logs
        .iter()
        .map(|log| log.iter().map(|entry| entry.sequence).collect())
        .collect();
    assert_eq!(
        sequences,
        [
            vec![191, 192, 193, 194, 195, 196, 197],
            vec![],
            vec![1, 2, 3, 4, 5, 6, 7]
        ]
    );
    assert_eq!(store.log_ends(&[(p, Log::Events)]).await, Ok(vec![200]));
    assert_eq!(
        store.read_logs(&[(p, Log::Events, u64::MAX)], 7).await,
        Ok(vec![vec![]])
    );
}

async fn a_log_is_cut_at_its_beginning(fixture: &Fixture) {
    let store = fixture.open().await;
    for number in [1, 2] {
        let ops = (1..=3_000).map(|n| append(Log::Outbox, &n.to_string()));
        done(&*store, number, ops.collect()).await;
    }
    assert_eq!(deliver(&*store, "mail", 0, 3).await, [1, 2, 3]);
    let cut = [
        (partition(1), Log::Outbox, 2_998),
        (partition(3), Log::Outbox, 9),
    ];
    assert_eq!(store.trim_logs(&cut).await, Ok(2_998));
    assert_eq!(store.trim_logs(&cut).await, Ok(0));
    let left = log(&*store, 1, Log::Outbox).await;
    assert_eq!(
        left,
        [(2_999, "2999".to_owned()), (3_000, "3000".to_owned())]
    );
    assert_eq!(log(&*store, 2, Log::Outbox).await.len(), 3_000);
    let later = i64::try_from(LEASE.as_millis()).expect("is short");
    assert_eq!(deliver(&*store, "mail", later, 9).await, [2_999, 3_000]);
    drop(store);
    let store = fixture.open().await;
    done(&*store, 1, vec![append(Log::Outbox, "more")]).await;
    let ends = store.log_ends(&[(partition(1), Log::Outbox)]).await;
    assert_eq!(ends, Ok(vec![3_001]), "numbers go on");
}

async fn logs_of_partitions_and_kinds_are_apart(fixture: &Fixture) {
    let store = fixture.open().await;
    let logs = [Log::Events, Log::Catalog, Log::Outbox, Log::Decisions];
    for number in [0, 1, 255] {
        let ops = logs
            .iter()
            .map(|log| append(*log, &format!("{number} {log:?}")));
        done(&*store, number, ops.collect()).await;
    }
    for number in [0, 1, 255] {
        for kind in logs {
            let entries = log(&*store, number, kind).await;
            assert_eq!(entries, [(1, format!("{number} {kind:?}"))]);
        }
    }
}

async fn eight_writers_lose_no_entry(fixture: &Fixture) {
    let store = fixture.open().await;
    let writers = (0..8).map(|writer| {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            for n in 0..50 {
                done(
                    &*store,
                    1,
                    vec![append(Log::Outbox, &format!("{writer} {n}"))],
                )
                .await;
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.expect("ends");
    }
    let entries = log(&*store, 1, Log::Outbox).await;
    assert!(entries.iter().map(|(sequence, _)| *sequence).eq(1..=400));
    for writer in 0..8 {
        let own = entries
            .iter()
            .filter_map(|(_, text)| text.strip_prefix(&format!("{writer} ")));
        assert!(own.map(|n| n.parse::<u32>().expect("a number")).eq(0..50));
    }
}

async fn eight_writers_lose_no_increment(fixture: &Fixture) {
    let store = fixture.open().await;
    let writers = (0..8).map(|_| {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            for _ in 0..125 {
                increment(&*store).await;
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.expect("ends");
    }
    assert_eq!(
        get(&*store, &key(1, "n")).await,
        Some((1_000, Bytes::from("1000")))
    );
    assert_eq!(log(&*store, 1, Log::Events).await.len(), 1_000);
}

async fn increment(store: &dyn Store) {
    let n = key(1, "n");
    loop {
        let (version, value) = get(store, &n).await.unwrap_or((0, Bytes::from("0")));
        let value: u64 = std::str::from_utf8(&value)
            .expect("text")
            .parse()
            .expect("a number");
        let ops = vec![
            put(&n, version, &(value + 1).to_string()),
            append(Log::Events, "+1"),
        ];
        if commit(store, 1, ops).await == CommitOutcome::Done {
            return;
        }
    }
}

async fn what_is_due_is_claimed_for_a_time(fixture: &Fixture) {
    let store = fixture.open().await;
    done(
        &*store,
        1,
        vec![schedule("late", 2_000), schedule("early", 1_000)],
    )
    .await;
    done(&*store, 2, vec![schedule("early", 1_500)]).await;
    assert_eq!(claim(&*store, 999, 10).await, []);
    assert_eq!(
        claim(&*store, 1_000, 10).await,
        [("early".to_owned(), 1_000)]
    );
    let expected = [("early".to_owned(), 1_500), ("late".to_owned(), 2_000)];
    assert_eq!(claim(&*store, 10_999, 10).await, expected);
    // The claimer of the first died: its lease of 10 s ends at 11,000.
    assert_eq!(
        claim(&*store, 11_000, 10).await,
        [("early".to_owned(), 11_000)]
    );
    assert_eq!(claim(&*store, 11_000, 10).await, []);
}

async fn a_cancelled_deadline_is_never_due(fixture: &Fixture) {
    let store = fixture.open().await;
    done(
        &*store,
        1,
        vec![schedule("a", 1), schedule("b", 2), schedule("c", 3)],
    )
    .await;
    done(
        &*store,
        1,
        vec![cancel("a"), cancel("never was"), schedule("c", 50)],
    )
    .await;
    assert_eq!(claim(&*store, 10, 10).await, [("b".to_owned(), 2)]);
    done(&*store, 1, vec![cancel("b")]).await;
    assert_eq!(claim(&*store, 1_000_000, 10).await, [("c".to_owned(), 50)]);
}

async fn a_limit_claims_the_longest_due(fixture: &Fixture) {
    let store = fixture.open().await;
    for number in 0..20 {
        let due_at = 100 - i64::from(number);
        done(
            &*store,
            number,
            vec![schedule(&format!("{number:02}"), due_at)],
        )
        .await;
    }
    let ids =
        |claimed: Vec<(String, i64)>| -> Vec<_> { claimed.into_iter().map(|due| due.0).collect() };
    assert_eq!(ids(claim(&*store, 1_000, 3).await), ["19", "18", "17"]);
    assert_eq!(ids(claim(&*store, 1_000, 3).await), ["16", "15", "14"]);
    assert_eq!(claim(&*store, 1_000, 100).await.len(), 14);
}

async fn two_claimers_never_get_the_same(fixture: &Fixture) {
    let store = fixture.open().await;
    for number in 0..16 {
        let ops = (0..20).map(|n| schedule(&format!("{number} {n}"), 1));
        done(&*store, number, ops.collect()).await;
    }
    let claimers = (0..8).map(|_| {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            let mut all = Vec::new();
            loop {
                let claimed = claim(&*store, 100, 7).await;
                if claimed.is_empty() {
                    return all;
                }
                all.extend(claimed);
            }
        })
    });
    let mut all = Vec::new();
    for claimer in claimers.collect::<Vec<_>>() {
        all.extend(claimer.await.expect("ends"));
    }
    let count = all.len();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), count, "a deadline was claimed twice");
    // A claimer that loses every race leaves early; what all of them left is still there.
    all.extend(claim(&*store, 100, 1_000).await);
    assert_eq!(all.len(), 320);
}

async fn a_group_gets_each_entry_once(fixture: &Fixture) {
    let store = fixture.open().await;
    assert_eq!(deliver(&*store, "mail", 0, 10).await, []);
    done(
        &*store,
        1,
        (0..5)
            .map(|n| append(Log::Outbox, &n.to_string()))
            .collect(),
    )
    .await;
    assert_eq!(deliver(&*store, "mail", 0, 2).await, [1, 2]);
    assert_eq!(deliver(&*store, "mail", 0, 2).await, [3, 4]);
    assert_eq!(deliver(&*store, "mail", 0, 2).await, [5]);
    assert_eq!(deliver(&*store, "mail", 0, 2).await, []);
    done(&*store, 1, vec![append(Log::Outbox, "more")]).await;
    assert_eq!(deliver(&*store, "mail", 0, 2).await, [6]);
}

async fn an_expired_delivery_comes_again(fixture: &Fixture) {
    let store = fixture.open().await;
    done(
        &*store,
        1,
        (0..4)
            .map(|n| append(Log::Outbox, &n.to_string()))
            .collect(),
    )
    .await;
    assert_eq!(deliver(&*store, "mail", 0, 3).await, [1, 2, 3]);
    store
        .ack_group(partition(1), Log::Outbox, "mail", &[2])
        .await
        .expect("answers");
    assert_eq!(deliver(&*store, "mail", 9_999, 2).await, [4]);
    assert_eq!(deliver(&*store, "mail", 10_000, 10).await, [1, 3]);
    store
        .ack_group(partition(1), Log::Outbox, "mail", &[1, 3])
        .await
        .expect("answers");
    assert_eq!(deliver(&*store, "mail", 19_999, 10).await, [4]);
    store
        .ack_group(partition(1), Log::Outbox, "mail", &[4, 99])
        .await
        .expect("answers");
    assert_eq!(deliver(&*store, "mail", 1_000_000, 10).await, []);
}

async fn a_lease_is_extended_by_whoever_still_holds_it(fixture: &Fixture) {
    let store = fixture.open().await;
    let entries = (0..4).map(|n| append(Log::Outbox, &n.to_string()));
    done(&*store, 1, entries.collect()).await;
    assert_eq!(deliver(&*store, "mail", 0, 4).await, [1, 2, 3, 4]);
    assert_eq!(deliver(&*store, "push", 0, 4).await, [1, 2, 3, 4]);
    let extend = async |group: &'static str, held: &[(u64, i64)], until| {
        let held: Vec<_> = held.iter().map(|(at, end)| (*at, Millis(*end))).collect();
        let extended = store.extend_group(partition(1), Log::Outbox, group, &held, Millis(until));
        extended.await.expect("answers")
    };
    let acked = store.ack_group(partition(1), Log::Outbox, "mail", &[2]);
    acked.await.expect("answers");
    let held = [
        (3, 10_000),
        (1, 10_000),
        (2, 10_000),
        (99, 10_000),
        (4, 9_999),
    ];
    assert_eq!(extend("mail", &held, 25_000).await, [3, 1]);
    assert_eq!(extend("mail", &[], 25_000).await, []);
    assert_eq!(deliver(&*store, "mail", 24_999, 10).await, [4]);
    assert_eq!(
        extend("mail", &[(3, 10_000)], 90_000).await,
        [],
        "it ends later now"
    );
    assert_eq!(
        extend("mail", &[(3, 25_000)], 40_000).await,
        [3],
        "its end has come, nobody took it"
    );
    assert_eq!(deliver(&*store, "mail", 26_000, 10).await, [1]);
    assert_eq!(
        extend("mail", &[(1, 25_000)], 90_000).await,
        [],
        "it was handed out again"
    );
    assert_eq!(extend("mail", &[(1, 36_000)], 90_000).await, [1]);
    assert_eq!(deliver(&*store, "mail", 34_999, 10).await, [4]);
    assert_eq!(deliver(&*store, "mail", 40_000, 10).await, [3]);
    assert_eq!(
        deliver(&*store, "push", 10_000, 10).await,
        [1, 2, 3, 4],
        "another group"
    );
}

async fn groups_do_not_disturb_each_other(fixture: &Fixture) {
    let store = fixture.open().await;
    done(
        &*store,
        1,
        vec![append(Log::Outbox, "a"), append(Log::Outbox, "b")],
    )
    .await;
    done(&*store, 2, vec![append(Log::Outbox, "elsewhere")]).await;
    assert_eq!(deliver(&*store, "mail", 0, 10).await, [1, 2]);
    store
        .ack_group(partition(1), Log::Outbox, "mail", &[1, 2])
        .await
        .expect("answers");
    assert_eq!(deliver(&*store, "mai", 0, 1).await, [1]);
    assert_eq!(deliver(&*store, "mail2", 0, 10).await, [1, 2]);
    assert_eq!(deliver(&*store, "mai", 50_000, 10).await, [1, 2]);
    assert_eq!(deliver(&*store, "mail", 50_000, 10).await, []);
}

async fn lists_know_the_ids_of_a_kind(fixture: &Fixture) {
    let store = fixture.open().await;
    let named = |kind, id: &str| Key { kind, ..key(1, id) };
    let ops = ["b", "a", "c"]
        .iter()
        .map(|id| put(&named(Kind::Item, id), 0, "x"));
    done(&*store, 1, ops.collect()).await;
    done(&*store, 1, vec![put(&named(Kind::ItemTiles, "h1"), 0, "x")]).await;
    done(&*store, 1, vec![put(&named(Kind::Item, "b"), 1, "y")]).await;
    let delete = Op::Delete {
        key: named(Kind::Item, "c"),
        expected: 1,
    };
    done(&*store, 1, vec![delete]).await;
    let list = |number, kind| store.list(partition(number), kind);
    assert_eq!(
        list(1, Kind::Item).await,
        Ok(vec!["a".to_owned(), "b".to_owned()])
    );
    assert_eq!(list(1, Kind::ItemTiles).await, Ok(vec!["h1".to_owned()]));
    assert_eq!(list(1, Kind::Decision).await, Ok(vec![]));
    assert_eq!(list(2, Kind::Item).await, Ok(vec![]));
}

async fn a_walk_meets_every_value_of_a_kind(fixture: &Fixture) {
    let store = fixture.open().await;
    let named = |number: u16, kind, id: String| Key {
        partition: partition(number),
        kind,
        id,
    };
    let mut expected = Vec::new();
    for number in [0, 1, 255] {
        let ids = (0..40).map(|n| named(number, Kind::Coupon, format!("{n}:{{p000}}:c")));
        let keys: Vec<Key> = ids.collect();
        let coupons = keys.iter().map(|key| put(key, 0, "x"));
        let others = [Kind::Shopper, Kind::StoredCart, Kind::Campaigns];
        let others = others.map(|kind| put(&named(number, kind, "0".to_owned()), 0, "x"));
        done(&*store, number, coupons.chain(others).collect()).await;
        expected.extend(keys);
    }
    // Its name is like those of coupons, and it is none.
    deliver(&*store, "c:0", 0, 9).await;
    expected.sort();
    for limit in [1, 7, 1_000] {
        let (mut met, mut from) = (Vec::new(), Some(Place::default()));
        while let Some(place) = from {
            let (keys, next) = store
                .walk(Kind::Coupon, &place, limit)
                .await
                .expect("walks");
            met.extend(keys);
            from = next;
        }
        met.sort();
        met.dedup();
        assert_eq!(met, expected, "{limit} at a time");
    }
    let nothing = store.walk(Kind::Decision, &Place::default(), 1_000).await;
    assert_eq!(nothing, Ok((Vec::new(), None)));
}

async fn a_deadline_is_read_and_stays_as_it_is(fixture: &Fixture) {
    let store = fixture.open().await;
    done(&*store, 1, vec![schedule("a", 5), schedule("b", -7)]).await;
    let ids = [(1, "b"), (2, "a"), (1, "c"), (1, "a")];
    let asked = ids.map(|(number, id)| (partition(number), id.to_owned()));
    let expected = vec![Some(Millis(-7)), None, None, Some(Millis(5))];
    for _ in 0..2 {
        assert_eq!(store.deadlines(&asked).await, Ok(expected.clone()));
    }
    done(&*store, 1, vec![cancel("a")]).await;
    assert_eq!(store.deadlines(&asked[3..]).await, Ok(vec![None]));
}

async fn a_group_stands_before_the_first_entry_that_it_has_not_acknowledged(fixture: &Fixture) {
    let store = fixture.open().await;
    let place = |group: &str, open| GroupPlace {
        partition: partition(1),
        group: group.to_owned(),
        open,
    };
    let places = async || {
        let mut places = store.group_places(Log::Outbox).await.expect("answers");
        places.sort();
        places
    };
    assert_eq!(places().await, []);
    assert_eq!(deliver(&*store, "early", 0, 9).await, []);
    for n in 1..=12 {
        done(&*store, 1, vec![append(Log::Outbox, &n.to_string())]).await;
    }
    assert_eq!(places().await, [place("early", 1)]);
    assert_eq!(deliver(&*store, "mail:1", 0, 11).await.len(), 11);
    assert_eq!(places().await, [place("early", 1), place("mail:1", 1)]);
    let ack = async |sequences: &[u64]| {
        let acked = store.ack_group(partition(1), Log::Outbox, "mail:1", sequences);
        acked.await.expect("answers");
    };
    ack(&[1, 3, 10]).await;
    assert_eq!(places().await, [place("early", 1), place("mail:1", 2)]);
    ack(&[2, 4, 5, 6, 7, 8]).await;
    assert_eq!(places().await, [place("early", 1), place("mail:1", 9)]);
    ack(&[9, 11]).await;
    assert_eq!(places().await, [place("early", 1), place("mail:1", 12)]);
    assert_eq!(store.group_places(Log::Redriven).await, Ok(vec![]));
}

async fn any_bytes_and_ids_are_kept(fixture: &Fixture) {
    let store = fixture.open().await;
    let all: Vec<u8> = (0..=255).cycle().take(1 << 20).collect();
    let values = [
        Bytes::new(),
        Bytes::from(vec![0]),
        Bytes::from(b"\r\n$-1".to_vec()),
        all.into(),
    ];
    let ids = ["a:b", "{p001}:s:x", "ü {} \u{0} ☂", "*"];
    for (id, value) in ids.iter().zip(&values) {
        let a = key(1, id);
        let put = Op::Put {
            key: a.clone(),
            expected: 0,
            value: value.clone(),
        };
        let append = Op::Append {
            log: Log::Events,
            value: value.clone(),
        };
        done(&*store, 1, vec![put, append, schedule(id, 1)]).await;
        assert_eq!(get(&*store, &a).await, Some((1, value.clone())));
    }
    let entries = store
        .read_logs(&[(partition(1), Log::Events, 0)], 10)
        .await
        .expect("answers");
    assert!(entries[0].iter().map(|entry| &entry.value).eq(&values));
    let mut expected = ids.map(|id| (id.to_owned(), 1));
    expected.sort();
    assert_eq!(claim(&*store, 1, 10).await, expected);
}

async fn a_large_batch_is_one_call(fixture: &Fixture) {
    let store = fixture.open().await;
    let value = "v".repeat(2_048);
    let commits = (0..256).map(|number| {
        let mut ops = vec![schedule("cart", 5)];
        for n in 0..20 {
            ops.push(put(&key(number, &n.to_string()), 0, &value));
            ops.push(append(Log::Events, &n.to_string()));
        }
        Commit {
            partition: partition(number),
            ops,
        }
    });
    let outcomes = store.commit(commits.collect()).await.expect("answers");
    assert_eq!(outcomes, vec![CommitOutcome::Done; 256]);
    let keys: Vec<_> = (0..256)
        .flat_map(|p| (0..20).map(move |n| key(p, &n.to_string())))
        .collect();
    let values = store.get_many(&keys).await.expect("answers");
    let expected = Versioned {
        version: 1,
        value: Bytes::from(value),
    };
    assert!(
        values
            .into_iter()
            .all(|value| value.as_ref() == Some(&expected))
    );
    let from: Vec<_> = Partition::all().map(|p| (p, Log::Events, 0)).collect();
    let logs = store.read_logs(&from, 100).await.expect("answers");
    assert!(logs.iter().all(|log| log.len() == 20));
    assert_eq!(claim(&*store, 10, 1_000).await.len(), 256);
}

async fn everything_is_there_after_reopening(fixture: &Fixture) {
    let store = fixture.open().await;
    let a = key(1, "a");
    done(
        &*store,
        1,
        vec![put(&a, 0, "a"), append(Log::Outbox, "1"), schedule("x", 1)],
    )
    .await;
    assert_eq!(deliver(&*store, "mail", 0, 1).await, [1]);
    drop(store);
    let store = fixture.open().await;
    assert_eq!(get(&*store, &a).await, Some((1, Bytes::from("a"))));
    done(&*store, 1, vec![put(&a, 1, "b"), append(Log::Outbox, "2")]).await;
    let expected = [(1, "1".to_owned()), (2, "2".to_owned())];
    assert_eq!(log(&*store, 1, Log::Outbox).await, expected);
    assert_eq!(deliver(&*store, "mail", 0, 10).await, [2]);
    assert_eq!(deliver(&*store, "mail", 10_000, 10).await, [1, 2]);
    assert_eq!(claim(&*store, 1, 1).await, [("x".to_owned(), 1)]);
}

#[tokio::test]
async fn a_folder_has_one_owner() {
    let fixture = Fixture::embedded();
    let owner = open_embedded(&fixture.path(), Durability::Process).expect("opens");
    let refused = open_embedded(&fixture.path(), Durability::Process).expect_err("is refused");
    let said = refused.to_string();
    assert!(
        said.contains("is owned by another process: stop it or use --redis"),
        "{said}"
    );
    drop(owner);
    open_embedded(&fixture.path(), Durability::Process).expect("is free again");
}

#[tokio::test(flavor = "multi_thread")]
async fn synced_commits_are_kept_too() {
    let fixture = Fixture::embedded();
    let store: Arc<dyn Store> =
        Arc::new(open_embedded(&fixture.path(), Durability::Power).expect("opens"));
    let writers = (0..32).map(|writer| {
        let store = Arc::clone(&store);
        tokio::spawn(async move { done(&*store, writer, vec![append(Log::Events, "e")]).await })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.expect("ends");
    }
    drop(store);
    let store = fixture.open().await;
    for number in 0..32 {
        assert_eq!(log(&*store, number, Log::Events).await.len(), 1);
    }
}

#[tokio::test]
async fn shops_with_prefixes_share_a_redis_unseen() {
    let fixture = Fixture::redis().await;
    let server = fixture.server.as_ref().expect("is Redis");
    let mut stores = Vec::new();
    for prefix in ["", "shop1", "shop2"] {
        let store = Redis::connect(server.settings(prefix))
            .await
            .expect("connects");
        let ops = vec![
            put(&key(1, "a"), 0, prefix),
            append(Log::Events, prefix),
            schedule("x", 1),
        ];
        done(&store, 1, ops).await;
        stores.push((prefix, store));
    }
    for (prefix, store) in &stores {
        assert_eq!(
            get(store, &key(1, "a")).await,
            Some((1, Bytes::from(*prefix)))
        );
        assert_eq!(
            log(store, 1, Log::Events).await,
            [(1, (*prefix).to_owned())]
        );
        assert_eq!(claim(store, 1, 10).await.len(), 1);
    }
    let refused = Redis::connect(server.settings("a{b"))
        .await
        .expect_err("is refused");
    assert!(refused.to_string().contains("key_prefix"), "{refused}");
}

#[tokio::test]
async fn a_killed_redis_is_unavailable_and_then_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let args = ["--appendonly", "yes", "--appendfsync", "always"];
    let mut server = support::RedisServer::start(folder.path(), &args).await;
    let settings = RedisSettings {
        response_timeout: Duration::from_millis(250),
        ..server.settings("")
    };
    let store = Redis::connect(settings).await.expect("connects");
    done(&store, 1, vec![put(&key(1, "a"), 0, "a")]).await;
    server.kill();
    let started = std::time::Instant::now();
    for _ in 0..4 {
        let answer = store.get_many(&[key(1, "a")]).await;
        assert!(answer.is_err_and(|error| error.to_string().contains("unavailable")));
    }
    assert!(
        started.elapsed() < Duration::from_secs(2),
        "requests fail within their timeout"
    );
    server.kill_and_restart(folder.path(), &args).await;
    for _ in 0..200 {
        if store.check().await.is_ok() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    // It has also forgotten the scripts.
    done(&store, 1, vec![put(&key(1, "a"), 1, "b")]).await;
    // None of the connections that broke costs another commit: first all are made again.
    server.has_clients(9).await;
    for version in 2..60 {
        done(&store, 1, vec![put(&key(1, "a"), version, "b")]).await;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(
        get(&store, &key(1, "a")).await,
        Some((60, Bytes::from("b")))
    );
}

#[tokio::test]
async fn says_what_is_wrong_with_how_redis_is_set_up() {
    let warnings = async |args: &[&str]| {
        let fixture = Fixture::redis_with(args).await;
        let store = fixture.open().await;
        store.check().await.expect("answers").warnings
    };
    let durable = ["--appendonly", "yes", "--appendfsync", "always"];
    assert_eq!(warnings(&durable).await, [""; 0]);
    let lossy = warnings(&["--appendonly", "no"]).await;
    assert_eq!(lossy.len(), 1);
    assert!(lossy[0].contains("may be lost when Redis is killed: set appendonly yes"));
    let mut evicting = durable.to_vec();
    evicting.extend(["--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"]);
    assert!(warnings(&evicting).await[0].contains("set maxmemory-policy noeviction"));
    let forbidden = warnings(&["--rename-command", "CONFIG", ""]).await;
    assert!(forbidden[0].contains("does not allow its settings to be read"));
}

#[tokio::test]
async fn a_full_redis_refuses_the_whole_commit() {
    let fixture = Fixture::redis().await;
    let store = fixture.open().await;
    done(&*store, 1, vec![schedule("x", 1)]).await;
    let memory = async |limit: &str| {
        let url = fixture.server.as_ref().expect("is Redis").url();
        let client = ::redis::Client::open(url).expect("a url");
        let mut connection = client
            .get_multiplexed_async_connection()
            .await
            .expect("connects");
        let mut set = ::redis::cmd("CONFIG");
        set.arg("SET").arg("maxmemory").arg(limit);
        set.exec_async(&mut connection).await.expect("is set");
    };
    memory("1").await;
    // Redis lets a removal pass when its memory is full, and refuses the entry after it.
    let commit = Commit {
        partition: partition(1),
        ops: vec![cancel("x"), append(Log::Events, "e")],
    };
    let refused = store
        .commit(vec![commit.clone()])
        .await
        .expect_err("is refused");
    assert!(refused.to_string().contains("OOM"), "{refused}");
    memory("0").await;
    assert_eq!(
        store.log_ends(&[(partition(1), Log::Events)]).await,
        Ok(vec![0])
    );
    assert_eq!(claim(&*store, 1, 10).await, [("x".to_owned(), 1)]);
}

#[test]
fn a_password_is_never_printed() {
    let settings = RedisSettings {
        url: "redis://ann:secret@127.0.0.1:6379".to_owned(),
        ..RedisSettings::default()
    };
    let printed = format!("{settings:?}");
    assert!(
        printed.contains("127.0.0.1:6379") && !printed.contains("secret"),
        "{printed}"
    );
}
