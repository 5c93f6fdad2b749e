//! The layer in front of a role's methods: takes the caller's trace context, records the request,
//! answers `server-timing`, and ends the recording with the last byte of the answer.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body::{Frame, SizeHint};
use tonic::body::Body;
use tonic::{Code, Status};
use tower::{Layer, Service};

use super::recording::Recording;
use super::timing;
use super::tracer::Tracer;
use super::{context, current};

/// Records every request.
#[derive(Clone, Debug)]
pub struct TraceLayer(Arc<Tracer>);

impl TraceLayer {
    /// Records with this tracer.
    #[must_use]
    pub fn new(tracer: Arc<Tracer>) -> Self {
        Self(tracer)
    }
}

impl<S> Layer<S> for TraceLayer {
    type Service = Traced<S>;

    fn layer(&self, inner: S) -> Traced<S> {
        Traced {
            inner,
            tracer: self.0.clone(),
        }
    }
}

/// A service behind [`TraceLayer`].
#[derive(Clone, Debug)]
pub struct Traced<S> {
    inner: S,
    tracer: Arc<Tracer>,
}

impl<S, B> Service<Request<B>> for Traced<S>
where
    S: Service<Request<B>, Response = Response<Body>>,
    S::Future: Send + Unpin + 'static,
{
    type Response = Response<TracedBody>;
    type Error = S::Error;
    type Future = Answering<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let mut request_of = Owner(self.tracer.begin(&request));
        let inner = current::within(&mut request_of.0, || self.inner.call(request));
        Answering {
            work: Some((inner, request_of)),
        }
    }
}

/// Owns a recording, and ends it when the answer's body is gone. Without a code by then, the caller
/// gave it up.
#[derive(Debug)]
struct Owner(Option<Box<Recording>>);

impl Owner {
    /// Notes the code in these headers or trailers, if there is one.
    fn note(&mut self, headers: &HeaderMap) {
        if let Some(value) = headers.get(Status::GRPC_STATUS)
            && let Some(recording) = &mut self.0
        {
            recording.answered(Code::from_bytes(value.as_bytes()));
        }
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        if let Some(recording) = self.0.take() {
            let tracer = recording.tracer.clone();
            tracer.end(recording);
        }
    }
}

/// The answer on its way.
#[derive(Debug)]
pub struct Answering<F> {
    work: Option<(F, Owner)>,
}

impl<F, E> Future for Answering<F>
where
    F: Future<Output = Result<Response<Body>, E>> + Unpin,
{
    type Output = Result<Response<TracedBody>, E>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Some((work, owner)) = &mut self.work else {
            return Poll::Pending;
        };
        let answer = ready!(current::within(&mut owner.0, || Pin::new(work).poll(cx)));
        let Some((work, mut owner)) = self.work.take() else {
            return Poll::Pending;
        };
        current::within(&mut owner.0, || drop(work));
        Poll::Ready(answer.map(|mut response| {
            if let Some(recording) = &owner.0 {
                tell(recording, response.headers_mut());
            }
            owner.note(response.headers());
            response.map(|inner| TracedBody {
                inner: Some(inner),
                owner,
            })
        }))
    }
}

impl<F> Drop for Answering<F> {
    fn drop(&mut self) {
        if let Some((work, mut owner)) = self.work.take() {
            current::within(&mut owner.0, || drop(work));
        }
    }
}

/// Tells the caller that asked what took how long, and in which trace.
fn tell(recording: &Recording, headers: &mut HeaderMap) {
    let asked = recording.timing.as_ref();
    if !asked.is_some_and(|asked| asked.wants(recording.took())) {
        return;
    }
    if let Some(value) = timing::header(recording) {
        headers.insert(timing::ANSWER, value);
    }
    if recording.is_traced
        && let Some(value) = recording.context.header()
    {
        headers.insert(context::TRACERESPONSE, value);
    }
}

/// The body of an answer; the recording ends with it.
#[derive(Debug)]
pub struct TracedBody {
    /// There until it is dropped.
    inner: Option<Body>,
    owner: Owner,
}

impl http_body::Body for TracedBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let Self { inner, owner } = &mut *self;
        let Some(inner) = inner else {
            return Poll::Ready(None);
        };
        let poll = || Pin::new(inner).poll_frame(cx);
        let frame = ready!(current::within(&mut owner.0, poll));
        if let Some(Ok(frame)) = &frame
            && let Some(trailers) = frame.trailers_ref()
        {
            owner.note(trailers);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner
            .as_ref()
            .is_none_or(http_body::Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let inner = self.inner.as_ref();
        inner.map_or_else(SizeHint::default, http_body::Body::size_hint)
    }
}

impl Drop for TracedBody {
    fn drop(&mut self) {
        // What is dropped with the body may still have a line to log.
        let inner = self.inner.take();
        current::within(&mut self.owner.0, || drop(inner));
    }
}
