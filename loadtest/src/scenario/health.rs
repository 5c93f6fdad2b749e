//! `health`: `Check` of `grpc.health.v1`, the emptiest call that every server answers.

use http::uri::PathAndQuery;
use tonic::client::Grpc;
use tonic::{Request, Status};
use tonic_prost::ProstCodec;

use super::{failed, plain};
use crate::engine::Operation;
use crate::measured::Answer;
use crate::targets::Pool;

#[derive(Debug)]
pub(crate) struct Health(Pool);

const OPERATION: &str = "Check";

impl Health {
    pub(crate) fn new(pool: Pool) -> Self {
        Self(pool)
    }

    /// Both messages are read and written as empty ones: what a field would cost is not asked.
    async fn check(&self, request: u64) -> Result<(), Status> {
        let mut client = Grpc::new(self.0.pick(request));
        let unready = |error| Status::unavailable(format!("{error}"));
        client.ready().await.map_err(unready)?;
        let path = PathAndQuery::from_static("/grpc.health.v1.Health/Check");
        let codec = ProstCodec::<(), ()>::default();
        let answer = client.unary(Request::new(()), path, codec).await?;
        answer.into_inner();
        Ok(())
    }
}

impl Operation for Health {
    async fn call(&self, request: u64) -> Answer {
        match self.check(request).await {
            Ok(()) => plain(OPERATION, Ok(())),
            Err(status) => failed(OPERATION, &status),
        }
    }
}
