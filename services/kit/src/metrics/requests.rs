//! Rate, errors and duration of every method, as one tower layer.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body::{Frame, SizeHint};
use prost::Message as _;
use prost_types::FileDescriptorSet;
use tonic::body::Body;
use tonic::{Code, Status};
use tower::{Layer, Service};

use super::declaration::{Declared, Group, Label};
use super::instrument::{Counter, Gauge, Histogram};
use super::registry::Registry;
use super::traffic::Traffic;
use crate::admission::{Degraded, limited};
use crate::health::{ALWAYS_SERVED, Health};

/// Codes of gRPC, `OK` first; a request whose caller went away is `CANCELLED`.
pub static CODES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

const METHOD: Label = Label::bounded(
    "method",
    "the methods that the role serves, and `unknown` for all others; each appears with its first request",
);

static REQUESTS: Declared<Counter> =
    Declared::counter("requests", "Requests answered, by method and gRPC code.")
        .labels(&[METHOD, Label::closed("code", &CODES)])
        .when_counted();
static DURATION: Declared<Histogram> = Declared::latency(
    "request_duration",
    "Time from a request's headers to the last byte of its answer; streams last as long as they are open.",
)
.labels(&[METHOD])
.when_counted();
static IN_FLIGHT: Declared<Gauge> = Declared::gauge(
    "requests_in_flight",
    "Requests being answered now, open streams included.",
);
static READY: Declared<Gauge> = Declared::gauge(
    "ready",
    "1 while the role takes requests, 0 while it loads and while it drains.",
);

/// What every role says of its requests.
pub static GROUP: Group = Group {
    title: "Requests",
    about: "",
    metrics: &[
        &REQUESTS.declaration,
        &DURATION.declaration,
        &IN_FLIGHT.declaration,
        &READY.declaration,
    ],
};

/// A method that does not exist is a caller's free text: it must not become a label.
const UNKNOWN: &str = "unknown";

/// Counts and times the requests of one role. Cloning shares the counts.
#[derive(Clone, Debug)]
pub struct RequestMetrics {
    /// By path as requests carry it, with the leading slash.
    methods: Arc<HashMap<String, Arc<Method>>>,
    unknown: Arc<Method>,
    /// The unary methods of the role's own.
    own: Arc<[Arc<Method>]>,
    in_flight: Gauge,
}

/// The cells of one method, looked up once.
#[derive(Debug)]
pub(super) struct Method {
    name: String,
    /// In the order of [`CODES`].
    answered: Vec<Counter>,
    pub(super) duration: Histogram,
    /// Answered from a fallback. Roles show these in metrics of their own.
    pub(super) degraded: Counter,
}

impl Method {
    /// Requests answered with this code.
    pub(super) fn answered(&self, code: Code) -> u64 {
        self.answered.get(code_place(code)).map_or(0, Counter::get)
    }
}

impl RequestMetrics {
    /// Registers the metrics of a role that serves `services`, given by their full names.
    pub fn register(registry: &mut Registry, services: &[&str], health: &Health) -> Self {
        let mut names = methods(services);
        names.push(UNKNOWN.to_owned());
        let requests = registry.family_of(&REQUESTS, &[&names]);
        let duration = registry.family_of(&DURATION, &[&names]);
        let in_flight = registry.one(&IN_FLIGHT);
        let health = health.clone();
        registry.watch(&READY, move || Some(f64::from(u8::from(health.is_ready()))));
        let method = |name: &String| {
            Arc::new(Method {
                name: name.clone(),
                answered: CODES
                    .iter()
                    .map(|code| requests.with([name, code]).clone())
                    .collect(),
                duration: duration.with([name]).clone(),
                degraded: Counter::default(),
            })
        };
        let methods: HashMap<_, _> = names
            .iter()
            .map(|name| (format!("/{name}"), method(name)))
            .collect();
        let own = limited(services).into_keys();
        Self {
            own: own.filter_map(|path| methods.get(&path).cloned()).collect(),
            methods: Arc::new(methods),
            unknown: method(&UNKNOWN.to_owned()),
            in_flight,
        }
    }

    /// Requests being answered now.
    #[must_use]
    pub fn in_flight(&self) -> i64 {
        self.in_flight.get()
    }

    /// What callers of the role's own unary methods got so far.
    #[must_use]
    pub fn traffic(&self) -> Traffic {
        Traffic::of(self.own.iter().map(|method| &**method))
    }

    fn method(&self, path: &str) -> &Arc<Method> {
        self.methods.get(path).unwrap_or(&self.unknown)
    }
}

/// `package.Service/Method` of all methods of these services, and of those that every role answers.
fn methods(services: &[&str]) -> Vec<String> {
    let sets = [
        proto::DESCRIPTORS,
        tonic_health::pb::FILE_DESCRIPTOR_SET,
        tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET,
        tonic_reflection::pb::v1alpha::FILE_DESCRIPTOR_SET,
    ];
    let files = sets
        .into_iter()
        .filter_map(|set| FileDescriptorSet::decode(set).ok())
        .flat_map(|set| set.file);
    let mut names = Vec::new();
    for file in files {
        for service in &file.service {
            let full = format!("{}.{}", file.package(), service.name());
            let served = services.contains(&full.as_str()) || ALWAYS_SERVED.contains(&&*full);
            let methods = service.method.iter().filter(|_| served);
            names.extend(methods.map(|method| format!("{full}/{}", method.name())));
        }
    }
    names.sort();
    names.dedup();
    names
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
            if response.extensions().get::<Degraded>().is_some() {
                running.method.degraded.inc();
            }
            Ok(response.map(|inner| Body::new(MeasuredBody { inner, running })))
        })
    }
}

/// One request. Whatever ends it (its last byte, an error, a caller who went away), dropping this
/// counts it once.
struct Running {
    method: Arc<Method>,
    in_flight: Gauge,
    started: Instant,
    code: Option<Code>,
}

impl Running {
    fn start(metrics: &RequestMetrics, path: &str) -> Self {
        metrics.in_flight.inc();
        Self {
            method: metrics.method(path).clone(),
            in_flight: metrics.in_flight.clone(),
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
        let elapsed = self.started.elapsed();
        let method = &*self.method;
        tracing::debug!(
            method = method.name,
            code = code_name(code),
            ?elapsed,
            "answered"
        );
        self.in_flight.dec();
        if let Some(answered) = method.answered.get(code_place(code)) {
            answered.inc();
        }
        method.duration.observe(elapsed);
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
    CODES.get(code_place(code)).copied().unwrap_or("UNKNOWN")
}

/// The place of the code in [`CODES`]: its number on the wire.
fn code_place(code: Code) -> usize {
    usize::try_from(i32::from(code)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_stand_at_their_numbers() {
        for (code, name) in [
            (Code::Ok, "OK"),
            (Code::DeadlineExceeded, "DEADLINE_EXCEEDED"),
            (Code::Unimplemented, "UNIMPLEMENTED"),
            (Code::Unauthenticated, "UNAUTHENTICATED"),
        ] {
            assert_eq!(code_name(code), name);
        }
    }

    #[test]
    fn the_methods_of_the_services_served_are_known_and_no_other() {
        let known = methods(&["cartwright.v1.SnapshotService"]);
        for method in [
            "cartwright.v1.SnapshotService/GetStatus",
            "grpc.health.v1.Health/Check",
            "grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
            "grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
        ] {
            assert!(known.iter().any(|one| one == method), "{method}: {known:?}");
        }
        assert!(!known.iter().any(|one| one.contains("EventService")));
    }
}
