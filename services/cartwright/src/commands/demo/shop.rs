//! The demo's side of the conversation with the servers.

use std::time::{Duration, Instant};

use feature_store::Item;
use proto::v1 as pb;
use proto::v1::catalog_service_client::CatalogServiceClient;
use proto::v1::feature_service_client::FeatureServiceClient;
use proto::v1::recovery_service_client::RecoveryServiceClient;
use proto::v1::shopper_service_client::ShopperServiceClient;

use crate::failure::Failure;
use crate::remote::{self, Channel};
use crate::wire;

/// As many as one request may carry.
const ITEMS_A_REQUEST: usize = 1_000;
const SHOPPERS_A_REQUEST: usize = 256;
const CHANNEL: &str = "email";

/// A decision, and how long the answer took.
#[derive(Clone, Debug)]
pub(in crate::commands) struct Decided {
    pub(in crate::commands) decision: pb::Decision,
    pub(in crate::commands) took: Duration,
}

/// Clients of the servers, all asking at the demo's own time.
#[derive(Clone, Debug)]
pub(in crate::commands) struct Shop {
    features: Channel,
    recovery: RecoveryServiceClient<Channel>,
    now: prost_types::Timestamp,
}

impl Shop {
    pub(in crate::commands) async fn connect(
        features: &str,
        recovery: &str,
        now: prost_types::Timestamp,
    ) -> anyhow::Result<Self> {
        let open = remote::Access::default();
        let features = remote::connect(features, &open).await?;
        let recovery = RecoveryServiceClient::new(remote::connect(recovery, &open).await?);
        Ok(Self {
            features,
            recovery,
            now,
        })
    }

    /// Tells the shop what its items are.
    pub(in crate::commands) async fn upsert(&self, items: &[Item]) -> anyhow::Result<()> {
        let mut client = CatalogServiceClient::new(self.features.clone());
        for items in items.chunks(ITEMS_A_REQUEST) {
            let items = items.iter().map(wire::item).collect();
            let answer = client.upsert_items(pb::UpsertItemsRequest { items }).await;
            let results = answer
                .map_err(|status| remote::refused("upsert items", &status))?
                .into_inner()
                .results;
            let ok = pb::item_result::Status::Ok;
            if let Some(refused) = results.iter().find(|result| result.status() != ok) {
                let why = format!("the shop refused an item: {}", refused.reason);
                return Err(Failure::new(why).into());
            }
        }
        Ok(())
    }

    /// Gives a shopper a channel, and the consent to be contacted on it.
    pub(in crate::commands) async fn consent(&self, shopper_id: &str) -> anyhow::Result<()> {
        let mut client = ShopperServiceClient::new(self.features.clone());
        let profile = pb::SetProfileRequest {
            shopper_id: shopper_id.to_owned(),
            time_zone: Some("UTC".to_owned()),
            channels: vec![CHANNEL.to_owned()],
            jurisdiction: None,
        };
        let consent = pb::Consent {
            purpose: "marketing".to_owned(),
            channel: CHANNEL.to_owned(),
            granted: true,
            wording: "assumed by the demo".to_owned(),
            at: Some(self.now),
            jurisdiction: String::new(),
        };
        let consent = pb::SetConsentRequest {
            shopper_id: shopper_id.to_owned(),
            consents: vec![consent],
        };
        let refused = |status| remote::refused("set profile and consent", &status);
        client.set_profile(profile).await.map_err(refused)?;
        client.set_consent(consent).await.map_err(refused)?;
        Ok(())
    }

    /// The carts of these shoppers, in their order.
    pub(in crate::commands) async fn carts(
        &self,
        shoppers: &[&str],
    ) -> anyhow::Result<Vec<pb::Cart>> {
        let mut client = FeatureServiceClient::new(self.features.clone());
        let mut carts = Vec::with_capacity(shoppers.len());
        for shoppers in shoppers.chunks(SHOPPERS_A_REQUEST) {
            let entity = |id: &&str| pb::Entity {
                id: Some(pb::entity::Id::ShopperId((*id).to_owned())),
            };
            let request = pb::GetFeaturesRequest {
                entities: shoppers.iter().map(entity).collect(),
                features: Vec::new(),
                now: Some(self.now),
                include: vec![i32::from(pb::Include::Cart)],
            };
            let answer = client.get_features(request).await;
            let rows = answer.map_err(|status| remote::refused("get carts", &status))?;
            carts.extend(
                rows.into_inner()
                    .rows
                    .into_iter()
                    .map(|r| r.cart.unwrap_or_default()),
            );
        }
        Ok(carts)
    }

    pub(in crate::commands) async fn decide(&self, shopper_id: &str) -> anyhow::Result<Decided> {
        let request = pb::DecideRequest {
            shopper_id: shopper_id.to_owned(),
            now: Some(self.now),
            ..pb::DecideRequest::default()
        };
        let asked = Instant::now();
        let answer = self.recovery.clone().decide(request).await;
        let took = asked.elapsed();
        let decision = answer
            .map_err(|status| remote::refused("decide", &status))?
            .into_inner();
        Ok(Decided { decision, took })
    }
}
