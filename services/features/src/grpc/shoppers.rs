//! `ShopperService`.

use feature_store::{ConsentRecord, Exporter, Removed};
use kit::Violations;
use proto::v1 as pb;
use proto::v1::shopper_service_server::ShopperService;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use super::Context;
use crate::convert::{export, shopper, time};
use crate::error::status;

/// Records that wait for a slow reader before the reading of logs waits for it.
const AHEAD: usize = 64;

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

    type ExportShopperStream = ReceiverStream<Result<pb::ExportedRecord, Status>>;

    async fn export_shopper(
        &self,
        request: Request<pb::ExportShopperRequest>,
    ) -> Result<Response<Self::ExportShopperStream>, Status> {
        let shopper_id = request.into_inner().shopper_id;
        let mut violations = Violations::new();
        violations.check_id("shopper_id", &shopper_id);
        violations.into_result()?;
        let exporter = self.0.store.export(&shopper_id, self.0.now()).await;
        let exporter = exporter.map_err(status)?.ok_or_else(|| {
            Status::not_found(format!("nothing is known of shopper {shopper_id:?}"))
        })?;
        let (sender, records) = mpsc::channel(AHEAD);
        let shutdown = self.0.shutdown.clone();
        tokio::spawn(async move {
            let sending = send(exporter, sender);
            shutdown.run_until_cancelled(sending).await;
        });
        Ok(Response::new(ReceiverStream::new(records)))
    }

    async fn erase_shopper(
        &self,
        request: Request<pb::EraseShopperRequest>,
    ) -> Result<Response<pb::EraseShopperResponse>, Status> {
        let shopper_id = request.into_inner().shopper_id;
        let erased = self.0.store.erase(&shopper_id, self.0.now()).await;
        let erased = erased.map_err(status)?.map_err(shopper::refused)?;
        Ok(Response::new(pb::EraseShopperResponse {
            erased_at: Some(time::encode(erased.at)),
            changed: erased.changed,
            erased: Some(encode_removed(&erased.removed)),
        }))
    }
}

/// Sends all that is kept about a person until the reader goes.
async fn send(mut exporter: Exporter, sender: mpsc::Sender<Result<pb::ExportedRecord, Status>>) {
    let mut records = match export::standing(&exporter) {
        Ok(records) => records,
        Err(failed) => return drop(sender.send(Err(failed)).await),
    };
    loop {
        for record in std::mem::take(&mut records) {
            if sender.send(Ok(record)).await.is_err() {
                return;
            }
        }
        let page = match exporter.next().await {
            Ok(Some(page)) => page,
            Ok(None) => return,
            Err(error) => return drop(sender.send(Err(status(error))).await),
        };
        let page = page.into_iter();
        records.extend(page.filter_map(|one| export::beside(&exporter, one)));
    }
}

fn encode_removed(removed: &Removed) -> pb::Erased {
    pb::Erased {
        ids: removed.ids,
        keys: removed.keys,
        cart_lines: removed.cart_lines,
        consents: removed.consents,
        recent_events: removed.recent_events,
        recovery_bytes: removed.recovery_bytes,
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
