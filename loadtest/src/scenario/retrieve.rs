//! `retrieve`: candidates for a shopper's recent items, without those in the cart.

use std::sync::Arc;
use std::time::Duration;

use proto::v1 as pb;
use proto::v1::candidate_service_client::CandidateServiceClient;

use super::{Shop, failed, plain};
use crate::check;
use crate::measured::Answer;
use crate::population::Shopper;
use crate::random::Random;
use crate::server_timing::ServerTiming;
use crate::targets::{Pool, Role};

#[derive(Debug)]
pub(crate) struct Candidates {
    shop: Arc<Shop>,
    pool: Pool,
}

const OPERATION: &str = "Retrieve";

impl Candidates {
    pub(super) fn new(shop: &Arc<Shop>) -> anyhow::Result<Self> {
        Ok(Self {
            shop: Arc::clone(shop),
            pool: shop.targets.need(Role::Candidates)?,
        })
    }

    pub(super) async fn call(&self, request: u64) -> Answer {
        let asked = self.ask(request);
        let mut client = CandidateServiceClient::new(self.pool.pick(request));
        let message = self.shop.request(request, asked.clone());
        match client.retrieve(message).await {
            Ok(answer) => {
                let timing = ServerTiming::of(&answer);
                let answer = answer.into_inner();
                let judged = plain(OPERATION, check::retrieve(&asked, &answer));
                judged.timed(timing).by(answer.generation)
            }
            Err(status) => failed(OPERATION, &status),
        }
    }

    fn ask(&self, request: u64) -> pb::RetrieveRequest {
        let mut random = Random::of(self.shop.seed, request);
        let shopper = self.shop.population.shopper(&mut random);
        let exclude = shopper.map(|s| self.ids(&s.carted)).unwrap_or_default();
        pb::RetrieveRequest {
            recent_items: shopper.map(|s| self.recent(s)).unwrap_or_default(),
            exclude,
            k: self.shop.k,
            generation: self.shop.generation.clone(),
            ..pb::RetrieveRequest::default()
        }
    }

    fn ids(&self, positions: &[usize]) -> Vec<String> {
        let items = positions
            .iter()
            .filter_map(|at| self.shop.population.items.get(*at));
        items.map(|item| item.id.clone()).collect()
    }

    /// Additions to the cart, then views before them: newest first.
    fn recent(&self, shopper: &Shopper) -> Vec<pb::RecentInteraction> {
        use pb::event::Type::{AddToCart, View};
        let adds = self
            .ids(&shopper.carted)
            .into_iter()
            .rev()
            .map(|id| (id, AddToCart));
        let views = self
            .ids(&shopper.viewed)
            .into_iter()
            .rev()
            .map(|id| (id, View));
        let newest_first = adds.chain(views).zip(1_u64..);
        newest_first
            .map(|((item_id, kind), step)| pb::RecentInteraction {
                item_id,
                event_type: u32::try_from(i32::from(kind)).unwrap_or_default(),
                age: prost_types::Duration::try_from(Duration::from_secs(20 * step)).ok(),
            })
            .collect()
    }
}
