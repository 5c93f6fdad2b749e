//! A real process, killed while it erases.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use feature_store::store::{Durability, Partition, Redis, RedisSettings, Store};
use feature_store::{FeatureStore, Millis, Settings};

use super::{NOW, erase, event, ingest, link, open, raw};
use crate::on_both_stores;
use crate::support::{Fixture, open_embedded};

on_both_stores!(a_killed_erasure_is_finished_and_an_acknowledged_one_leaves_nothing);

const FOLDER: &str = "ERASURE_TEST_FOLDER";
const URL: &str = "ERASURE_TEST_REDIS";
/// Milliseconds after the first word of a process.
const LIVES: [u64; 4] = [30, 71, 113, 197];

/// The ids of the person of this number; longer than any of them is a part of another.
fn ids(n: &str) -> [String; 3] {
    ["ann", "phone", "laptop"].map(|id| format!("{id}-of-{n}."))
}

/// Not a test by itself: the process that the test kills.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child_that_is_killed() {
    let store: Arc<dyn Store> = match (std::env::var_os(FOLDER), std::env::var_os(URL)) {
        (Some(folder), _) => {
            let opened = open_embedded(&PathBuf::from(folder), Durability::Process);
            Arc::new(opened.expect("opens"))
        }
        (None, Some(url)) => {
            let settings = RedisSettings {
                url: url.into_string().expect("is text"),
                response_timeout: Duration::from_secs(5),
                ..RedisSettings::default()
            };
            Arc::new(Redis::connect(settings).await.expect("connects"))
        }
        (None, None) => return,
    };
    let features = FeatureStore::new(store, Settings::default());
    for n in 0.. {
        let name = format!("{}-{n}", std::process::id());
        let ids @ [ann, phone, laptop] = &ids(&name);
        let events: Vec<_> = ids.iter().map(|id| event(id, 1)).collect();
        ingest(&features, &events).await;
        link(&features, ann, phone).await;
        link(&features, ann, laptop).await;
        println!("begin {name}");
        erase(&features, phone, NOW).await;
        println!("ack {name}");
    }
}

async fn a_killed_erasure_is_finished_and_an_acknowledged_one_leaves_nothing(fixture: &Fixture) {
    let (mut begun, mut acknowledged) = (BTreeSet::new(), BTreeSet::new());
    for life in LIVES {
        let mut command = Command::new(std::env::current_exe().expect("has a path"));
        command
            .args(["killed::child_that_is_killed", "--exact", "--nocapture"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        match &fixture.server {
            Some(server) => command.env(URL, server.url()),
            None => command.env(FOLDER, fixture.path()),
        };
        let mut child = command.spawn().expect("starts");
        let mut lines = BufReader::new(child.stdout.take().expect("is piped")).lines();
        let first = lines.find(|line| line.as_ref().is_ok_and(|line| line.contains("begin ")));
        let rest = std::thread::spawn(move || lines.map_while(Result::ok).collect::<Vec<_>>());
        tokio::time::sleep(Duration::from_millis(life)).await;
        child.kill().expect("is killed");
        child.wait().expect("ends");
        let first = first.expect("it works").expect("is text");
        for line in std::iter::once(first).chain(rest.join().expect("ends")) {
            let word = |word: &str| line.split_once(word).map(|(_, name)| name.to_owned());
            begun.extend(word("begin "));
            acknowledged.extend(word("ack "));
        }
    }
    assert!(acknowledged.len() > 3, "{acknowledged:?}");
    let features = open(fixture).await;
    let all: Vec<_> = Partition::all().collect();
    let late = Millis(NOW.0 + Millis::HOUR);
    let claimed = features.claim_due(&all, late, Duration::ZERO, 10_000).await;
    claimed.expect("answers");
    let mut erased = Vec::new();
    for name in &begun {
        let ids = ids(name);
        let asked: Vec<&str> = ids.iter().map(String::as_str).collect();
        let views = features.shoppers(&asked, NOW).await.expect("answers");
        let known = views.iter().flatten().count();
        assert!(known == 0 || known == 3, "{name}: all of them or none");
        assert!(known == 0 || !acknowledged.contains(name), "{name}");
        erased.extend((known == 0).then_some(ids));
    }
    drop(features);
    let bytes = raw::everything(fixture).await;
    for id in erased.iter().flatten() {
        assert!(!raw::holds(&bytes, id), "{id} is still there");
    }
}
