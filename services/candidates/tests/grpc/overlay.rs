//! Stock and prices as `features` tells them.

use std::time::Duration;

use proto::v1 as pb;

use super::features::Features;
use super::server::get;
use super::support::{ids, looked_at, server_with};

fn item(id: &str, stock: i64) -> pb::Item {
    pb::Item {
        item_id: id.to_owned(),
        stock: Some(stock),
        ..pb::Item::default()
    }
}

fn has(found: &[String], id: &str) -> bool {
    found.iter().any(|found| found == id)
}

#[tokio::test]
async fn an_item_out_of_stock_is_not_a_candidate_until_it_is_back() {
    let features = Features::default();
    let unsellable = pb::Item {
        unsellable: true,
        ..item("i05", 3)
    };
    features.table(vec![item("i04", 0), item("unheard of", 0), unsellable]);
    let server = server_with(&features.serve().await).await;
    server
        .eventually(|found| !has(found, "i04") && !has(found, "i05") && has(found, "i06"))
        .await;
    features.update(vec![item("i04", 1), item("i06", 0)]).await;
    server
        .eventually(|found| has(found, "i04") && !has(found, "i06"))
        .await;
}

#[tokio::test]
async fn a_live_price_counts_in_filters() {
    let features = Features::default();
    features.table(vec![
        pb::Item {
            price_minor: 99_900,
            ..item("i04", 1)
        },
        item("i05", 0),
    ]);
    let server = server_with(&features.serve().await).await;
    server.eventually(|found| !has(found, "i05")).await;
    let dear = pb::RetrieveRequest {
        filter: Some(pb::Filter {
            min_price_minor: Some(50_000),
            ..pb::Filter::default()
        }),
        ..looked_at(&["i03"])
    };
    assert_eq!(ids(&server.retrieve(dear).await.unwrap()), ["i04"]);
}

#[tokio::test]
async fn a_broken_stream_is_opened_again_and_brings_the_table_anew() {
    let features = Features::default();
    features.table(vec![item("i04", 0)]);
    let server = server_with(&features.serve().await).await;
    server.eventually(|found| !has(found, "i04")).await;
    features.table(vec![item("i05", 0)]);
    features.hang_up();
    server
        .eventually(|found| has(found, "i04") && !has(found, "i05"))
        .await;
    assert_eq!(features.streams_opened(), 2);
}

#[tokio::test]
async fn half_a_table_does_not_open_what_the_one_before_had_blocked() {
    let features = Features::default();
    features.table(vec![item("i04", 0), item("i05", 0)]);
    let server = server_with(&features.serve().await).await;
    server
        .eventually(|found| !has(found, "i04") && !has(found, "i05"))
        .await;
    features.halt_halfway();
    features.hang_up();
    while features.streams_opened() < 2 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(!has(&server.candidates().await, "i05"));
}

#[tokio::test]
async fn the_lag_can_be_seen() {
    let features = Features::default();
    features.table(vec![item("i04", 0)]);
    let server = server_with(&features.serve().await).await;
    server.eventually(|found| !has(found, "i04")).await;
    let metrics = get(&server, "/metrics").await;
    for line in [
        "cartwright_candidates_item_table_connected 1",
        "cartwright_candidates_item_table_lag_seconds 0",
        "cartwright_candidates_blocked_items 1",
        "cartwright_candidates_answers_total{plan=",
    ] {
        assert!(metrics.contains(line), "{line} is not in:\n{metrics}");
    }
}

#[tokio::test]
async fn the_server_stops_while_it_follows() {
    let features = Features::default();
    let server = server_with(&features.serve().await).await;
    server.shutdown.cancel();
    let stopped = tokio::time::timeout(Duration::from_secs(5), server.running.wait()).await;
    stopped.expect("the role ends").unwrap();
}
