//! What is acknowledged survives `kill -9`, and state, log and deadline agree after it.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test says what it expects"
)]

mod support;

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use feature_store::Millis;
use feature_store::store::{
    Commit, CommitOutcome, Durability, Error, Key, Kind, Log, Op, Partition, Redis, Store,
};
use support::{Fixture, RedisServer, open_embedded};
use tokio::sync::mpsc;

const WRITERS: u16 = 8;
/// Milliseconds of work before each kill.
const LIVES: [u64; 5] = [3, 211, 47, 120, 305];
const FOLDER: &str = "CARTWRIGHT_TEST_KILL_FOLDER";

fn partition(writer: u16) -> Partition {
    Partition::new(writer).expect("is one")
}

fn key(writer: u16) -> Key {
    Key {
        partition: partition(writer),
        kind: Kind::Shopper,
        id: "n".to_owned(),
    }
}

/// One commit that says the same number thrice.
fn step(writer: u16, n: u64) -> Commit {
    let value = Bytes::from(format!("{n}"));
    let put = Op::Put {
        key: key(writer),
        expected: n - 1,
        value: value.clone(),
    };
    let due_at = Millis(i64::try_from(n).expect("is small"));
    let schedule = Op::Schedule {
        id: "n".to_owned(),
        due_at,
    };
    let append = Op::Append {
        log: Log::Events,
        value,
    };
    Commit {
        partition: partition(writer),
        ops: vec![put, schedule, append],
    }
}

/// Commits one number after the other until the store is gone, and tells of each.
async fn work(store: Arc<dyn Store>, writer: u16, tell: impl Fn(u16, u64)) -> Result<(), Error> {
    let stored = store.get_many(&[key(writer)]).await?.remove(0);
    let mut n = stored.map_or(0, |stored| stored.version);
    loop {
        n += 1;
        let outcome = store.commit(vec![step(writer, n)]).await?.remove(0);
        assert_eq!(outcome, CommitOutcome::Done);
        tell(writer, n);
    }
}

/// Checks that nothing acknowledged is missing and that all three say the same.
async fn check(store: &dyn Store, acknowledged: &[u64]) {
    for writer in 0..WRITERS {
        let stored = store
            .get_many(&[key(writer)])
            .await
            .expect("answers")
            .remove(0);
        let n = stored.as_ref().map_or(0, |stored| stored.version);
        let least = acknowledged[usize::from(writer)];
        assert!(
            n >= least,
            "writer {writer}: {least} was acknowledged, {n} is there"
        );
        let value = stored.map_or("0".into(), |stored| stored.value);
        assert_eq!(
            value,
            n.to_string(),
            "writer {writer}: the value is another"
        );
        let p = partition(writer);
        let log = store
            .read_logs(&[(p, Log::Events, 0)], 1 << 20)
            .await
            .expect("answers")
            .remove(0);
        assert!(
            log.iter().map(|entry| entry.sequence).eq(1..=n),
            "writer {writer}: the log"
        );
        assert!(
            log.iter()
                .all(|entry| entry.value == entry.sequence.to_string())
        );
        let due = store
            .claim_due(&[p], Millis(i64::MAX), Duration::ZERO, 2)
            .await;
        let due: Vec<_> = due
            .expect("answers")
            .into_iter()
            .map(|due| due.due_at)
            .collect();
        let expected = (n > 0).then(|| Millis(i64::try_from(n).expect("is small")));
        assert_eq!(
            due,
            Vec::from_iter(expected),
            "writer {writer}: the deadline"
        );
    }
}

/// Not a test by itself: the process that [`a_killed_process_loses_nothing_acknowledged`] kills.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child_that_is_killed() {
    let Some(folder) = std::env::var_os(FOLDER) else {
        return;
    };
    let store = open_embedded(Path::new(&folder), Durability::Process).expect("opens");
    let store: Arc<dyn Store> = Arc::new(store);
    let writers = (0..WRITERS).map(|writer| {
        let tell = |writer, n| println!("ack {writer} {n}");
        tokio::spawn(work(Arc::clone(&store), writer, tell))
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.expect("ends").expect("works");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_process_loses_nothing_acknowledged() {
    let fixture = Fixture::embedded();
    let mut acknowledged = vec![0; usize::from(WRITERS)];
    for life in LIVES {
        let mut child = Command::new(std::env::current_exe().expect("has a path"))
            .args(["child_that_is_killed", "--exact", "--nocapture"])
            .env(FOLDER, fixture.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("starts");
        let lines = BufReader::new(child.stdout.take().expect("is piped")).lines();
        let (told, mut acks) = mpsc::unbounded_channel();
        let reader = std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let Some(ack) = line.split("ack ").nth(1) else {
                    continue;
                };
                let Some((writer, n)) = ack.split_once(' ') else {
                    continue;
                };
                let (Ok(writer), Ok(n)) = (writer.parse::<usize>(), n.parse::<u64>()) else {
                    continue;
                };
                let _ = told.send((writer, n));
            }
        });
        let first = acks.recv().await.expect("the child works");
        tokio::time::sleep(Duration::from_millis(life)).await;
        child.kill().expect("is killed");
        child.wait().expect("ends");
        reader.join().expect("ends");
        acknowledged[first.0] = acknowledged[first.0].max(first.1);
        while let Ok((writer, n)) = acks.try_recv() {
            acknowledged[writer] = acknowledged[writer].max(n);
        }
        // Deadlines are looked at by claiming them, which moves them: not in the folder to go on.
        let copy = tempfile::tempdir().expect("a folder");
        copy_folder(&fixture.path(), &copy.path().join("store"));
        let store = open_embedded(&copy.path().join("store"), Durability::Process).expect("opens");
        check(&store, &acknowledged).await;
    }
    assert!(acknowledged.iter().sum::<u64>() > 100, "{acknowledged:?}");
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("can be read") {
        let entry = entry.expect("can be read");
        let to = to.join(entry.file_name());
        if entry.file_type().expect("has a type").is_dir() {
            copy_folder(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).expect("is copied");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_redis_loses_nothing_acknowledged() {
    let folder = tempfile::tempdir().expect("a folder");
    let args = ["--appendonly", "yes", "--appendfsync", "always"];
    let mut server = RedisServer::start(folder.path(), &args).await;
    let mut acknowledged = vec![0; usize::from(WRITERS)];
    for life in LIVES {
        let (told, mut acks) = mpsc::unbounded_channel();
        let mut writers = Vec::new();
        for writer in 0..WRITERS {
            let store = Redis::connect(server.settings("")).await.expect("connects");
            let told = told.clone();
            let tell = move |writer: u16, n| {
                let _ = told.send((usize::from(writer), n));
            };
            writers.push(tokio::spawn(work(Arc::new(store), writer, tell)));
        }
        tokio::time::sleep(Duration::from_millis(life)).await;
        server.kill();
        for writer in writers {
            writer.await.expect("ends").expect_err("Redis is gone");
        }
        while let Ok((writer, n)) = acks.try_recv() {
            acknowledged[writer] = acknowledged[writer].max(n);
        }
        server.kill_and_restart(folder.path(), &args).await;
        let store = Redis::connect(server.settings("")).await.expect("connects");
        check_unmoved(&store, &acknowledged).await;
    }
    assert!(acknowledged.iter().sum::<u64>() > 100, "{acknowledged:?}");
}

/// [`check`], and puts the deadlines back to where they were.
async fn check_unmoved(store: &dyn Store, acknowledged: &[u64]) {
    check(store, acknowledged).await;
    for writer in 0..WRITERS {
        let stored = store
            .get_many(&[key(writer)])
            .await
            .expect("answers")
            .remove(0);
        let Some(n) = stored.and_then(|stored| i64::try_from(stored.version).ok()) else {
            continue;
        };
        let back = Op::Schedule {
            id: "n".to_owned(),
            due_at: Millis(n),
        };
        let commit = Commit {
            partition: partition(writer),
            ops: vec![back],
        };
        store.commit(vec![commit]).await.expect("answers");
    }
}
