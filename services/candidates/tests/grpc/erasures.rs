//! Past sessions of erased shoppers: gone while it serves, gone in what is loaded later, and none used
//! while nobody says who is erased.

use std::path::{Path, PathBuf};
use std::time::Duration;

use proto::v1 as pb;
use retrieval::files::write_sessions;
use retrieval::{SessionSettings, SessionTable};
use snapshot::{Manifest, Privacy};

use super::features::{Features, KEY};
use super::server::get;
use super::support::{NOW_MS, Server, looked_at, server_over, write_with};

const ANNA: u64 = 11;
const BOB: u64 = 12;

/// After `i03` Anna went to `i15`, and Bob to `i17`.
fn snapshot(folder: &Path, key: Option<&str>) -> PathBuf {
    write_with(folder, "snapshot", "Item", |builder| {
        let ended = u64::try_from(NOW_MS / 1_000).unwrap() - 60;
        let mut table = SessionTable::new();
        for (shopper, items) in [(ANNA, [3, 15]), (BOB, [3, 17])] {
            match key {
                Some(_) => table.push_of(shopper, &items, ended),
                None => table.push(&items, ended),
            }
        }
        write_sessions(builder, &table, SessionSettings::default()).unwrap();
        Manifest {
            privacy: Some(Privacy {
                sessions_key: key.map(str::to_owned),
                ..Privacy::default()
            }),
            ..Manifest::default()
        }
    })
}

/// Items that session neighbours name for someone who looked at `i03`.
async fn named(server: &Server) -> Vec<String> {
    let answer = server.retrieve(looked_at(&["i03"])).await.unwrap();
    let by_sessions = |one: &&pb::Candidate| {
        let mut sources = one.sources.iter();
        sources.any(|source| source.source == "sessions")
    };
    let named = answer.candidates.iter().filter(by_sessions);
    let mut named: Vec<String> = named.map(|one| one.item_id.clone()).collect();
    named.sort();
    named
}

async fn eventually(server: &Server, items: &[&str]) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    loop {
        let found = named(server).await;
        if found == items {
            return;
        }
        assert!(tokio::time::Instant::now() < deadline, "still {found:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn is_withheld(server: &Server) -> bool {
    let metrics = get(server, "/metrics").await;
    metrics.contains("\ncartwright_candidates_sessions_withheld 1")
}

#[tokio::test]
async fn the_sessions_of_a_shopper_who_is_erased_while_it_serves_are_used_no_more() {
    let features = Features::default();
    features.erase(&[]).await;
    let url = features.serve().await;
    let server = server_over(&url, |folder| snapshot(folder, Some(KEY))).await;
    eventually(&server, &["i15", "i17"]).await;
    features.erase(&[ANNA]).await;
    eventually(&server, &["i17"]).await;
    // Known for ever, whatever becomes of the connection.
    features.hang_up();
    features.erase(&[BOB]).await;
    eventually(&server, &[]).await;
}

#[tokio::test]
async fn what_is_loaded_later_is_without_those_who_were_erased_before() {
    let features = Features::default();
    features.erase(&[BOB]).await;
    let url = features.serve().await;
    let server = server_over(&url, |folder| snapshot(folder, Some(KEY))).await;
    eventually(&server, &["i15"]).await;
}

#[tokio::test]
async fn until_all_who_are_erased_are_known_no_session_is_used_and_metrics_say_so() {
    let features = Features::default();
    let url = features.serve().await;
    let server = server_over(&url, |folder| snapshot(folder, Some(KEY))).await;
    assert_eq!(named(&server).await, [""; 0]);
    assert!(is_withheld(&server).await);
    features.erase(&[ANNA]).await;
    eventually(&server, &["i17"]).await;
    assert!(!is_withheld(&server).await);
}

#[tokio::test]
async fn sessions_under_another_key_are_not_used_once_somebody_is_erased() {
    let features = Features::default();
    features.erase(&[]).await;
    let url = features.serve().await;
    let server = server_over(&url, |folder| snapshot(folder, Some("another"))).await;
    eventually(&server, &["i15", "i17"]).await;
    features.erase(&[99]).await;
    eventually(&server, &[]).await;
    assert!(is_withheld(&server).await);
}

#[tokio::test]
async fn sessions_without_macs_are_served_as_ever() {
    let features = Features::default();
    features.erase(&[ANNA]).await;
    let url = features.serve().await;
    let server = server_over(&url, |folder| snapshot(folder, None)).await;
    eventually(&server, &["i15", "i17"]).await;
}

#[tokio::test]
async fn where_there_is_no_features_role_nobody_is_erased() {
    let server = server_over("", |folder| snapshot(folder, Some(KEY))).await;
    eventually(&server, &["i15", "i17"]).await;
}
