//! Requests that break the contract: each is refused with the field named, and the server lives.

use prost_types::Timestamp;
use proto::v1 as pb;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tonic::{Code, Status};

use super::support::{NOW_S, Server, event, fields, item, server, shopper};

const OUT_OF_RANGE: Timestamp = Timestamp {
    seconds: 253_402_300_800,
    nanos: 0,
};
const BAD_NANOS: Timestamp = Timestamp {
    seconds: NOW_S,
    nanos: 1_000_000_000,
};

async fn push(server: &Server, events: Vec<pb::Event>) -> Status {
    server
        .events()
        .push_events(pb::PushEventsRequest { events })
        .await
        .unwrap_err()
}

async fn get_features(server: &Server, change: impl FnOnce(&mut pb::GetFeaturesRequest)) -> Status {
    let mut request = pb::GetFeaturesRequest {
        entities: vec![shopper("ann")],
        features: Vec::new(),
        include: vec![pb::Include::Cart.into()],
        now: None,
    };
    change(&mut request);
    server.features().get_features(request).await.unwrap_err()
}

async fn get_cart(server: &Server, shopper_id: String, now: Option<Timestamp>) -> Status {
    server
        .features()
        .get_cart(pb::GetCartRequest { shopper_id, now })
        .await
        .unwrap_err()
}

async fn set_profile(server: &Server, change: impl FnOnce(&mut pb::SetProfileRequest)) -> Status {
    let mut request = pb::SetProfileRequest {
        shopper_id: "ann".to_owned(),
        ..pb::SetProfileRequest::default()
    };
    change(&mut request);
    server.shoppers().set_profile(request).await.unwrap_err()
}

async fn set_consent(server: &Server, consents: Vec<pb::Consent>) -> Status {
    let request = pb::SetConsentRequest {
        shopper_id: "ann".to_owned(),
        consents,
    };
    server.shoppers().set_consent(request).await.unwrap_err()
}

fn consent(change: impl FnOnce(&mut pb::Consent)) -> Vec<pb::Consent> {
    let mut consent = pb::Consent {
        purpose: "marketing".to_owned(),
        channel: "email".to_owned(),
        granted: true,
        wording: "v1".to_owned(),
        ..pb::Consent::default()
    };
    change(&mut consent);
    vec![consent]
}

fn many<T: Clone>(one: T, count: usize) -> Vec<T> {
    vec![one; count]
}

#[expect(
    clippy::too_many_lines,
    reason = "one table, a line for each way to break the contract"
)]
#[tokio::test]
async fn every_malformed_request_is_refused_with_its_field_and_the_server_lives() {
    let server = server().await;
    let long = || "x".repeat(129);
    let named = |refusals: Vec<(&'static str, Status)>| refusals;
    let refusals = named(vec![
        ("events", push(&server, vec![]).await),
        (
            "events",
            push(&server, many(event("e", "ann", "7"), 1_001)).await,
        ),
        (
            "entities",
            get_features(&server, |r| r.entities.clear()).await,
        ),
        (
            "entities",
            get_features(&server, |r| r.entities = many(shopper("a"), 257)).await,
        ),
        (
            "entities[1]",
            get_features(&server, |r| r.entities.push(pb::Entity { id: None })).await,
        ),
        (
            "entities[1].shopper_id",
            get_features(&server, |r| r.entities.push(shopper(""))).await,
        ),
        (
            "entities[1].item_id",
            get_features(&server, |r| r.entities.push(item(&long()))).await,
        ),
        (
            "features",
            get_features(&server, |r| r.features = many("shopper.x".into(), 257)).await,
        ),
        (
            "features",
            get_features(&server, |r| r.include.clear()).await,
        ),
        (
            "features[0]",
            get_features(&server, |r| r.features = vec!["nonsense".into()]).await,
        ),
        (
            "include[1]",
            get_features(&server, |r| r.include.push(4)).await,
        ),
        (
            "include[1]",
            get_features(&server, |r| r.include.push(0)).await,
        ),
        (
            "now",
            get_features(&server, |r| r.now = Some(OUT_OF_RANGE)).await,
        ),
        (
            "now",
            get_cart(&server, "ann".into(), Some(BAD_NANOS)).await,
        ),
        ("shopper_id", get_cart(&server, String::new(), None).await),
        ("shopper_id", get_cart(&server, long(), None).await),
        (
            "shopper_id",
            set_profile(&server, |r| r.shopper_id.clear()).await,
        ),
        (
            "time_zone",
            set_profile(&server, |r| r.time_zone = Some("Europe/Atlantis".into())).await,
        ),
        (
            "channels",
            set_profile(&server, |r| r.channels = vec!["pigeon".into()]).await,
        ),
        (
            "jurisdiction",
            set_profile(&server, |r| r.jurisdiction = Some("XX".into())).await,
        ),
        ("consents", set_consent(&server, vec![]).await),
        (
            "consents",
            set_consent(&server, many(consent(|_| ())[0].clone(), 33)).await,
        ),
        (
            "consents[0].purpose",
            set_consent(&server, consent(|c| c.purpose = "fun".into())).await,
        ),
        (
            "consents[0].wording",
            set_consent(&server, consent(|c| c.wording.clear())).await,
        ),
        (
            "consents[0].at",
            set_consent(&server, consent(|c| c.at = Some(OUT_OF_RANGE))).await,
        ),
    ]);
    for (i, (field, status)) in refusals.iter().enumerate() {
        assert_eq!(
            status.code(),
            Code::InvalidArgument,
            "request {i}: {status:?}"
        );
        assert!(
            fields(status).iter().any(|named| named == field),
            "request {i}: {status:?}"
        );
        assert!(status.message().contains(field), "request {i}: {status:?}");
    }
    assert_eq!(server.push(vec![event("e1", "ann", "7")]).await.len(), 1);
}

#[tokio::test]
async fn catalogue_requests_beyond_their_limits_are_refused() {
    let server = server().await;
    let mut client = server.catalog();
    let too_many = many(pb::Item::default(), 1_001);
    let refusals = [
        (
            "items",
            client
                .upsert_items(pb::UpsertItemsRequest { items: too_many })
                .await
                .unwrap_err(),
        ),
        (
            "items",
            client
                .upsert_items(pb::UpsertItemsRequest::default())
                .await
                .unwrap_err(),
        ),
        (
            "items",
            client
                .set_availability(pb::SetAvailabilityRequest::default())
                .await
                .unwrap_err(),
        ),
        (
            "item_ids",
            client
                .get_items(pb::GetItemsRequest::default())
                .await
                .unwrap_err(),
        ),
        (
            "item_ids[1]",
            client
                .get_items(pb::GetItemsRequest {
                    item_ids: vec!["1".into(), String::new()],
                })
                .await
                .unwrap_err(),
        ),
    ];
    for (field, status) in refusals {
        assert_eq!(fields(&status), [field], "{status:?}");
    }
}

#[tokio::test]
async fn all_fields_at_fault_are_named_at_once() {
    let server = server().await;
    let status = get_features(&server, |request| {
        request.now = Some(BAD_NANOS);
        request.include = vec![9];
        request.entities = vec![item("")];
    })
    .await;
    assert_eq!(
        fields(&status),
        ["include[0]", "now", "entities[0].item_id"]
    );
}

#[tokio::test]
async fn text_that_is_not_utf_8_is_refused_with_its_field() {
    let server = server().await;
    // events { event_id: FF FE }
    let body = vec![0x0a, 0x04, 0x0a, 0x02, 0xff, 0xfe];
    let refusal = server
        .raw("/cartwright.v1.EventService/PushEvents", body)
        .await
        .unwrap_err();
    assert_eq!(refusal.code(), Code::InvalidArgument, "{refusal:?}");
    assert_eq!(fields(&refusal), ["events.event_id"]);
}

#[tokio::test]
async fn bytes_that_are_no_message_are_refused() {
    let server = server().await;
    for body in [
        vec![0xff; 64],
        vec![0x0a, 0xff, 0xff, 0xff, 0x7f],
        b"GET / HTTP/1.1".to_vec(),
    ] {
        let refusal = server
            .raw("/cartwright.v1.EventService/PushEvents", body)
            .await
            .unwrap_err();
        assert_eq!(refusal.code(), Code::InvalidArgument, "{refusal:?}");
    }
    assert_eq!(server.push(vec![event("e1", "ann", "7")]).await.len(), 1);
}

#[tokio::test]
async fn a_message_beyond_the_limit_is_refused_before_it_is_read() {
    let server = server().await;
    let mut big = event("e1", "ann", "7");
    big.category = "x".repeat(kit::MAX_MESSAGE_BYTES);
    let status = push(&server, vec![big]).await;
    assert_eq!(status.code(), Code::OutOfRange, "{status:?}");
    assert_eq!(server.push(vec![event("e2", "ann", "7")]).await.len(), 1);
}

#[tokio::test]
async fn garbage_on_the_socket_ends_that_connection_only() {
    let server = server().await;
    for garbage in [
        &b"\x00\x01\x02 nonsense \r\n\r\n"[..],
        b"GET / HTTP/1.1\r\n\r\n",
        &[0xff; 4_096],
    ] {
        let mut socket = tokio::net::TcpStream::connect(server.running.addr)
            .await
            .unwrap();
        socket.write_all(garbage).await.unwrap();
        let mut answer = Vec::new();
        // The server closes or resets; it does not hang.
        let read = socket.read_to_end(&mut answer);
        let _ = tokio::time::timeout(std::time::Duration::from_secs(5), read)
            .await
            .unwrap();
    }
    assert_eq!(server.push(vec![event("e1", "ann", "7")]).await.len(), 1);
}

#[tokio::test]
async fn a_method_that_does_not_exist_is_unimplemented() {
    let server = server().await;
    let refusal = server
        .raw("/cartwright.v1.EventService/Steal", vec![])
        .await
        .unwrap_err();
    assert_eq!(refusal.code(), Code::Unimplemented);
}
