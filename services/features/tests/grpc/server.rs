//! What every role offers: health, reflection, metrics, status.

use proto::v1 as pb;
use proto::v1::snapshot_service_client::SnapshotServiceClient;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use super::support::{Server, event, server};

const SERVICES: [&str; 9] = [
    "cartwright.v1.CatalogService",
    "cartwright.v1.ErasureService",
    "cartwright.v1.EventService",
    "cartwright.v1.FeatureService",
    "cartwright.v1.ShopperService",
    "cartwright.v1.SnapshotService",
    "grpc.health.v1.Health",
    "grpc.reflection.v1.ServerReflection",
    "grpc.reflection.v1alpha.ServerReflection",
];

macro_rules! listed {
    ($server:expr, $version:ident) => {{
        use tonic_reflection::pb::$version::server_reflection_client::ServerReflectionClient;
        use tonic_reflection::pb::$version::server_reflection_request::MessageRequest;
        use tonic_reflection::pb::$version::server_reflection_response::MessageResponse;
        let ask = |message| tonic_reflection::pb::$version::ServerReflectionRequest {
            host: String::new(),
            message_request: Some(message),
        };
        let asked = [
            ask(MessageRequest::ListServices(String::new())),
            ask(MessageRequest::FileContainingSymbol(
                "cartwright.v1.Event".to_owned(),
            )),
        ];
        let mut client = ServerReflectionClient::new($server.channel.clone());
        let answers = client
            .server_reflection_info(tokio_stream::iter(asked))
            .await
            .unwrap();
        let mut answers = answers.into_inner();
        let first = answers
            .message()
            .await
            .unwrap()
            .unwrap()
            .message_response
            .unwrap();
        let MessageResponse::ListServicesResponse(list) = first else {
            panic!("services are listed as {first:?}");
        };
        let second = answers
            .message()
            .await
            .unwrap()
            .unwrap()
            .message_response
            .unwrap();
        assert!(
            matches!(second, MessageResponse::FileDescriptorResponse(_)),
            "{second:?}"
        );
        let mut names: Vec<_> = list
            .service
            .into_iter()
            .map(|service| service.name)
            .collect();
        names.sort();
        names
    }};
}

#[tokio::test]
async fn reflection_lists_what_this_role_serves_in_both_versions() {
    let server = server().await;
    assert_eq!(listed!(server, v1), SERVICES);
    assert_eq!(listed!(server, v1alpha), SERVICES);
}

#[tokio::test]
async fn health_says_serving_for_the_server_and_each_service() {
    let server = server().await;
    let mut client = HealthClient::new(server.channel.clone());
    for service in [
        "",
        "cartwright.v1.EventService",
        "cartwright.v1.CatalogService",
    ] {
        let request = HealthCheckRequest {
            service: service.to_owned(),
        };
        let answer = client.check(request).await.unwrap().into_inner();
        assert_eq!(answer.status(), ServingStatus::Serving, "{service}");
    }
}

#[tokio::test]
async fn a_watcher_sees_the_server_go_before_it_stops() {
    let server = server().await;
    let mut client = HealthClient::new(server.channel.clone());
    let request = HealthCheckRequest {
        service: String::new(),
    };
    let mut statuses = client.watch(request).await.unwrap().into_inner();
    assert_eq!(
        statuses.message().await.unwrap().unwrap().status(),
        ServingStatus::Serving
    );
    let stopping = tokio::spawn(server.stop());
    assert_eq!(
        statuses.message().await.unwrap().unwrap().status(),
        ServingStatus::NotServing
    );
    assert!(
        stopping.await.unwrap() < std::time::Duration::from_secs(3),
        "a watch holds nothing up"
    );
}

#[tokio::test]
async fn status_says_what_this_server_is() {
    let server = server().await;
    let mut client = SnapshotServiceClient::new(server.channel.clone());
    let status = client
        .get_status(pb::GetStatusRequest {})
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        (status.role.as_str(), status.store.as_str()),
        ("features", "embedded")
    );
    assert!(!status.schema_fingerprint.is_empty());
}

async fn get(server: &Server, path: &str) -> String {
    let mut socket = tokio::net::TcpStream::connect(server.running.admin.unwrap())
        .await
        .unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: admin\r\nconnection: close\r\n\r\n");
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn the_admin_port_shows_readiness_and_metrics() {
    let server = server().await;
    server
        .push(vec![event("e1", "ann", "7"), event("e1", "ann", "7")])
        .await;
    assert!(get(&server, "/live").await.starts_with("HTTP/1.1 200"));
    let ready = get(&server, "/ready").await;
    assert!(
        ready.starts_with("HTTP/1.1 200") && ready.contains("features: ready"),
        "{ready}"
    );
    let metrics = get(&server, "/metrics").await;
    for line in [
        "cartwright_features_events_total{outcome=\"accepted\"} 1",
        "cartwright_features_events_total{outcome=\"duplicate\"} 1",
        "cartwright_features_requests_total{method=\"cartwright.v1.EventService/PushEvents\",code=\"OK\"} 1",
        "cartwright_features_request_duration_seconds_bucket{method=\"cartwright.v1.EventService/PushEvents\",le=\"0.00005\"",
        "cartwright_features_item_table_rows ",
        "cartwright_features_event_lateness_seconds_count 1",
        "cartwright_features_event_commit_duration_seconds_count 1",
        "cartwright_features_ready 1",
        "cartwright_process_build_info{version=",
    ] {
        assert!(metrics.contains(line), "{line} is not in:\n{metrics}");
    }
}
