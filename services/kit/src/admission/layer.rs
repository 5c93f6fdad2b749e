//! The gate as a tower layer, in front of decoding.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use http::{Request, Response};
use tonic::body::Body;
use tonic::{Code, Status};
use tower::{Layer, Service};

use super::Degraded;
use super::gate::{Entry, Gate, Place};
use crate::deadline;

/// Puts a [`Gate`] in front of a service.
#[derive(Clone, Debug)]
pub struct AdmissionLayer(Arc<Gate>);

impl AdmissionLayer {
    /// Calls pass `gate`.
    #[must_use]
    pub fn new(gate: Arc<Gate>) -> Self {
        Self(gate)
    }
}

impl<S> Layer<S> for AdmissionLayer {
    type Service = Admission<S>;

    fn layer(&self, inner: S) -> Admission<S> {
        Admission {
            inner,
            gate: Arc::clone(&self.0),
        }
    }
}

/// A service behind a [`Gate`].
#[derive(Clone, Debug)]
pub struct Admission<S> {
    inner: S,
    gate: Arc<Gate>,
}

impl<S, B> Service<Request<B>> for Admission<S>
where
    S: Service<Request<B>, Response = Response<Body>> + Clone + Send + 'static,
    S::Future: Send + Unpin + 'static,
    S::Error: Send + 'static,
    B: Send + 'static,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Admitted<S::Future, S::Error>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let Some(method) = self.gate.method(request.uri().path()) else {
            return Admitted::Free(self.inner.call(request));
        };
        let now = Instant::now();
        let left = deadline::given(request.headers());
        match self.gate.enter(method, left, now) {
            Entry::In(place) => Admitted::In(
                Running::new(&self.gate, method, place),
                self.inner.call(request),
            ),
            Entry::Refused(refusal) => Admitted::Refused(Some(Status::from(refusal).into_http())),
            Entry::Wait(ticket) => {
                let again = self.inner.clone();
                // What was polled ready takes the call.
                let mut inner = std::mem::replace(&mut self.inner, again);
                let gate = Arc::clone(&self.gate);
                Admitted::Waits(Box::pin(async move {
                    match ticket.wait().await {
                        Ok(place) => {
                            let running = Running::new(&gate, method, place);
                            Admitted::In(running, inner.call(request)).await
                        }
                        Err(refusal) => Ok(Status::from(refusal).into_http()),
                    }
                }))
            }
        }
    }
}

type Answer<E> = Result<Response<Body>, E>;

/// A call on its way. Only one that has to wait costs an allocation.
pub enum Admitted<F, E> {
    /// Of a method that is never limited.
    Free(F),
    /// With a place.
    In(Running, F),
    /// In the queue first.
    Waits(Pin<Box<dyn Future<Output = Answer<E>> + Send>>),
    /// Not let in.
    Refused(Option<Response<Body>>),
}

impl<F, E> std::fmt::Debug for Admitted<F, E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Free(_) => "Free",
            Self::In(..) => "In",
            Self::Waits(_) => "Waits",
            Self::Refused(_) => "Refused",
        })
    }
}

impl<F, E> Future for Admitted<F, E>
where
    F: Future<Output = Answer<E>> + Unpin,
{
    type Output = Answer<E>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Answer<E>> {
        match &mut *self {
            Self::Free(inner) => Pin::new(inner).poll(cx),
            Self::In(running, inner) => {
                running.polled();
                let answer = ready!(Pin::new(inner).poll(cx));
                running.done(answer.as_ref().ok());
                Poll::Ready(answer)
            }
            Self::Waits(waits) => waits.as_mut().poll(cx),
            Self::Refused(response) => {
                let lost = || Status::internal("a refusal was asked for twice").into_http();
                Poll::Ready(Ok(response.take().unwrap_or_else(lost)))
            }
        }
    }
}

/// A call with a place.
#[derive(Debug)]
pub struct Running {
    gate: Arc<Gate>,
    method: usize,
    place: Option<Place>,
    polled: bool,
}

impl Running {
    fn new(gate: &Arc<Gate>, method: usize, place: Place) -> Self {
        Self {
            gate: Arc::clone(gate),
            method,
            place: Some(place),
            polled: false,
        }
    }

    /// The first poll comes as soon as a thread is free for it.
    fn polled(&mut self) {
        if !self.polled
            && let Some(place) = &self.place
        {
            self.polled = true;
            let now = Instant::now();
            let lag = now.saturating_duration_since(place.since);
            self.gate.meter().waited(lag, now);
        }
    }

    fn done(&mut self, answer: Option<&Response<Body>>) {
        let Some(place) = self.place.take() else {
            return;
        };
        let now = Instant::now();
        let time = now.saturating_duration_since(place.since);
        let whole = answer.is_some_and(is_whole);
        self.gate.meter().done(self.method, whole.then_some(time));
        drop(place);
        self.gate.roll(now);
    }
}

/// Errors come sooner or later than what was asked for, and so do answers from fallbacks.
fn is_whole(answer: &Response<Body>) -> bool {
    let code = answer.headers().get(Status::GRPC_STATUS);
    code.is_none_or(|code| Code::from_bytes(code.as_bytes()) == Code::Ok)
        && answer.extensions().get::<Degraded>().is_none()
}
