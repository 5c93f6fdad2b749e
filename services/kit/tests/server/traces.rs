//! Traces across two roles, into an OTLP receiver that keeps what it is sent.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use kit::config::Period;
use kit::trace::{Protocol, Settings};
use opentelemetry_proto::tonic::collector::trace::v1 as otlp;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status};

use super::toy::{Role, told, traced_role};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SAMPLED: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const UNSAMPLED: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";

/// Spans with the name of the service that sent each.
#[derive(Clone, Debug, Default)]
struct Receiver(Arc<Mutex<Vec<(String, Span)>>>);

#[tonic::async_trait]
impl TraceService for Receiver {
    async fn export(
        &self,
        request: Request<otlp::ExportTraceServiceRequest>,
    ) -> Result<Response<otlp::ExportTraceServiceResponse>, Status> {
        for sent in request.into_inner().resource_spans {
            let attributes = sent.resource.unwrap_or_default().attributes;
            let name = attributes.iter().find(|one| one.key == "service.name");
            let name = text(name.unwrap().value.clone().unwrap().value);
            let spans = sent.scope_spans.into_iter().flat_map(|scope| scope.spans);
            let mut kept = self.0.lock().unwrap();
            kept.extend(spans.map(|span| (name.clone(), span)));
        }
        Ok(Response::new(otlp::ExportTraceServiceResponse::default()))
    }
}

fn text(value: Option<Value>) -> String {
    match value {
        Some(Value::StringValue(text)) => text,
        other => format!("{other:?}"),
    }
}

fn attribute(span: &Span, key: &str) -> Option<String> {
    let found = span.attributes.iter().find(|one| one.key == key)?;
    Some(text(found.value.clone()?.value))
}

impl Receiver {
    async fn start() -> (Self, String) {
        let receiver = Self::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let service = TraceServiceServer::new(receiver.clone());
        let serving = tonic::transport::Server::builder()
            .add_service(service)
            .serve_with_incoming(TcpListenerStream::new(listener));
        tokio::spawn(serving);
        (receiver, url)
    }

    async fn wait_for(&self, spans: usize) -> Vec<(String, Span)> {
        let until = Instant::now() + Duration::from_secs(10);
        loop {
            let kept = self.0.lock().unwrap().clone();
            if kept.len() >= spans || Instant::now() > until {
                return kept;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

fn settings(otlp: Option<&str>, slow: Period) -> Settings {
    Settings {
        otlp: otlp.map(str::to_owned),
        sample: 0.0,
        slow,
        ..Settings::default()
    }
}

async fn near_and_far(near: Settings, far: Settings) -> (Role, Role) {
    kit::telemetry::init(&kit::telemetry::Settings::default());
    let far = traced_role("far", far, None).await;
    let near = traced_role("near", near, Some(&far)).await;
    (near, far)
}

const NEVER_SLOW: Period = Period::seconds(3_600);

fn asked<T>(mut request: Request<T>, headers: &[(&'static str, &'static str)]) -> Request<T> {
    for (key, value) in headers {
        request.metadata_mut().insert(*key, value.parse().unwrap());
    }
    request
}

#[tokio::test]
async fn one_trace_connects_the_callers_span_both_roles_and_their_stages() {
    let (receiver, url) = Receiver::start().await;
    let settings = settings(Some(&url), NEVER_SLOW);
    let (near, _far) = near_and_far(settings.clone(), settings).await;
    let state = ("tracestate", "shop=1");
    let request = asked(told("call"), &[("traceparent", SAMPLED), state]);
    near.client().await.get_status(request).await.unwrap();
    let spans = receiver.wait_for(5).await;
    let named = |service: &str, name: &str| {
        let found = spans
            .iter()
            .find(|(s, span)| s == service && span.name == name);
        found.map(|(_, span)| span.clone()).unwrap()
    };
    let method = "cartwright.v1.SnapshotService/GetStatus";
    let (near, far) = ("cartwright-near", "cartwright-far");
    let root = named(near, method);
    let stage = named(near, "ask");
    let hop = spans
        .iter()
        .find(|(_, span)| span.parent_span_id == stage.span_id);
    let hop = hop.unwrap().1.clone();
    let served = named(far, method);
    let work = named(far, "work");
    assert_eq!(spans.len(), 5, "{spans:#?}");
    assert_eq!(hex(&root.parent_span_id), "00f067aa0ba902b7");
    for (child, parent) in [(&stage, &root), (&served, &hop), (&work, &served)] {
        assert_eq!(child.parent_span_id, parent.span_id);
    }
    assert!(spans.iter().all(|(_, span)| hex(&span.trace_id) == TRACE));
    assert!(spans.iter().all(|(_, span)| span.trace_state == "shop=1"));
    let of = |span: &Span, key| attribute(span, key).unwrap();
    assert_eq!(of(&root, "rpc.system.name"), "grpc");
    assert_eq!(of(&hop, "rpc.method"), method);
    assert_eq!(of(&hop, "rpc.response.status_code"), "OK");
    let shopper = of(&root, "cartwright.shopper");
    assert!(
        !shopper.contains("shopper") && shopper.len() == 16,
        "{shopper}"
    );
    assert!(work.start_time_unix_nano >= served.start_time_unix_nano);
    assert!(work.end_time_unix_nano <= served.end_time_unix_nano);
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn what_fails_or_is_degraded_is_sent_whatever_the_share() {
    let (receiver, url) = Receiver::start().await;
    let (near, _far) =
        near_and_far(settings(Some(&url), NEVER_SLOW), settings(None, NEVER_SLOW)).await;
    let mut client = near.client().await;
    client.get_status(told("work")).await.unwrap();
    client.get_status(told("degrade")).await.unwrap();
    client.get_status(told("panic")).await.unwrap_err();
    near.running.stop();
    near.running.wait().await.unwrap();
    let spans = receiver.wait_for(2).await;
    let why: Vec<_> = spans
        .iter()
        .filter_map(|(_, span)| attribute(span, "cartwright.kept"))
        .collect();
    assert_eq!(why, ["degraded", "failed"]);
    assert_eq!(
        attribute(&spans[1].1, "error.type").as_deref(),
        Some("INTERNAL")
    );
    assert_eq!(
        attribute(&spans[0].1, "cartwright.degraded.reason").as_deref(),
        Some("toy: as told")
    );
}

#[tokio::test]
async fn a_caller_that_keeps_its_trace_late_gets_the_called_roles_part_with_its_next_call() {
    let (receiver, url) = Receiver::start().await;
    let slow = settings(Some(&url), Period::millis(0));
    let (near, _far) = near_and_far(slow, settings(Some(&url), NEVER_SLOW)).await;
    let mut client = near.client().await;
    let request = asked(told("call"), &[("traceparent", UNSAMPLED)]);
    client.get_status(request).await.unwrap();
    let far = |spans: &[(String, Span)]| {
        let far = spans
            .iter()
            .filter(|(service, _)| service == "cartwright-far");
        far.filter(|(_, span)| hex(&span.trace_id) == TRACE).count()
    };
    assert_eq!(
        far(&receiver.wait_for(3).await),
        0,
        "not before it is asked"
    );
    client.get_status(told("call")).await.unwrap();
    let spans = receiver.wait_for(8).await;
    assert_eq!(far(&spans), 2, "{spans:#?}");
}

#[tokio::test]
async fn a_caller_that_asks_is_told_the_stages_and_the_trace() {
    let off = settings(None, NEVER_SLOW);
    let (near, _far) = near_and_far(off.clone(), off).await;
    let mut client = near.client().await;
    let quiet = client.get_status(told("call")).await.unwrap();
    assert!(quiet.metadata().get("server-timing").is_none());
    let headers = [("traceparent", UNSAMPLED), ("cartwright-timing", "1")];
    let answer = client
        .get_status(asked(told("call"), &headers))
        .await
        .unwrap();
    let said = |key| answer.metadata().get(key).unwrap().to_str().unwrap();
    let timing = said("server-timing");
    for stage in [
        "total;dur=",
        "ask;dur=",
        "ask.hop;dur=",
        "ask.hop.other;dur=",
        "ask.hop.work;dur=",
    ] {
        assert!(timing.contains(stage), "{stage} is not in {timing}");
    }
    let ms = timing.split(", ").map(|entry| {
        let (_, ms) = entry.split_once(";dur=").unwrap();
        ms.parse::<f64>().unwrap()
    });
    let all: Vec<f64> = ms.collect();
    let parts: f64 = all[1..].iter().sum();
    assert!(
        parts <= all[0] + 0.01,
        "the parts are no more than all: {timing}"
    );
    assert!(said("traceresponse").contains(TRACE));
    let quick = [("cartwright-timing", "over=60000")];
    let answer = client
        .get_status(asked(told("call"), &quick))
        .await
        .unwrap();
    assert!(answer.metadata().get("server-timing").is_none());
    let malformed = [("traceparent", "00-oh-no-01"), ("cartwright-timing", "1")];
    let answer = client
        .get_status(asked(told("work"), &malformed))
        .await
        .unwrap();
    let trace = answer.metadata().get("traceresponse").unwrap();
    assert_eq!(trace.len(), 55);
}

#[tokio::test]
async fn without_tracing_stages_are_timed_and_nothing_has_an_id() {
    let (receiver, url) = Receiver::start().await;
    let off = Settings {
        trace: false,
        ..settings(Some(&url), Period::millis(0))
    };
    let (near, _far) = near_and_far(off, settings(None, NEVER_SLOW)).await;
    let headers = [("traceparent", SAMPLED), ("cartwright-timing", "1")];
    let answer = near
        .client()
        .await
        .get_status(asked(told("call"), &headers))
        .await
        .unwrap();
    let timing = answer.metadata().get("server-timing").unwrap();
    let timing = timing.to_str().unwrap();
    for stage in ["total;dur=", "ask;dur=", "ask.hop.work;dur="] {
        assert!(timing.contains(stage), "{stage} is not in {timing}");
    }
    assert!(answer.metadata().get("traceresponse").is_none());
    tokio::time::sleep(Duration::from_millis(100)).await;
    let sent = receiver.0.lock().unwrap().len();
    assert_eq!(sent, 0);
}

#[tokio::test]
async fn a_dead_receiver_changes_no_answer_and_is_counted() {
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", free.local_addr().unwrap());
    drop(free);
    for protocol in [Protocol::Grpc, Protocol::Http] {
        let dead = Settings {
            protocol,
            sample: 1.0,
            ..settings(Some(&url), NEVER_SLOW)
        };
        let (near, _far) = near_and_far(dead, settings(None, NEVER_SLOW)).await;
        let mut client = near.client().await;
        for _ in 0..50 {
            client.get_status(told("work")).await.unwrap();
        }
        let lost = "cartwright_near_spans_dropped_total{why=\"receiver\"} 100";
        let until = Instant::now() + Duration::from_secs(20);
        while !near.admin("/metrics").await.contains(lost) {
            assert!(Instant::now() < until, "{}", near.admin("/metrics").await);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let metrics = near.admin("/metrics").await;
        assert!(metrics.contains("cartwright_near_traces_kept_total{why=\"sampled\"} 50"));
    }
}
