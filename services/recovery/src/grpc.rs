//! The gRPC adapters: decode, call, encode.

use std::sync::Arc;
use std::time::Duration;

use kit::admission::Degraded;
use kit::auth::Scope;
use kit::{Deadline, Violations, trace};
use proto::v1 as pb;
use proto::v1::recovery_service_server::RecoveryService;
use tonic::{Request, Response, Status};

use crate::convert;
use crate::decide::Decider;

/// Requests that one DecideBatch may hold.
const BATCH: usize = 256;

/// `RecoveryService` on the wire.
#[derive(Clone, Debug)]
pub(crate) struct Recovery {
    pub(crate) decider: Arc<Decider>,
    pub(crate) default_deadline: Duration,
}

impl Recovery {
    fn deadline<T>(&self, request: &Request<T>) -> Deadline {
        let deadline = Deadline::from_request(request.metadata(), self.default_deadline);
        trace::budget(deadline.remaining());
        deadline.with_the_way_back()
    }
}

#[tonic::async_trait]
impl RecoveryService for Recovery {
    async fn rank(
        &self,
        request: Request<pb::RankRequest>,
    ) -> Result<Response<pb::RankResponse>, Status> {
        let deadline = self.deadline(&request);
        let asked = convert::rank_request(request.into_inner())?;
        let ordered = self.decider.rank(asked, deadline).await?;
        let degraded = !ordered.degraded.is_empty();
        Ok(marked(Response::new(convert::ordered(ordered)), degraded))
    }

    async fn decide(
        &self,
        request: Request<pb::DecideRequest>,
    ) -> Result<Response<pb::Decision>, Status> {
        let deadline = self.deadline(&request);
        let asked = convert::decide_request(request.into_inner())?;
        let decision = self.decider.decide(asked, deadline).await?;
        let degraded = !decision.degraded.is_empty();
        Ok(marked(Response::new(decision), degraded))
    }

    async fn decide_batch(
        &self,
        request: Request<pb::DecideBatchRequest>,
    ) -> Result<Response<pb::DecideBatchResponse>, Status> {
        let deadline = self.deadline(&request);
        let requests = request.into_inner().requests;
        check_batch(requests.len())?;
        let asked = requests.into_iter().map(convert::decide_request).collect();
        let answers = self.decider.decide_all(asked, deadline).await;
        Ok(Response::new(convert::results(answers)))
    }
}

/// How long a fallback took tells the gate nothing.
fn marked<T>(mut response: Response<T>, degraded: bool) -> Response<T> {
    if degraded {
        response.extensions_mut().insert(Degraded);
    }
    response
}

fn check_batch(count: usize) -> Result<(), Status> {
    let mut found = Violations::new();
    found.check_count("requests", count, BATCH);
    found.into_result()
}

/// Deciding may write the decision log; the rest only reads.
pub(crate) fn scope_of(method: &str) -> Scope {
    let of_snapshots = generations::scope_of(method);
    of_snapshots.unwrap_or_else(|| match method.rsplit('/').next() {
        Some("Decide" | "DecideBatch") => Scope::Write,
        Some(_) | None => Scope::Read,
    })
}
