use std::time::{Duration, Instant};

use proto::v1::item_result::Status;
use proto::v1::{self as pb};
use tonic::Streaming;

use super::support::{Server, event, server};

fn item(id: &str, stock: i64) -> pb::Item {
    pb::Item {
        item_id: id.to_owned(),
        name: format!("Item {id}"),
        category_path: vec!["electronics".to_owned()],
        price_minor: 1_999,
        currency: "USD".to_owned(),
        stock: Some(stock),
        ..pb::Item::default()
    }
}

async fn upsert(server: &Server, items: Vec<pb::Item>) -> Vec<pb::ItemResult> {
    let request = pb::UpsertItemsRequest { items };
    server
        .catalog()
        .upsert_items(request)
        .await
        .unwrap()
        .into_inner()
        .results
}

async fn updates(server: &Server) -> Streaming<pb::ItemUpdates> {
    let request = pb::StreamItemUpdatesRequest {};
    server
        .catalog()
        .stream_item_updates(request)
        .await
        .unwrap()
        .into_inner()
}

/// Reads until the whole table is there.
async fn whole_table(updates: &mut Streaming<pb::ItemUpdates>) -> Vec<pb::Item> {
    let mut items = Vec::new();
    loop {
        let message = updates.message().await.unwrap().unwrap();
        items.extend(message.items);
        if message.table_complete {
            return items;
        }
    }
}

/// Reads until a message brings the item.
async fn wait_for(updates: &mut Streaming<pb::ItemUpdates>, id: &str) -> pb::Item {
    loop {
        let message = updates.message().await.unwrap().unwrap();
        assert!(message.table_complete && message.sent_at.is_some());
        if let Some(item) = message.items.into_iter().find(|item| item.item_id == id) {
            return item;
        }
    }
}

#[tokio::test]
async fn items_are_stored_and_read_back_each_with_its_own_result() {
    let server = server().await;
    let mut both = item("2", 1);
    both.cost_minor = Some(500);
    both.margin_rate = Some(0.4);
    let results = upsert(&server, vec![item("1", 3), both]).await;
    assert_eq!(results[0].status(), Status::Ok);
    assert_eq!(
        (results[1].status(), results[1].field.as_str()),
        (Status::Rejected, "margin_rate")
    );
    let mut stream = updates(&server).await;
    if whole_table(&mut stream).await.is_empty() {
        wait_for(&mut stream, "1").await;
    }
    let request = pb::GetItemsRequest {
        item_ids: vec!["1".to_owned(), "2".to_owned()],
    };
    let found = server
        .catalog()
        .get_items(request)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(found.items, [item("1", 3)]);
    assert_eq!(found.not_found, ["2"]);
    assert_eq!(found.stats[0].item_id, "1");
}

#[tokio::test]
async fn a_change_of_stock_reaches_every_item_table_within_a_second() {
    let server = server().await;
    upsert(&server, vec![item("1", 3)]).await;
    let mut stream = updates(&server).await;
    if whole_table(&mut stream).await.is_empty() {
        wait_for(&mut stream, "1").await;
    }
    let started = Instant::now();
    let change = |id: &str| pb::Availability {
        item_id: id.to_owned(),
        stock: Some(0),
        ..pb::Availability::default()
    };
    let request = pb::SetAvailabilityRequest {
        items: vec![change("1"), change("unknown")],
    };
    let results = server
        .catalog()
        .set_availability(request)
        .await
        .unwrap()
        .into_inner()
        .results;
    assert_eq!(
        [results[0].status(), results[1].status()],
        [Status::Ok, Status::NotFound]
    );
    assert_eq!(wait_for(&mut stream, "1").await.stock, Some(0));
    assert!(
        started.elapsed() < Duration::from_secs(1),
        "{:?}",
        started.elapsed()
    );
}

#[tokio::test]
async fn the_whole_table_comes_in_parts_and_completes_once() {
    let server = server().await;
    for batch in 0..3 {
        upsert(
            &server,
            (0..700).map(|i| item(&format!("{batch}-{i}"), 1)).collect(),
        )
        .await;
    }
    let mut ready = updates(&server).await;
    let mut seen = whole_table(&mut ready).await.len();
    while seen < 2_100 {
        seen += ready.message().await.unwrap().unwrap().items.len();
    }
    let mut stream = updates(&server).await;
    let first = stream.message().await.unwrap().unwrap();
    assert!(!first.table_complete && first.items.len() <= 500);
    let rest = whole_table(&mut stream).await;
    assert_eq!(first.items.len() + rest.len(), 2_100);
}

#[tokio::test]
async fn item_statistics_follow_the_events_of_the_closed_minute() {
    let server = server().await;
    server
        .push(vec![event("e1", "ann", "7"), event("e2", "bob", "7")])
        .await;
    let mut stream = updates(&server).await;
    whole_table(&mut stream).await;
    server.clock.advance_to(server.clock.now_ms() + 61_000);
    let stats = loop {
        let message = stream.message().await.unwrap().unwrap();
        if let Some(stats) = message.stats.into_iter().find(|stats| stats.item_id == "7") {
            break stats;
        }
    };
    assert_eq!(stats.carts_24h, 2);
}

#[tokio::test]
async fn the_stream_ends_when_the_server_stops() {
    let server = server().await;
    let mut stream = updates(&server).await;
    whole_table(&mut stream).await;
    let stopping = tokio::spawn(server.stop());
    let ended = async { while let Some(_heartbeat) = stream.message().await.unwrap() {} };
    tokio::time::timeout(Duration::from_secs(3), ended)
        .await
        .expect("the stream ends");
    assert!(stopping.await.unwrap() < Duration::from_secs(3));
}
