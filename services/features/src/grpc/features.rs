//! `FeatureService`.

use std::sync::Arc;

use feature_store::{Registry, ShopperView};
use kit::{Violations, trace};
use proto::v1 as pb;
use proto::v1::feature_service_server::FeatureService;
use tonic::{Request, Response, Status};

use super::Context;
use crate::convert::feature::{self, EntityId, Wanted};
use crate::convert::time;
use crate::error::status;
use crate::plans::Plans;

#[derive(Clone, Debug)]
pub(super) struct Features {
    context: Context,
    plans: Arc<Plans>,
}

#[tonic::async_trait]
impl FeatureService for Features {
    async fn get_features(
        &self,
        request: Request<pb::GetFeaturesRequest>,
    ) -> Result<Response<pb::GetFeaturesResponse>, Status> {
        let clock = &self.context.clock;
        let resolve = |names: &[String]| self.plans.resolve(names);
        let wanted = feature::decode_request(request.into_inner(), clock, resolve)?;
        let views = self.views(&wanted.shoppers(), wanted.now).await?;
        Ok(Response::new(pb::GetFeaturesResponse {
            rows: self.rows(&wanted, views),
            schema_fingerprint: Registry::standard().fingerprint().to_owned(),
            now: Some(time::encode(wanted.now)),
        }))
    }

    async fn get_cart(
        &self,
        request: Request<pb::GetCartRequest>,
    ) -> Result<Response<pb::GetCartResponse>, Status> {
        let request = request.into_inner();
        let mut violations = Violations::new();
        violations.check_id("shopper_id", &request.shopper_id);
        let clock = &self.context.clock;
        let now = time::given_or_now(&mut violations, "now", request.now.as_ref(), clock);
        violations.into_result()?;
        let views = self.views(&[&request.shopper_id], now).await?;
        let view = views.first().and_then(Option::as_ref);
        Ok(Response::new(pb::GetCartResponse {
            cart: Some(feature::encode_cart(view)),
        }))
    }
}

impl Features {
    pub(super) fn new(context: Context) -> Self {
        Self {
            context,
            plans: Arc::new(Plans::new()),
        }
    }

    async fn views(
        &self,
        shoppers: &[&str],
        now: feature_store::Millis,
    ) -> Result<Vec<Option<ShopperView>>, Status> {
        if shoppers.is_empty() {
            return Ok(Vec::new());
        }
        if let [shopper] = shoppers {
            trace::shopper(shopper);
        }
        self.context
            .store
            .shoppers(shoppers, now)
            .await
            .map_err(status)
    }

    /// One row per entity; `views` are those of the shoppers among them.
    fn rows(&self, wanted: &Wanted, views: Vec<Option<ShopperView>>) -> Vec<pb::FeatureRow> {
        let stage = tracing::info_span!(
            target: trace::STAGE, "compute", entities = wanted.entities.len());
        let _compute = stage.entered();
        let items = self.context.store.items();
        let mut views = views.into_iter();
        wanted
            .entities
            .iter()
            .map(|entity| match entity {
                EntityId::Shopper(id) => {
                    let view = views.next().flatten();
                    let values = wanted.plan.shopper(view.as_ref());
                    feature::encode_shopper_row(id, values, view.as_ref(), wanted.include)
                }
                EntityId::Item(id) => {
                    let row = items.get(id);
                    feature::encode_item_row(id, wanted.plan.item(row.as_deref(), wanted.now))
                }
            })
            .collect()
    }
}
