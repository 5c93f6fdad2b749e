//! `decide` and `decide-commit`: a decision for a shopper with a stored cart.

use std::sync::Arc;

use proto::v1 as pb;
use proto::v1::recovery_service_client::RecoveryServiceClient;
use tonic::Response;

use super::{Shop, failed, plain};
use crate::check;
use crate::measured::Answer;
use crate::population::Shopper;
use crate::random::Random;
use crate::server_timing::ServerTiming;
use crate::targets::{Pool, Role};

#[derive(Debug)]
pub(crate) struct Decisions {
    shop: Arc<Shop>,
    pool: Pool,
    commit: bool,
}

const OPERATION: &str = "Decide";

impl Decisions {
    pub(super) fn new(shop: &Arc<Shop>, commit: bool) -> anyhow::Result<Self> {
        Ok(Self {
            shop: Arc::clone(shop),
            pool: shop.targets.need(Role::Recovery)?,
            commit,
        })
    }

    pub(super) async fn call(&self, request: u64) -> Answer {
        let mut random = Random::of(self.shop.seed, request);
        let shopper = self.shop.population.shopper(&mut random);
        let asked = self.ask(request, shopper);
        let cart = shopper.map_or(&[][..], |s| &s.stored_cart);
        let mut client = RecoveryServiceClient::new(self.pool.pick(request));
        let message = self.shop.request(request, asked.clone());
        match client.decide(message).await {
            Ok(answer) => judged(&asked, cart, answer),
            Err(status) => failed(OPERATION, &status),
        }
    }

    fn ask(&self, request: u64, shopper: Option<&Shopper>) -> pb::DecideRequest {
        use pb::decide_request::Mode::{Commit, Preview};
        let (mode, request_id) = if self.commit {
            (Commit, format!("{}-{request}", self.shop.run))
        } else {
            (Preview, String::new())
        };
        pb::DecideRequest {
            request_id,
            shopper_id: shopper.map(|s| s.id.clone()).unwrap_or_default(),
            generation: self.shop.generation.clone(),
            mode: mode.into(),
            ..pb::DecideRequest::default()
        }
    }
}

/// A decision by its check, with what it says of itself.
pub(super) fn judged(
    asked: &pb::DecideRequest,
    cart: &[String],
    answer: Response<pb::Decision>,
) -> Answer {
    let timing = ServerTiming::of(&answer);
    let answer = answer.into_inner();
    let checked = check::decision(asked, cart, &answer);
    Answer {
        degraded: !answer.degraded.is_empty(),
        timing: timing.or_stages(answer.stage_latencies),
        ..plain(OPERATION, checked).by(answer.generation)
    }
}
