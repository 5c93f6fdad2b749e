//! `SnapshotService`: what this server is. It holds no models.

use feature_store::Registry;
use proto::v1 as pb;
use proto::v1::snapshot_service_server::SnapshotService;
use tonic::{Request, Response, Status};

use super::Context;
use crate::convert::time;
use crate::role::ROLE;

#[derive(Clone, Debug)]
pub(super) struct Snapshots(pub(super) Context);

#[tonic::async_trait]
impl SnapshotService for Snapshots {
    async fn get_status(
        &self,
        _request: Request<pb::GetStatusRequest>,
    ) -> Result<Response<pb::GetStatusResponse>, Status> {
        Ok(Response::new(pb::GetStatusResponse {
            role: ROLE.to_owned(),
            live_generation: String::new(),
            generations: Vec::new(),
            schema_fingerprint: Registry::standard().fingerprint().to_owned(),
            version: kit::VERSION.to_owned(),
            now: Some(time::encode(self.0.now())),
            store: self.0.store.store().name().to_owned(),
        }))
    }
}
