//! Requests that break the contract: each is refused with the field named, and the server lives.

use prost_types::{Duration, Timestamp};
use proto::v1 as pb;
use tonic::{Code, Status};

use super::support::{Server, assert_refused, looked_at, server};

async fn refused(server: &Server, change: impl FnOnce(&mut pb::RetrieveRequest)) -> Status {
    let mut request = looked_at(&["i03"]);
    change(&mut request);
    server.retrieve(request).await.unwrap_err()
}

async fn filtered(server: &Server, change: impl FnOnce(&mut pb::Filter)) -> Status {
    let mut filter = pb::Filter::default();
    change(&mut filter);
    refused(server, |request| request.filter = Some(filter)).await
}

fn age(seconds: i64, nanos: i32) -> Option<Duration> {
    Some(Duration { seconds, nanos })
}

#[expect(
    clippy::too_many_lines,
    reason = "one table, a line for each way to break the contract"
)]
#[tokio::test]
async fn every_malformed_request_is_refused_with_its_field_and_the_server_lives() {
    let server = server().await;
    let long = || "x".repeat(129);
    let refusals = [
        (
            "shopper_id",
            refused(&server, |r| r.recent_items.clear()).await,
        ),
        (
            "shopper_id",
            refused(&server, |r| r.shopper_id = "ann".into()).await,
        ),
        (
            "shopper_id",
            refused(&server, |r| {
                r.recent_items.clear();
                r.shopper_id = long();
            })
            .await,
        ),
        (
            "recent_items",
            refused(&server, |r| {
                r.recent_items = vec![r.recent_items[0].clone(); 201]
            })
            .await,
        ),
        (
            "recent_items[0].item_id",
            refused(&server, |r| r.recent_items[0].item_id.clear()).await,
        ),
        (
            "recent_items[0].event_type",
            refused(&server, |r| r.recent_items[0].event_type = 6).await,
        ),
        (
            "recent_items[0].age",
            refused(&server, |r| r.recent_items[0].age = age(-1, 0)).await,
        ),
        (
            "recent_items[0].age",
            refused(&server, |r| r.recent_items[0].age = age(1, -1)).await,
        ),
        (
            "recent_items[0].age",
            refused(&server, |r| r.recent_items[0].age = age(0, 1_000_000_000)).await,
        ),
        (
            "exclude",
            refused(&server, |r| r.exclude = vec!["i01".into(); 1_001]).await,
        ),
        (
            "exclude[1]",
            refused(&server, |r| r.exclude = vec!["i01".into(), long()]).await,
        ),
        ("k", refused(&server, |r| r.k = 5_000).await),
        ("k", refused(&server, |r| r.k = u32::MAX).await),
        (
            "now",
            refused(&server, |r| {
                r.now = Some(Timestamp {
                    seconds: -1,
                    nanos: 0,
                })
            })
            .await,
        ),
        (
            "filter.allow_item_ids[0]",
            filtered(&server, |f| f.allow_item_ids = vec![String::new()]).await,
        ),
        (
            "filter.allow_item_ids",
            filtered(&server, |f| f.allow_item_ids = vec!["i".into(); 100_001]).await,
        ),
        (
            "filter.categories",
            filtered(&server, |f| f.categories = vec![String::new()]).await,
        ),
        (
            "filter.brands",
            filtered(&server, |f| f.brands = vec![String::new()]).await,
        ),
        (
            "filter.min_price_minor",
            filtered(&server, |f| f.min_price_minor = Some(-1)).await,
        ),
        (
            "filter.min_price_minor",
            filtered(&server, |f| {
                (f.min_price_minor, f.max_price_minor) = (Some(9), Some(8))
            })
            .await,
        ),
        (
            "filter.max_price_minor",
            filtered(&server, |f| f.max_price_minor = Some(i64::MIN)).await,
        ),
    ];
    for (field, status) in &refusals {
        assert_refused(status, field);
    }
    let bad = pb::SimilarItemsRequest {
        k: 1_001,
        item_id: "i01".into(),
        ..Default::default()
    };
    assert_refused(&server.client().similar_items(bad).await.unwrap_err(), "k");
    let bad = pb::SimilarItemsRequest::default();
    assert_refused(
        &server.client().similar_items(bad).await.unwrap_err(),
        "item_id",
    );
    assert!(!server.candidates().await.is_empty());
}

#[tokio::test]
async fn a_message_beyond_the_limit_is_refused_before_it_is_read() {
    let server = server().await;
    let huge = "x".repeat(kit::MAX_MESSAGE_BYTES);
    let status = refused(&server, |request| request.exclude = vec![huge]).await;
    assert_eq!(status.code(), Code::OutOfRange, "{status:?}");
    assert!(!server.candidates().await.is_empty());
}
