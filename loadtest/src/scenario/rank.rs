//! `rank`: the order of given items for a shopper with a stored cart.

use std::sync::Arc;

use proto::v1 as pb;
use proto::v1::recovery_service_client::RecoveryServiceClient;

use super::{Shop, failed, plain};
use crate::check;
use crate::measured::Answer;
use crate::random::Random;
use crate::server_timing::ServerTiming;
use crate::targets::{Pool, Role};

#[derive(Debug)]
pub(crate) struct Ranks {
    shop: Arc<Shop>,
    pool: Pool,
}

const OPERATION: &str = "Rank";

impl Ranks {
    pub(super) fn new(shop: &Arc<Shop>) -> anyhow::Result<Self> {
        Ok(Self {
            shop: Arc::clone(shop),
            pool: shop.targets.need(Role::Recovery)?,
        })
    }

    pub(super) async fn call(&self, request: u64) -> Answer {
        let asked = self.ask(request);
        let mut client = RecoveryServiceClient::new(self.pool.pick(request));
        match client.rank(self.shop.request(request, asked.clone())).await {
            Ok(answer) => {
                let timing = ServerTiming::of(&answer);
                let answer = answer.into_inner();
                Answer {
                    degraded: !answer.degraded.is_empty(),
                    timing,
                    ..plain(OPERATION, check::rank(&asked, &answer)).by(answer.generation)
                }
            }
            Err(status) => failed(OPERATION, &status),
        }
    }

    /// `k` neighbouring items from a random one on: each once, and never the same list twice.
    fn ask(&self, request: u64) -> pb::RankRequest {
        let mut random = Random::of(self.shop.seed, request);
        let shopper = self.shop.population.shopper(&mut random);
        let items = &self.shop.population.items;
        let from = random.below(items.len());
        let k = usize::try_from(self.shop.k).unwrap_or(usize::MAX);
        let chosen = items.iter().cycle().skip(from).take(k.min(items.len()));
        pb::RankRequest {
            shopper_id: shopper.map(|s| s.id.clone()).unwrap_or_default(),
            item_ids: chosen.map(|item| item.id.clone()).collect(),
            generation: self.shop.generation.clone(),
            ..pb::RankRequest::default()
        }
    }
}
