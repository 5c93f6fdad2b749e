//! Rate, errors and duration of every method, as one tower layer.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body::{Frame, SizeHint};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use tonic::body::Body;
use tonic::{Code, Status};
use tower::{Layer, Service};

/// Upper bounds of latency histograms, in seconds. A Decide takes single milliseconds, so most of
/// the buckets lie below.
pub const LATENCY_BUCKETS: [f64; 19] = [
    0.000_05, 0.000_1, 0.000_2, 0.000_35, 0.000_5, 0.000_75, 0.001, 0.001_5, 0.002, 0.003, 0.005,
    0.007_5, 0.01, 0.015, 0.025, 0.05, 0.1, 0.5, 2.5,
];

/// A latency histogram with [`LATENCY_BUCKETS`].
#[must_use]
pub fn latency_histogram() -> Histogram {
    Histogram::new(LATENCY_BUCKETS)
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct MethodLabel {
    method: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabels {
    method: String,
    code: &'static str,
}

/// Counts and times requests:
///
/// - `cartwright_<role>_requests_total{method, code}`
/// - `cartwright_<role>_request_duration_seconds{method}`, until the last byte of the answer
/// - `cartwright_<role>_requests_in_flight`
#[derive(Clone, Debug)]
pub struct RequestMetrics {
    requests: Family<OutcomeLabels, Counter>,
    duration: Family<MethodLabel, Histogram, fn() -> Histogram>,
    in_flight: Gauge,
}

impl RequestMetrics {
    /// Registers the metrics of `role`.
    pub fn register(registry: &mut Registry, role: &str) -> Self {
        let metrics = Self {
            requests: Family::default(),
            duration: Family::new_with_constructor(latency_histogram),
            in_flight: Gauge::default(),
        };
        registry.register(
            format!("cartwright_{role}_requests"),
            "Requests answered, by method and gRPC code",
            metrics.requests.clone(),
        );
        registry.register_with_unit(
            format!("cartwright_{role}_request_duration"),
            "Time from the request's headers to the end of its answer",
            Unit::Seconds,
            metrics.duration.clone(),
        );
        registry.register(
            format!("cartwright_{role}_requests_in_flight"),
            "Requests being answered now, streams included",
            metrics.in_flight.clone(),
        );
        metrics
    }

    /// Requests being answered now.
    #[must_use]
    pub fn in_flight(&self) -> i64 {
        self.in_flight.get()
    }
}

impl<S> Layer<S> for RequestMetrics {
    type Service = Measured<S>;

    fn layer(&self, inner: S) -> Measured<S> {
        Measured {
            inner,
            metrics: self.clone(),
        }
    }
}

/// A service behind [`RequestMetrics`].
#[derive(Clone, Debug)]
pub struct Measured<S> {
    inner: S,
    metrics: RequestMetrics,
}

impl<S, B> Service<Request<B>> for Measured<S>
where
    S: Service<Request<B>, Response = Response<Body>>,
    S::Future: Send + 'static,
    S::Error: Send,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let mut running = Running::start(&self.metrics, request.uri().path());
        let answer = self.inner.call(request);
        Box::pin(async move {
            let response = answer.await?;
            running.note(response.headers());
            Ok(response.map(|inner| Body::new(MeasuredBody { inner, running })))
        })
    }
}

/// One request. Whatever ends it (its last byte, an error, a caller who went away), dropping this
/// counts it once.
struct Running {
    metrics: RequestMetrics,
    method: String,
    started: Instant,
    code: Option<Code>,
}

impl Running {
    fn start(metrics: &RequestMetrics, path: &str) -> Self {
        metrics.in_flight.inc();
        Self {
            metrics: metrics.clone(),
            method: path.trim_start_matches('/').to_owned(),
            started: Instant::now(),
            code: None,
        }
    }

    /// The code comes in the trailers, or in the headers of an answer without a body.
    fn note(&mut self, headers: &HeaderMap) {
        if let Some(value) = headers.get(Status::GRPC_STATUS) {
            self.code = Some(Code::from_bytes(value.as_bytes()));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let code = self.code.unwrap_or(Code::Cancelled);
        // A method that does not exist is a caller's free text: it must not become a label.
        let method = if code == Code::Unimplemented {
            "unknown".to_owned()
        } else {
            std::mem::take(&mut self.method)
        };
        let elapsed = self.started.elapsed();
        tracing::debug!(method, code = code_name(code), ?elapsed, "answered");
        self.metrics.in_flight.dec();
        let outcome = OutcomeLabels {
            method: method.clone(),
            code: code_name(code),
        };
        self.metrics.requests.get_or_create(&outcome).inc();
        self.metrics
            .duration
            .get_or_create(&MethodLabel { method })
            .observe(elapsed.as_secs_f64());
    }
}

struct MeasuredBody {
    inner: Body,
    running: Running,
}

impl http_body::Body for MeasuredBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let frame = ready!(Pin::new(&mut self.inner).poll_frame(cx));
        if let Some(Ok(frame)) = &frame
            && let Some(trailers) = frame.trailers_ref()
        {
            self.running.note(trailers);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// The code as the gRPC specification spells it.
#[must_use]
pub fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}
