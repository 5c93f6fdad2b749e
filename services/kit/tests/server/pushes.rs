//! Metrics pushed to an OTLP receiver, over both protocols.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::routing::post;
use kit::config::Period;
use kit::trace::{Protocol, Settings};
use opentelemetry_proto::tonic::collector::metrics::v1 as otlp;
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_server::{
    MetricsService, MetricsServiceServer,
};
use prost::Message as _;
use tokio::sync::mpsc;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status};

use super::toy::{told, traced_role};

type Pushes = mpsc::UnboundedReceiver<otlp::ExportMetricsServiceRequest>;

#[derive(Clone, Debug)]
struct Receiver(mpsc::UnboundedSender<otlp::ExportMetricsServiceRequest>);

#[tonic::async_trait]
impl MetricsService for Receiver {
    async fn export(
        &self,
        request: Request<otlp::ExportMetricsServiceRequest>,
    ) -> Result<Response<otlp::ExportMetricsServiceResponse>, Status> {
        drop(self.0.send(request.into_inner()));
        Ok(Response::new(otlp::ExportMetricsServiceResponse::default()))
    }
}

async fn listener() -> (tokio::net::TcpListener, String) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    (listener, url)
}

async fn grpc() -> (Pushes, String) {
    let (sender, pushes) = mpsc::unbounded_channel();
    let (listener, url) = listener().await;
    let server = tonic::transport::Server::builder()
        .add_service(MetricsServiceServer::new(Receiver(sender)))
        .serve_with_incoming(TcpListenerStream::new(listener));
    tokio::spawn(server);
    (pushes, url)
}

async fn http() -> (Pushes, String) {
    let (sender, pushes) = mpsc::unbounded_channel();
    let (listener, url) = listener().await;
    let take = async |State(to): State<Receiver>, body: Bytes| {
        let request = otlp::ExportMetricsServiceRequest::decode(body).unwrap();
        drop(to.0.send(request));
    };
    let app = axum::Router::new()
        .route("/v1/metrics", post(take))
        .with_state(Receiver(sender));
    tokio::spawn(axum::serve(listener, app).into_future());
    (pushes, url)
}

fn settings(url: String, protocol: Protocol) -> Settings {
    Settings {
        otlp: Some(url),
        protocol,
        metrics_every: Period::millis(100),
        ..Settings::default()
    }
}

/// Waits for a push in which a request was counted.
async fn counted(pushes: &mut Pushes) {
    let names = async {
        loop {
            let push = pushes.recv().await.unwrap();
            let scopes = push
                .resource_metrics
                .iter()
                .flat_map(|one| &one.scope_metrics);
            let metrics: Vec<_> = scopes.flat_map(|scope| &scope.metrics).collect();
            let text = format!("{metrics:?}");
            if text.contains("SnapshotService/GetStatus") {
                return text;
            }
        }
    };
    let text = tokio::time::timeout(Duration::from_secs(10), names).await;
    let text = text.expect("a push");
    for name in [
        "cartwright_toy_requests_total",
        "cartwright_toy_request_duration_seconds",
        "cartwright_process_cpu_seconds_total",
    ] {
        assert!(text.contains(name), "{name}");
    }
}

#[tokio::test]
async fn metrics_are_pushed_over_grpc() {
    let (mut pushes, url) = grpc().await;
    let role = traced_role("toy", settings(url, Protocol::Grpc), None).await;
    role.client()
        .await
        .get_status(told("nothing"))
        .await
        .unwrap();
    counted(&mut pushes).await;
}

#[tokio::test]
async fn metrics_are_pushed_over_http() {
    let (mut pushes, url) = http().await;
    let role = traced_role("toy", settings(url, Protocol::Http), None).await;
    role.client()
        .await
        .get_status(told("nothing"))
        .await
        .unwrap();
    counted(&mut pushes).await;
}

#[tokio::test]
async fn a_receiver_that_is_gone_costs_pushes_and_no_request() {
    for protocol in [Protocol::Grpc, Protocol::Http] {
        let (listener, url) = listener().await;
        drop(listener);
        let role = traced_role("toy", settings(url, protocol), None).await;
        role.client()
            .await
            .get_status(told("nothing"))
            .await
            .unwrap();
        let failed = "cartwright_toy_metric_pushes_total{outcome=\"failed\"} 0";
        let give_up = tokio::time::Instant::now() + Duration::from_secs(10);
        while role.admin("/metrics").await.contains(failed) {
            assert!(tokio::time::Instant::now() < give_up, "no push failed");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}
