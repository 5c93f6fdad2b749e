//! `features`: `GetFeatures` of 50 features for known shoppers.

use std::sync::Arc;

use proto::v1 as pb;
use proto::v1::feature_service_client::FeatureServiceClient;

use super::{Shop, failed, plain};
use crate::check;
use crate::measured::Answer;
use crate::prepare::entity;
use crate::random::Random;
use crate::server_timing::ServerTiming;
use crate::targets::{Pool, Role};

#[derive(Debug)]
pub(crate) struct Reads {
    shop: Arc<Shop>,
    pool: Pool,
    names: Vec<String>,
}

const OPERATION: &str = "GetFeatures";
const COUNTED: [&str; 5] = [
    "view",
    "add_to_cart",
    "remove_from_cart",
    "checkout_start",
    "purchase",
];
const WINDOWS: [&str; 5] = ["5m", "1h", "24h", "7d", "30d"];
/// Values, windows, intervals, texts and lists: one of each way a feature is computed.
const OTHERS: [&str; 25] = [
    "cart_value_minor",
    "cart_currency",
    "cart_line_count",
    "cart_units",
    "cart_max_price_minor",
    "cart_items",
    "cart_version",
    "cart_age_s",
    "cart_idle_s",
    "idle_s",
    "add_to_cart_interval_count",
    "add_to_cart_interval_mean_s",
    "add_to_cart_interval_last_s",
    "session_event_count",
    "session_age_s",
    "top_category",
    "top_category_share",
    "top_categories",
    "top_brand",
    "top_price_band",
    "recent_items",
    "spent_30d_minor",
    "purchase_tendency",
    "is_new",
    "consented_channels",
];

fn names() -> Vec<String> {
    let counts = COUNTED.iter().flat_map(|kind| {
        WINDOWS
            .iter()
            .map(move |window| format!("shopper.{kind}_count_{window}"))
    });
    counts
        .chain(OTHERS.iter().map(|name| format!("shopper.{name}")))
        .collect()
}

impl Reads {
    pub(super) fn new(shop: &Arc<Shop>) -> anyhow::Result<Self> {
        Ok(Self {
            shop: Arc::clone(shop),
            pool: shop.targets.need(Role::Features)?,
            names: names(),
        })
    }

    pub(super) async fn call(&self, request: u64) -> Answer {
        let asked = self.ask(request);
        let entities = asked.entities.clone();
        let mut client = FeatureServiceClient::new(self.pool.pick(request));
        let message = self.shop.request(request, asked);
        match client.get_features(message).await {
            Ok(answer) => {
                let timing = ServerTiming::of(&answer);
                plain(
                    OPERATION,
                    check::features(&entities, &self.names, answer.get_ref()),
                )
                .timed(timing)
            }
            Err(status) => failed(OPERATION, &status),
        }
    }

    fn ask(&self, request: u64) -> pb::GetFeaturesRequest {
        let mut random = Random::of(self.shop.seed, request);
        let shoppers =
            (0..self.shop.entities).filter_map(|_| self.shop.population.shopper(&mut random));
        pb::GetFeaturesRequest {
            entities: shoppers.map(|shopper| entity(&shopper.id)).collect(),
            features: self.names.clone(),
            ..pb::GetFeaturesRequest::default()
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn asks_for_fifty_different_features() {
        let names: std::collections::BTreeSet<_> = super::names().into_iter().collect();
        assert_eq!(names.len(), 50);
    }
}
