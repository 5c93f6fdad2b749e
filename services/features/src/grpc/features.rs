//! `FeatureService`.

use std::sync::Arc;
use std::time::Duration;

use feature_store::{Registry, ShopperView};
use kit::{Deadline, Problem, Violations, trace};
use proto::EncodedFeaturesResponse;
use proto::encoded::feature_service_server::FeatureService;
use proto::v1 as pb;
use tonic::{Request, Response, Status};

use super::Context;
use crate::convert::feature::{self, EntityId, Included, Wanted};
use crate::convert::{row, time};
use crate::error::status;
use crate::plans::Plans;

#[derive(Clone, Debug)]
pub(super) struct Features {
    context: Context,
    plans: Arc<Plans>,
}

/// Callers that give no deadline wait for as long as the store's own patience lasts.
fn deadline<T>(request: &Request<T>) -> Deadline {
    const LONGEST: Duration = Duration::from_secs(60);
    Deadline::from_request(request.metadata(), LONGEST).with_the_way_back()
}

/// Not the caller's fault that it gave too little time: another try may find the store awake.
fn late(store: &str) -> Status {
    Problem::Unavailable(format!("the {store} store did not answer in time")).into()
}

#[tonic::async_trait]
impl FeatureService for Features {
    async fn get_features(
        &self,
        request: Request<pb::GetFeaturesRequest>,
    ) -> Result<Response<EncodedFeaturesResponse>, Status> {
        let deadline = deadline(&request);
        let clock = &self.context.clock;
        let resolve = |names: &[String]| self.plans.resolve(names);
        let wanted = feature::decode_request(request.into_inner(), clock, resolve)?;
        let views = self.views(&wanted.shoppers(), wanted.now, deadline).await?;
        Ok(Response::new(EncodedFeaturesResponse {
            rows: self.rows(&wanted, views),
            schema_fingerprint: Registry::standard().fingerprint().to_owned(),
            now: Some(time::encode(wanted.now)),
        }))
    }

    async fn get_cart(
        &self,
        request: Request<pb::GetCartRequest>,
    ) -> Result<Response<pb::GetCartResponse>, Status> {
        let deadline = deadline(&request);
        let request = request.into_inner();
        let mut violations = Violations::new();
        violations.check_id("shopper_id", &request.shopper_id);
        let clock = &self.context.clock;
        let now = time::given_or_now(&mut violations, "now", request.now.as_ref(), clock);
        violations.into_result()?;
        let views = self.views(&[&request.shopper_id], now, deadline).await?;
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
        deadline: Deadline,
    ) -> Result<Vec<Option<ShopperView>>, Status> {
        if shoppers.is_empty() {
            return Ok(Vec::new());
        }
        if let [shopper] = shoppers {
            trace::shopper(shopper);
        }
        let store = &self.context.store;
        let read = deadline.bound(store.shoppers(shoppers, now)).await;
        read.ok_or_else(|| late(store.store().name()))?
            .map_err(status)
    }

    /// One row per entity; `views` are those of the shoppers among them.
    fn rows(&self, wanted: &Wanted, views: Vec<Option<ShopperView>>) -> Vec<Vec<u8>> {
        let stage = tracing::info_span!(
            target: trace::STAGE, "compute", entities = wanted.entities.len());
        let _compute = stage.entered();
        let items = self.context.store.items();
        let mut views = views.into_iter();
        wanted
            .entities
            .iter()
            .map(|entity| match entity {
                EntityId::Shopper(_) => {
                    let view = views.next().flatten();
                    let values = wanted.plan.shopper(view.as_ref());
                    row::encode(entity, values, view.as_ref(), wanted.include)
                }
                EntityId::Item(id) => {
                    let item = items.get(id);
                    let values = wanted.plan.item(item.as_deref(), wanted.now);
                    row::encode(entity, values, None, Included::default())
                }
            })
            .collect()
    }
}
