//! What every role offers, and how this one starts.

use candidates::{Config, Error};
use kit::{CancellationToken, Clock};
use proto::v1 as pb;
use proto::v1::snapshot_service_client::SnapshotServiceClient;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use super::support::{ITEMS, NOW_MS, Server, on_free_ports, server};

pub(crate) async fn get(server: &Server, path: &str) -> String {
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
async fn health_says_serving_once_the_snapshot_is_warm() {
    let server = server().await;
    for service in ["", "cartwright.v1.CandidateService"] {
        let request = HealthCheckRequest {
            service: service.to_owned(),
        };
        let mut client = HealthClient::new(server.channel.clone());
        let answer = client.check(request).await.unwrap().into_inner();
        assert_eq!(answer.status(), ServingStatus::Serving, "{service}");
    }
    assert!(get(&server, "/ready").await.contains("candidates: ready"));
}

macro_rules! listed {
    ($server:expr, $version:ident) => {{
        use tonic_reflection::pb::$version::server_reflection_client::ServerReflectionClient;
        use tonic_reflection::pb::$version::server_reflection_request::MessageRequest;
        use tonic_reflection::pb::$version::server_reflection_response::MessageResponse;
        let ask = tonic_reflection::pb::$version::ServerReflectionRequest {
            host: String::new(),
            message_request: Some(MessageRequest::ListServices(String::new())),
        };
        let mut client = ServerReflectionClient::new($server.channel.clone());
        let answers = client
            .server_reflection_info(tokio_stream::iter([ask]))
            .await
            .unwrap();
        match answers
            .into_inner()
            .message()
            .await
            .unwrap()
            .unwrap()
            .message_response
        {
            Some(MessageResponse::ListServicesResponse(list)) => {
                let mut names: Vec<_> = list.service.into_iter().map(|s| s.name).collect();
                names.sort();
                names
            }
            other => panic!("services are listed as {other:?}"),
        }
    }};
}

#[tokio::test]
async fn reflection_lists_what_this_role_serves_in_both_versions() {
    let server = server().await;
    let services = [
        "cartwright.v1.CandidateService",
        "cartwright.v1.SnapshotService",
        "grpc.health.v1.Health",
        "grpc.reflection.v1.ServerReflection",
        "grpc.reflection.v1alpha.ServerReflection",
    ];
    assert_eq!(listed!(server, v1), services);
    assert_eq!(listed!(server, v1alpha), services);
}

#[tokio::test]
async fn status_says_which_generation_is_loaded() {
    let server = server().await;
    let mut client = SnapshotServiceClient::new(server.channel.clone());
    let status = client
        .get_status(pb::GetStatusRequest {})
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        (status.role.as_str(), status.store.as_str()),
        ("candidates", "none")
    );
    assert_eq!(status.generations.len(), 1);
    assert_eq!(status.generations[0].id, status.live_generation);
    assert_eq!(status.generations[0].items, u64::from(ITEMS));
}

async fn start(config: Config) -> Error {
    let shutdown = CancellationToken::new();
    candidates::run(config, Clock::frozen(NOW_MS), shutdown)
        .await
        .unwrap_err()
}

#[tokio::test]
async fn a_snapshot_that_is_missing_or_broken_names_the_folder() {
    assert!(matches!(start(on_free_ports()).await, Error::NoSnapshot));
    let nowhere = Config {
        snapshot: Some("/nonexistent/snapshot".into()),
        ..on_free_ports()
    };
    let said = start(nowhere).await.to_string();
    assert!(said.contains("/nonexistent/snapshot"), "{said}");
}
