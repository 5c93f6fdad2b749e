//! The layer under a client of another role: a span for the call, and the trace context in its
//! headers.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, Uri};
use http_body::{Frame, SizeHint};
use tonic::body::Body;
use tonic::{Code, Status};
use tower::Service;

use super::attribute::Value;
use super::context::{SpanId, TRACEPARENT, TRACESTATE};
use super::recording::{Kind, Recording, SpanRef};
use super::ring::{Asks, KEEP};
use super::{current, timing};

/// The stage name of a call to another role.
const HOP: &str = "hop";

/// A channel whose calls are part of the request that makes them. A call that is part of none is
/// passed through.
#[derive(Clone, Debug)]
pub struct TracedChannel<S> {
    inner: S,
    peer: Arc<Peer>,
}

#[derive(Debug)]
struct Peer {
    host: String,
    port: Option<u16>,
    asks: Arc<Asks>,
}

impl<S> TracedChannel<S> {
    /// Calls over `inner` to the server at `url`.
    #[must_use]
    pub fn new(inner: S, url: &Uri) -> Self {
        let peer = Peer {
            host: url.host().unwrap_or_default().to_owned(),
            port: url.port_u16(),
            asks: Arc::default(),
        };
        Self {
            inner,
            peer: Arc::new(peer),
        }
    }
}

impl<S, B> Service<Request<B>> for TracedChannel<S>
where
    S: Service<Request<B>, Response = Response<Body>>,
    S::Future: Unpin,
{
    type Response = Response<HopBody>;
    type Error = S::Error;
    type Future = Calling<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let hop = current::with(|recording| begin(recording, &self.peer, &mut request));
        Calling {
            inner: self.inner.call(request),
            hop: Hop(hop.flatten()),
        }
    }
}

/// Opens the span of a call and names it in the headers.
fn begin<B>(recording: &mut Recording, peer: &Peer, request: &mut Request<B>) -> Option<SpanRef> {
    let hop = recording.open(HOP, Kind::Hop);
    let id = SpanId::random();
    let position = hop.map_or(0, |hop| hop.span);
    if let Some(span) = recording.spans.get_mut(position)
        && hop.is_some()
    {
        span.id = Some(id);
        let method = request.uri().path().trim_start_matches('/');
        recording.add_text(position, "rpc.method", method);
        recording.add_text(position, "server.address", &peer.host);
        if let Some(port) = peer.port {
            recording.add(position, "server.port", Value::Int(port.into()));
        }
    }
    if let Some(asked) = &recording.timing {
        let asked = asked.header.clone();
        request.headers_mut().insert(timing::ASK, asked);
    }
    if !recording.is_traced {
        return hop;
    }
    let here = recording.context;
    let place = if hop.is_some() { here.at(id) } else { here };
    // Degraded already, so the trace will be kept: the called role may know at once.
    let place = if recording.is_degraded {
        place.kept()
    } else {
        place
    };
    let headers = request.headers_mut();
    if let Some(value) = place.header() {
        headers.insert(TRACEPARENT, value);
    }
    if let Some(state) = &recording.state {
        headers.insert(TRACESTATE, state.clone());
    }
    if let Some(value) = peer.asks.header() {
        headers.insert(KEEP, value);
    }
    let knows = |asks: &Arc<Asks>| Arc::ptr_eq(asks, &peer.asks);
    if !place.sampled() && !recording.asks.iter().any(knows) {
        recording.asks.push(peer.asks.clone());
    }
    hop
}

/// A call's span; dropping it before the code is known means that nobody waits any more.
#[derive(Debug)]
struct Hop(Option<SpanRef>);

impl Hop {
    fn end(&mut self, code: Code) {
        if let Some(hop) = self.0.take() {
            current::with(|recording| recording.end_hop(hop, code));
        }
    }

    fn note(&mut self, headers: &HeaderMap) {
        if let Some(value) = headers.get(Status::GRPC_STATUS) {
            self.end(Code::from_bytes(value.as_bytes()));
        }
    }

    fn hear(&self, headers: &HeaderMap) {
        if let (Some(hop), Some(value)) = (self.0, headers.get(timing::ANSWER)) {
            current::with(|recording| {
                if recording.reference(hop.span) == hop {
                    recording.heard.push((hop.span, value.clone()));
                }
            });
        }
    }
}

impl Drop for Hop {
    fn drop(&mut self) {
        self.end(Code::Cancelled);
    }
}

/// A call under way.
#[derive(Debug)]
pub struct Calling<F> {
    inner: F,
    hop: Hop,
}

impl<F, E> Future for Calling<F>
where
    F: Future<Output = Result<Response<Body>, E>> + Unpin,
{
    type Output = Result<Response<HopBody>, E>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match ready!(Pin::new(&mut self.inner).poll(cx)) {
            Ok(response) => {
                let mut hop = Hop(self.hop.0.take());
                hop.hear(response.headers());
                hop.note(response.headers());
                Poll::Ready(Ok(response.map(|inner| HopBody { inner, hop })))
            }
            Err(error) => {
                // Nothing was answered: the server cannot be reached.
                self.hop.end(Code::Unavailable);
                Poll::Ready(Err(error))
            }
        }
    }
}

/// The body of a called role's answer; the call ends with it.
#[derive(Debug)]
pub struct HopBody {
    inner: Body,
    hop: Hop,
}

impl http_body::Body for HopBody {
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
            self.hop.note(trailers);
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
