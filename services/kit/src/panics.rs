//! A handler that panics answers INTERNAL; the connection and the server live on.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::FutureExt as _;
use http::Response;
use tonic::Status;
use tonic::body::Body;
use tower::{Layer, Service};

/// Turns a panic of the inner service into INTERNAL. The panic itself is printed by the hook.
#[derive(Clone, Copy, Debug, Default)]
pub struct CatchPanicLayer;

impl<S> Layer<S> for CatchPanicLayer {
    type Service = CatchPanic<S>;

    fn layer(&self, inner: S) -> CatchPanic<S> {
        CatchPanic { inner }
    }
}

/// A service behind [`CatchPanicLayer`].
#[derive(Clone, Debug)]
pub struct CatchPanic<S> {
    inner: S,
}

impl<S, R> Service<R> for CatchPanic<S>
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
        let answer = AssertUnwindSafe(self.inner.call(request)).catch_unwind();
        Box::pin(async move {
            answer.await.unwrap_or_else(|_panic| {
                tracing::error!("a handler panicked; answered INTERNAL");
                Ok(Status::internal("the server failed on this request").into_http())
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use tower::ServiceExt as _;

    use super::*;

    #[tokio::test]
    async fn a_panic_becomes_internal() {
        let panicking = tower::service_fn(|(): ()| async {
            if true {
                panic!("a bug");
            }
            Ok::<_, std::convert::Infallible>(Response::new(Body::empty()))
        });
        let answer = CatchPanicLayer.layer(panicking).oneshot(()).await.unwrap();
        assert_eq!(answer.headers()["grpc-status"], "13");
    }
}
