use std::time::Duration;

use prost_types::Timestamp;
use proto::v1::event_result::Status;
use proto::v1::{self as pb, event::Type};
use tokio::sync::mpsc;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::ReceiverStream;

use super::support::{NOW_S, event, server};

/// Breaks one rule of an event.
type Spoil = fn(&mut pb::Event);

fn statuses(results: &[pb::EventResult]) -> Vec<Status> {
    results.iter().map(pb::EventResult::status).collect()
}

#[tokio::test]
async fn what_is_pushed_is_read_back() {
    let server = server().await;
    let results = server
        .push(vec![event("e1", "ann", "7"), event("e2", "ann", "8")])
        .await;
    assert_eq!(statuses(&results), [Status::Accepted, Status::Accepted]);
    let cart = server.cart("ann").await;
    let lines: Vec<_> = cart
        .lines
        .iter()
        .map(|line| (line.item_id.as_str(), line.quantity))
        .collect();
    assert_eq!(lines, [("7", 1), ("8", 1)]);
    assert_eq!(
        (cart.value_minor, cart.currency.as_str(), cart.version),
        (3_998, "USD", 2)
    );
    assert_eq!(
        cart.last_active_at,
        Some(Timestamp {
            seconds: NOW_S - 60,
            nanos: 0
        })
    );
}

#[tokio::test]
async fn the_same_event_twice_counts_once() {
    let server = server().await;
    let results = server
        .push(vec![event("e1", "ann", "7"), event("e1", "ann", "7")])
        .await;
    assert_eq!(statuses(&results), [Status::Accepted, Status::Duplicate]);
    let again = server.push(vec![event("e1", "ann", "7")]).await;
    assert_eq!(statuses(&again), [Status::Duplicate]);
    assert_eq!(server.cart("ann").await.lines[0].quantity, 1);
}

#[tokio::test]
async fn a_bad_event_is_rejected_with_its_field_and_the_others_are_taken() {
    let server = server().await;
    let bad: [(&str, Spoil); 14] = [
        ("event_id", |event| event.event_id.clear()),
        ("event_id", |event| event.event_id = "x".repeat(129)),
        ("shopper_id", |event| event.shopper_id.clear()),
        ("type", |event| event.r#type = 0),
        ("type", |event| event.r#type = 11),
        ("type", |event| event.r#type = -1),
        ("item_id", |event| event.item_id.clear()),
        ("quantity", |event| event.quantity = 10_001),
        ("price_minor", |event| event.price_minor = -1),
        ("price_minor", |event| {
            event.set_type(Type::Purchase);
            event.price_minor = 0;
        }),
        ("currency", |event| event.currency = "usd".to_owned()),
        ("occurred_at", |event| event.occurred_at = None),
        ("occurred_at", |event| {
            event.occurred_at = Some(Timestamp {
                seconds: NOW_S,
                nanos: -1,
            })
        }),
        ("occurred_at", |event| {
            event.occurred_at = Some(Timestamp {
                seconds: 253_402_300_800,
                nanos: 0,
            })
        }),
    ];
    let mut events = vec![event("good 1", "ann", "7")];
    events.extend(bad.iter().enumerate().map(|(i, (_, spoil))| {
        let mut event = event(&format!("bad {i}"), "ann", "7");
        spoil(&mut event);
        event
    }));
    events.push(event("good 2", "ann", "7"));
    let results = server.push(events).await;
    for (result, (field, _)) in results[1..].iter().zip(bad) {
        assert_eq!(
            (result.status(), result.field.as_str()),
            (Status::Rejected, field)
        );
        assert!(result.reason.starts_with("invalid: "), "{}", result.reason);
    }
    assert_eq!(results[0].status(), Status::Accepted);
    assert_eq!(results[15].status(), Status::Accepted);
    assert_eq!(server.cart("ann").await.lines[0].quantity, 2);
}

#[tokio::test]
async fn an_event_from_the_future_or_long_ago_is_rejected_with_a_stable_word() {
    let server = server().await;
    server.push(vec![event("now", "ann", "7")]).await;
    let at = |id: &str, seconds: i64| pb::Event {
        occurred_at: Some(Timestamp { seconds, nanos: 0 }),
        ..event(id, "ann", "7")
    };
    let results = server
        .push(vec![
            at("early", NOW_S + 301),
            at("late", NOW_S - 2 * 86_400),
        ])
        .await;
    assert!(
        results[0].reason.starts_with("too_early: "),
        "{}",
        results[0].reason
    );
    assert!(
        results[1].reason.starts_with("too_late: "),
        "{}",
        results[1].reason
    );
}

#[tokio::test]
async fn a_stream_is_answered_in_order_with_its_sequences() {
    let server = server().await;
    let requests = (0..50).map(|i| pb::StreamEventsRequest {
        sequence: 1_000 - i,
        events: vec![event(&format!("e{i}"), "ann", "7")],
    });
    let mut answers = server
        .events()
        .stream_events(tokio_stream::iter(requests))
        .await
        .unwrap()
        .into_inner();
    let mut sequences = Vec::new();
    while let Some(answer) = answers.message().await.unwrap() {
        assert_eq!(statuses(&answer.results), [Status::Accepted]);
        sequences.push(answer.sequence);
    }
    assert_eq!(sequences, (951..=1_000).rev().collect::<Vec<_>>());
    assert_eq!(server.cart("ann").await.lines[0].quantity, 50);
}

#[tokio::test]
async fn a_stream_ends_at_a_batch_that_breaks_the_limits() {
    let server = server().await;
    let requests = vec![
        pb::StreamEventsRequest {
            sequence: 1,
            events: vec![event("e1", "ann", "7")],
        },
        pb::StreamEventsRequest {
            sequence: 2,
            events: vec![],
        },
    ];
    let mut answers = server
        .events()
        .stream_events(tokio_stream::iter(requests))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(answers.message().await.unwrap().unwrap().sequence, 1);
    let refusal = answers.message().await.unwrap_err();
    assert_eq!(super::support::fields(&refusal), ["events"]);
}

#[tokio::test]
async fn a_stream_that_nobody_reads_is_slowed_down() {
    let server = server().await;
    let (sender, receiver) = mpsc::channel(1);
    let answers = server
        .events()
        .stream_events(ReceiverStream::new(receiver))
        .await
        .unwrap();
    // Each is refused with a sentence, so that the answers outgrow what HTTP/2 takes unread.
    let big = |sequence| pb::StreamEventsRequest {
        sequence,
        events: vec![event(&format!("e{sequence}"), "ann", ""); 1_000],
    };
    let mut sent = 0;
    while tokio::time::timeout(Duration::from_secs(2), sender.send(big(sent)))
        .await
        .is_ok()
    {
        sent += 1;
        assert!(sent < 200, "the sender was never slowed down");
    }
    drop(sender);
    let answered = answers
        .into_inner()
        .map(Result::unwrap)
        .collect::<Vec<_>>()
        .await;
    assert_eq!(
        u64::try_from(answered.len()).unwrap(),
        sent,
        "what was taken is answered"
    );
}

#[tokio::test]
async fn a_stream_in_flight_is_answered_before_the_server_stops() {
    let server = server().await;
    let (sender, receiver) = mpsc::channel(8);
    let mut client = server.events();
    sender
        .send(pb::StreamEventsRequest {
            sequence: 1,
            events: vec![event("e1", "ann", "7")],
        })
        .await
        .unwrap();
    let mut answers = client
        .stream_events(ReceiverStream::new(receiver))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(answers.message().await.unwrap().unwrap().sequence, 1);
    // The sender stays open: only the server can end this stream.
    let stopping = tokio::spawn(server.stop());
    let ended = tokio::time::timeout(Duration::from_secs(3), answers.message()).await;
    let last = ended.expect("the stream ends").unwrap();
    assert!(last.is_none(), "and it ends without an error");
    assert!(stopping.await.unwrap() < Duration::from_secs(3));
    drop(sender);
}
