//! A file's own events and the decisions that it implies.

use std::sync::Arc;

use jiff::Timestamp;
use proto::v1 as pb;
use proto::v1::event_service_client::EventServiceClient;
use proto::v1::recovery_service_client::RecoveryServiceClient;

use super::{Shop, decide, failed, plain};
use crate::check;
use crate::measured::{Answer, Failure};
use crate::prepare;
use crate::replay::{Replay, Step};
use crate::server_timing::ServerTiming;
use crate::targets::{Pool, Role};

#[derive(Debug)]
pub(crate) struct Replayed {
    shop: Arc<Shop>,
    replay: Arc<Replay>,
    events: Pool,
    decisions: Option<Pool>,
}

impl Replayed {
    pub(super) fn new(replay: &Arc<Replay>, shop: &Arc<Shop>) -> anyhow::Result<Self> {
        let recovery = replay.decides().then(|| shop.targets.need(Role::Recovery));
        Ok(Self {
            shop: Arc::clone(shop),
            replay: Arc::clone(replay),
            events: shop.targets.need(Role::Features)?,
            decisions: recovery.transpose()?,
        })
    }

    pub(super) async fn call(&self, request: u64) -> Answer {
        match (self.replay.step(request), &self.decisions) {
            (Some(Step::Event(event)), _) => self.push(request, event).await,
            (Some(Step::Decision { shopper, cart }), Some(pool)) => {
                self.decide(request, pool, shopper, cart).await
            }
            (Some(Step::Decision { .. }), None) | (None, _) => {
                plain("replay", Err(Failure::wrong("replay", "nothing to send")))
            }
        }
    }

    /// Ids of shoppers carry the run, so that no run meets another's carts.
    fn own(&self, shopper: &str) -> String {
        format!("{}-{shopper}", self.shop.run)
    }

    /// An event happens when it leaves: a file of last year would be refused as too late.
    async fn push(&self, request: u64, event: &pb::Event) -> Answer {
        const OPERATION: &str = "PushEvents";
        let event = pb::Event {
            event_id: format!("{}-{request}", self.shop.run),
            shopper_id: self.own(&event.shopper_id),
            occurred_at: Some(prepare::wire(Timestamp::now())),
            ..event.clone()
        };
        let asked = pb::PushEventsRequest {
            events: vec![event],
        };
        let mut client = EventServiceClient::new(self.events.pick(request));
        match client.push_events(self.shop.request(request, asked)).await {
            Ok(answer) => {
                let timing = ServerTiming::of(&answer);
                plain(OPERATION, check::events(1, answer.get_ref())).timed(timing)
            }
            Err(status) => failed(OPERATION, &status),
        }
    }

    async fn decide(&self, request: u64, pool: &Pool, shopper: &str, cart: &[String]) -> Answer {
        let asked = pb::DecideRequest {
            shopper_id: self.own(shopper),
            generation: self.shop.generation.clone(),
            ..pb::DecideRequest::default()
        };
        let mut client = RecoveryServiceClient::new(pool.pick(request));
        let message = self.shop.request(request, asked.clone());
        match client.decide(message).await {
            Ok(answer) => decide::judged(&asked, cart, answer),
            Err(status) => failed("Decide", &status),
        }
    }
}
