//! The gRPC adapters: decode, call, encode.

use std::sync::Arc;
use std::time::Duration;

use feature_store::store::Log;
use kit::admission::Degraded;
use kit::auth::Scope;
use kit::{CancellationToken, Deadline, Problem, Violations, trace};
use proto::v1 as pb;
use proto::v1::recovery_service_server::RecoveryService;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use crate::actions::{Actions, Feed};
use crate::convert;
use crate::decide::Decider;

/// Requests that one DecideBatch may hold.
const BATCH: usize = 256;

/// `RecoveryService` on the wire.
#[derive(Clone, Debug)]
pub(crate) struct Recovery {
    pub(crate) decider: Arc<Decider>,
    pub(crate) default_deadline: Duration,
    /// `None` without a store.
    pub(crate) actions: Option<Actions>,
    pub(crate) stop: CancellationToken,
}

impl Recovery {
    fn deadline<T>(&self, request: &Request<T>) -> Deadline {
        let deadline = Deadline::from_request(request.metadata(), self.default_deadline);
        trace::budget(deadline.remaining());
        deadline.with_the_way_back()
    }

    fn actions(&self) -> Result<&Actions, Problem> {
        self.actions.as_ref().ok_or_else(|| {
            Problem::Precondition(
                "this server has no store, and so neither decisions nor actions".to_owned(),
            )
        })
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

    type StreamActionsStream = ReceiverStream<Result<pb::Action, Status>>;

    async fn stream_actions(
        &self,
        request: Request<pb::StreamActionsRequest>,
    ) -> Result<Response<Self::StreamActionsStream>, Status> {
        let subscription = convert::subscription(request.into_inner())?;
        let form = |out| Ok(convert::handed_out(out));
        let (feed, actions) = Feed::new(self.actions()?.clone(), subscription, form);
        tokio::spawn(feed.run(self.stop.clone()));
        Ok(Response::new(ReceiverStream::new(actions)))
    }

    async fn ack_actions(
        &self,
        request: Request<pb::AckActionsRequest>,
    ) -> Result<Response<pb::AckActionsResponse>, Status> {
        let (group, rows) = convert::acks(request.into_inner())?;
        self.actions()?
            .acknowledge(Log::Outbox, &group, &rows)
            .await?;
        Ok(Response::new(pb::AckActionsResponse {}))
    }

    async fn dismiss(
        &self,
        request: Request<pb::DismissRequest>,
    ) -> Result<Response<pb::DismissResponse>, Status> {
        let dismissal = convert::dismissal(request.into_inner())?;
        let changed = self.actions()?.dismiss(&dismissal).await?;
        Ok(Response::new(pb::DismissResponse { changed }))
    }

    async fn upsert_campaign(
        &self,
        request: Request<pb::UpsertCampaignRequest>,
    ) -> Result<Response<pb::UpsertCampaignResponse>, Status> {
        let draft = convert::draft(request.into_inner())?;
        let created = self.actions()?.books.campaigns.upsert(draft).await?;
        Ok(Response::new(pb::UpsertCampaignResponse { created }))
    }

    async fn get_campaign(
        &self,
        request: Request<pb::GetCampaignRequest>,
    ) -> Result<Response<pb::CampaignState>, Status> {
        let id = convert::campaign_id(request.into_inner())?;
        let state = self.actions()?.books.campaigns.get(&id).await?;
        Ok(Response::new(convert::campaign(state)))
    }

    async fn list_campaigns(
        &self,
        _: Request<pb::ListCampaignsRequest>,
    ) -> Result<Response<pb::ListCampaignsResponse>, Status> {
        let states = self.actions()?.books.campaigns.list().await?;
        let campaigns = states.into_iter().map(convert::campaign).collect();
        Ok(Response::new(pb::ListCampaignsResponse { campaigns }))
    }

    async fn redeem_coupon(
        &self,
        request: Request<pb::RedeemCouponRequest>,
    ) -> Result<Response<pb::RedeemCouponResponse>, Status> {
        let redemption = convert::redemption(request.into_inner())?;
        let actions = self.actions()?;
        let redeemed = actions.redeem(&redemption).await?;
        actions.metrics.back.redeemed(&redeemed);
        Ok(Response::new(convert::redeemed(redeemed)))
    }

    async fn restore_cart(
        &self,
        request: Request<pb::RestoreCartRequest>,
    ) -> Result<Response<pb::RestoreCartResponse>, Status> {
        let token = convert::restoration(request.into_inner())?;
        let brought = self.actions()?.bring_back(&token).await?;
        Ok(Response::new(convert::brought_back(brought)))
    }

    async fn list_dead_letters(
        &self,
        request: Request<pb::ListDeadLettersRequest>,
    ) -> Result<Response<pb::ListDeadLettersResponse>, Status> {
        let limit = convert::letters_wanted(&request.into_inner())?;
        let letters = self.actions()?.dead_letters(limit).await?;
        Ok(Response::new(convert::dead_letters(letters)))
    }

    async fn redrive_dead_letters(
        &self,
        request: Request<pb::RedriveDeadLettersRequest>,
    ) -> Result<Response<pb::RedriveDeadLettersResponse>, Status> {
        let decisions = convert::redriven(request.into_inner())?;
        let redriven = self.actions()?.redrive(&decisions).await?;
        let redriven = u32::try_from(redriven).unwrap_or(u32::MAX);
        Ok(Response::new(pb::RedriveDeadLettersResponse { redriven }))
    }

    async fn get_decision(
        &self,
        request: Request<pb::GetDecisionRequest>,
    ) -> Result<Response<pb::GetDecisionResponse>, Status> {
        let (shopper_id, decision_id) = convert::get_decision_request(request.into_inner())?;
        let books = &self.actions()?.books;
        let explained = books.explain(&shopper_id, &decision_id).await?;
        Ok(Response::new(convert::explained(explained)))
    }

    async fn report_outcomes(
        &self,
        request: Request<pb::ReportOutcomesRequest>,
    ) -> Result<Response<pb::ReportOutcomesResponse>, Status> {
        let reports = convert::reports(request.into_inner(), &self.decider.clock)?;
        let kinds: Vec<_> = reports
            .iter()
            .map(|one| one.as_ref().ok().map(|one| one.kind))
            .collect();
        let actions = self.actions()?;
        let taken = actions.report(reports).await?;
        for (kind, taken) in kinds.into_iter().zip(&taken) {
            actions.metrics.back.reported(kind, taken);
        }
        Ok(Response::new(convert::outcome_results(taken)))
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

/// Deciding may write the decision log, and handing out changes what was sent; the rest only reads.
pub(crate) fn scope_of(method: &str) -> Scope {
    let of_snapshots = generations::scope_of(method);
    of_snapshots.unwrap_or_else(|| match method.rsplit('/').next() {
        Some(
            "Decide" | "DecideBatch" | "StreamActions" | "AckActions" | "Dismiss"
            | "ReportOutcomes" | "RedriveDeadLetters" | "RedeemCoupon" | "UpsertCampaign",
        ) => Scope::Write,
        Some(_) | None => Scope::Read,
    })
}
