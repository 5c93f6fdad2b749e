//! `CandidateService`.

use kit::{Deadline, trace};
use proto::v1 as pb;
use proto::v1::candidate_service_server::CandidateService;
use retrieval::Answer;
use tonic::{Request, Response, Status};
use tracing::Instrument as _;

use super::Context;
use crate::convert;
use crate::error::status;

#[derive(Clone, Debug)]
pub(super) struct Candidates(pub(super) Context);

#[tonic::async_trait]
impl CandidateService for Candidates {
    async fn retrieve(
        &self,
        request: Request<pb::RetrieveRequest>,
    ) -> Result<Response<pb::RetrieveResponse>, Status> {
        let deadline = Deadline::from_request(request.metadata(), self.0.default_deadline);
        let mut wanted = convert::decode_retrieve(request.into_inner(), &self.0.clock)?;
        let generation = self.0.keeper.generations().get(&wanted.generation)?;
        trace::budget(deadline.remaining());
        if !wanted.shopper_id.is_empty() {
            trace::shopper(&wanted.shopper_id);
            let recent = self
                .0
                .shoppers
                .recent(&wanted.shopper_id, wanted.now_ms, deadline);
            let stage = tracing::info_span!(target: trace::STAGE, "recent");
            wanted.query.recent = recent.instrument(stage).await?;
        }
        let gate = generation.gate.load();
        let model = generation.model.load();
        let answer = model.retrieve(&wanted.query, &gate).map_err(status)?;
        Ok(self.encode(answer, &generation.id, wanted.columns))
    }

    async fn similar_items(
        &self,
        request: Request<pb::SimilarItemsRequest>,
    ) -> Result<Response<pb::RetrieveResponse>, Status> {
        let wanted = convert::decode_similar(request.into_inner())?;
        let generation = self.0.keeper.generations().get(&wanted.generation)?;
        let gate = generation.gate.load();
        let model = generation.model.load();
        let answer = model.similar(&wanted.item_id, wanted.k, &wanted.filter, &gate);
        Ok(self.encode(answer.map_err(status)?, &generation.id, false))
    }
}

impl Candidates {
    fn encode(
        &self,
        answer: Answer,
        generation: &str,
        columns: bool,
    ) -> Response<pb::RetrieveResponse> {
        self.0.metrics.count(&answer);
        trace::note("generation", generation);
        trace::note("candidates", answer.candidates.len());
        trace::note("plan", answer.plan.kind.as_str());
        if let Some(why) = answer.degraded.first() {
            trace::degraded(why);
        }
        Response::new(convert::encode_answer(answer, generation, columns))
    }
}
