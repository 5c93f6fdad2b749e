//! A request that is no protobuf message is the caller's fault: INVALID_ARGUMENT naming the field,
//! where the codec on its own would answer INTERNAL, which means a fault of ours.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::Response;
use tonic::body::Body;
use tonic::{Code, Status};
use tower::{Layer, Service};

use crate::status::bad_request;

/// How the codec begins when it cannot read a message.
const UNREADABLE: &str = "failed to decode Protobuf message: ";

/// The status that a caller gets in place of `status`. For errors of a request stream; unary
/// requests pass [`UndecodableLayer`].
#[must_use]
pub fn refusal(status: Status) -> Status {
    match (status.code(), status.message().strip_prefix(UNREADABLE)) {
        (Code::Internal, Some(said)) => {
            let (field, why) = place(said);
            bad_request([(field, why)])
        }
        _ => status,
    }
}

/// Takes `Event.event_id: PushEventsRequest.events: why` apart into `events.event_id` and `why`: the
/// codec names the innermost field first.
fn place(said: &str) -> (String, String) {
    let mut fields = Vec::new();
    let mut rest = said;
    while let Some((step, after)) = rest.split_once(": ")
        && let Some((message, field)) = step.split_once('.')
        && !message.contains(' ')
    {
        fields.insert(0, field);
        rest = after;
    }
    let field = if fields.is_empty() {
        "request".to_owned()
    } else {
        fields.join(".")
    };
    (field, rest.to_owned())
}

/// Applies [`refusal`] to every answer.
#[derive(Clone, Copy, Debug, Default)]
pub struct UndecodableLayer;

impl<S> Layer<S> for UndecodableLayer {
    type Service = Undecodable<S>;

    fn layer(&self, inner: S) -> Undecodable<S> {
        Undecodable { inner }
    }
}

/// A service behind [`UndecodableLayer`].
#[derive(Clone, Debug)]
pub struct Undecodable<S> {
    inner: S,
}

impl<S, R> Service<R> for Undecodable<S>
where
    S: Service<R, Response = Response<Body>>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: R) -> Self::Future {
        let answer = self.inner.call(request);
        Box::pin(async move {
            let response = answer.await?;
            Ok(match Status::from_header_map(response.headers()) {
                Some(status) if is_unreadable(&status) => refusal(status).into_http(),
                Some(_) | None => response,
            })
        })
    }
}

fn is_unreadable(status: &Status) -> bool {
    status.code() == Code::Internal && status.message().starts_with(UNREADABLE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_field_by_its_path() {
        let status = refusal(Status::internal(
            "failed to decode Protobuf message: Event.event_id: PushEventsRequest.events: invalid string value: data is not UTF-8 encoded",
        ));
        assert_eq!(status.code(), Code::InvalidArgument);
        assert_eq!(
            status.message(),
            "events.event_id: invalid string value: data is not UTF-8 encoded"
        );
    }

    #[test]
    fn bytes_that_are_no_message_are_the_whole_requests_fault() {
        let status = refusal(Status::internal(
            "failed to decode Protobuf message: invalid wire type: Varint (expected LengthDelimited)",
        ));
        assert_eq!(status.code(), Code::InvalidArgument);
        assert!(status.message().starts_with("request: invalid wire type"));
    }

    #[test]
    fn our_own_faults_stay_ours() {
        assert_eq!(refusal(Status::internal("a bug")).code(), Code::Internal);
    }
}
