use std::time::{Duration, Instant};

use kit::security::Security;
use kit::shell::Listen;
use kit::{CancellationToken, Shell, admission};
use tokio::io::AsyncWriteExt as _;
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use super::toy::{Role, open_role, role, told};

async fn health(role: &Role, service: &str) -> ServingStatus {
    let request = HealthCheckRequest {
        service: service.to_owned(),
    };
    let mut client = HealthClient::new(role.channel().await);
    client.check(request).await.unwrap().into_inner().status()
}

#[tokio::test]
async fn a_role_is_not_serving_until_it_says_so() {
    let role = open_role().await;
    for service in ["", "cartwright.v1.SnapshotService"] {
        assert_eq!(
            health(&role, service).await,
            ServingStatus::NotServing,
            "{service:?}"
        );
    }
    assert!(role.admin("/ready").await.starts_with("HTTP/1.1 503"));
    assert!(role.admin("/live").await.starts_with("HTTP/1.1 200"));
    role.running.ready().await;
    assert_eq!(health(&role, "").await, ServingStatus::Serving);
    assert!(role.admin("/ready").await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn a_panic_is_internal_and_the_connection_lives() {
    let role = open_role().await;
    let mut client = role.client().await;
    assert_eq!(
        client.get_status(told("panic")).await.unwrap_err().code(),
        Code::Internal
    );
    client.get_status(told("nothing")).await.unwrap();
}

#[tokio::test]
async fn requests_are_counted_by_code_and_unknown_methods_make_no_label() {
    let role = open_role().await;
    let mut client = role.client().await;
    client.get_status(told("nothing")).await.unwrap();
    client.get_status(told("panic")).await.unwrap_err();
    let mut stranger = tonic_reflection::pb::v1alpha::server_reflection_client::ServerReflectionClient::with_origin(
        role.channel().await,
        "http://127.0.0.1/no.such.Package".parse().unwrap(),
    );
    let asked = tokio_stream::empty();
    assert!(stranger.server_reflection_info(asked).await.is_err());
    let metrics = role.admin("/metrics").await;
    for line in [
        "cartwright_toy_requests_total{method=\"cartwright.v1.SnapshotService/GetStatus\",code=\"OK\"} 1",
        "cartwright_toy_requests_total{method=\"cartwright.v1.SnapshotService/GetStatus\",code=\"INTERNAL\"} 1",
        "cartwright_toy_requests_total{method=\"unknown\",code=\"UNIMPLEMENTED\"} 1",
        "cartwright_toy_requests_in_flight 0",
    ] {
        assert!(metrics.contains(line), "{line} is not in:\n{metrics}");
    }
}

#[tokio::test]
async fn a_request_in_flight_is_answered_before_the_role_stops() {
    let role = open_role().await;
    role.running.ready().await;
    let mut client = role.client().await;
    let in_flight = tokio::spawn(async move { client.get_status(told("sleep")).await });
    tokio::time::sleep(Duration::from_millis(100)).await;
    role.shutdown.cancel();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(
        !role.running.health().is_ready(),
        "it stops being ready first"
    );
    let addr = role.running.addr;
    let refused = tokio::net::TcpStream::connect(addr).await;
    assert!(refused.is_err(), "nothing new is accepted");
    in_flight.await.unwrap().unwrap();
    role.running.wait().await.unwrap();
}

#[tokio::test]
async fn draining_ends_at_its_limit() {
    let role = role(Security::default(), Duration::from_millis(300)).await;
    let mut client = role.client().await;
    let hanging = tokio::spawn(async move { client.get_status(told("hang")).await });
    tokio::time::sleep(Duration::from_millis(100)).await;
    let started = Instant::now();
    role.running.stop();
    role.running.wait().await.unwrap();
    assert!(
        started.elapsed() < Duration::from_secs(2),
        "{:?}",
        started.elapsed()
    );
    hanging.abort();
}

#[tokio::test]
async fn a_role_that_is_exposed_or_has_no_port_does_not_start() {
    let first = open_role().await;
    let listen = |addr: String| Listen {
        addr: addr.parse().unwrap(),
        admin: None,
        security: Security::default(),
        drain: Duration::ZERO,
        admission: admission::Settings::default(),
        telemetry: kit::trace::Settings::default(),
    };
    let start = async |addr| {
        let shutdown = CancellationToken::new();
        Shell::bind("toy", listen(addr), shutdown)
            .await
            .unwrap_err()
            .to_string()
    };
    let taken = start(first.running.addr.to_string()).await;
    assert!(
        taken.contains(&first.running.addr.port().to_string()),
        "{taken}"
    );
    assert!(taken.contains(&std::process::id().to_string()), "{taken}");
    let exposed = start("0.0.0.0:0".to_owned()).await;
    assert!(exposed.contains("security.insecure"), "{exposed}");
}

#[tokio::test]
async fn a_client_that_stays_connected_and_asks_nothing_does_not_hold_up_the_end() {
    let role = role(Security::default(), Duration::from_secs(600)).await;
    role.running.ready().await;
    // It speaks HTTP/2 and then ignores that it is told to go away.
    let mut idle = tokio::net::TcpStream::connect(role.running.addr)
        .await
        .unwrap();
    let settings = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    idle.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        .await
        .unwrap();
    idle.write_all(&settings).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    role.shutdown.cancel();
    let stopped = tokio::time::timeout(Duration::from_secs(60), role.running.wait());
    stopped
        .await
        .expect("it does not wait for the drain timeout")
        .unwrap();
}
