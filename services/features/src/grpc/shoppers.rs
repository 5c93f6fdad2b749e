//! `ShopperService`.

use feature_store::ConsentRecord;
use kit::Violations;
use proto::v1 as pb;
use proto::v1::shopper_service_server::ShopperService;
use tonic::{Request, Response, Status};

use super::Context;
use crate::convert::{shopper, time};
use crate::error::status;

#[derive(Clone, Debug)]
pub(super) struct Shoppers(pub(super) Context);

#[tonic::async_trait]
impl ShopperService for Shoppers {
    async fn set_profile(
        &self,
        request: Request<pb::SetProfileRequest>,
    ) -> Result<Response<pb::SetProfileResponse>, Status> {
        let (shopper_id, update) = shopper::decode_profile(request.into_inner())?;
        let stored = self.0.store.set_profile(&shopper_id, update).await;
        stored.map_err(status)?.map_err(shopper::refused)?;
        Ok(Response::new(pb::SetProfileResponse {}))
    }

    async fn set_consent(
        &self,
        request: Request<pb::SetConsentRequest>,
    ) -> Result<Response<pb::SetConsentResponse>, Status> {
        let (shopper_id, mut records) =
            shopper::decode_consents(request.into_inner(), &self.0.clock)?;
        self.fill_in_jurisdiction(&shopper_id, &mut records).await?;
        let stored = self.0.store.set_consent(&shopper_id, records).await;
        stored.map_err(status)?.map_err(shopper::refused)?;
        Ok(Response::new(pb::SetConsentResponse {}))
    }

    async fn get_profile(
        &self,
        request: Request<pb::GetProfileRequest>,
    ) -> Result<Response<pb::GetProfileResponse>, Status> {
        let request = request.into_inner();
        let mut violations = Violations::new();
        violations.check_id("shopper_id", &request.shopper_id);
        let now = request.now.as_ref();
        let now = time::given_or_now(&mut violations, "now", now, &self.0.clock);
        violations.into_result()?;
        let views = self
            .0
            .store
            .shoppers(&[&request.shopper_id], now)
            .await
            .map_err(status)?;
        match views.first() {
            Some(Some(view)) => Ok(Response::new(shopper::encode_profile(
                request.shopper_id,
                view,
            ))),
            Some(None) | None => Err(Status::not_found(format!(
                "nothing is known of shopper {:?}",
                request.shopper_id
            ))),
        }
    }

    async fn link_identity(
        &self,
        request: Request<pb::LinkIdentityRequest>,
    ) -> Result<Response<pb::LinkIdentityResponse>, Status> {
        let request = request.into_inner();
        let (shopper, alias) = (&request.shopper_id, &request.alias_id);
        let linked = self
            .0
            .store
            .link(shopper, alias, &request.link_id, self.0.now());
        let linked = linked.await.map_err(status)?.map_err(shopper::not_linked)?;
        Ok(Response::new(pb::LinkIdentityResponse {
            person_id: linked.person_id,
            linked_ids: linked.other_ids,
            changed: linked.changed,
        }))
    }

    async fn unlink_identity(
        &self,
        request: Request<pb::UnlinkIdentityRequest>,
    ) -> Result<Response<pb::UnlinkIdentityResponse>, Status> {
        let alias = request.into_inner().alias_id;
        let unlinked = self.0.store.unlink(&alias, self.0.now()).await;
        let unlinked = unlinked.map_err(status)?.map_err(shopper::not_linked)?;
        Ok(Response::new(pb::UnlinkIdentityResponse {
            person_id: unlinked.person_id,
            linked_ids: unlinked.other_ids,
            changed: unlinked.changed,
        }))
    }
}

impl Shoppers {
    /// A record without a jurisdiction is under the profile's.
    async fn fill_in_jurisdiction(
        &self,
        shopper_id: &str,
        records: &mut [ConsentRecord],
    ) -> Result<(), Status> {
        if records.iter().all(|record| !record.jurisdiction.is_empty()) {
            return Ok(());
        }
        let views = self
            .0
            .store
            .shoppers(&[shopper_id], self.0.now())
            .await
            .map_err(status)?;
        let Some(Some(view)) = views.first() else {
            return Ok(());
        };
        for record in records
            .iter_mut()
            .filter(|record| record.jurisdiction.is_empty())
        {
            record.jurisdiction.clone_from(&view.profile.jurisdiction);
        }
        Ok(())
    }
}
