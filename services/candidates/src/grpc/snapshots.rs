//! `SnapshotService`: what this server has loaded.

use kit::timestamp;
use proto::v1 as pb;
use proto::v1::snapshot_service_server::SnapshotService;
use tonic::{Request, Response, Status};

use super::Context;
use crate::generation::Generation;
use crate::role::ROLE;

#[derive(Clone, Debug)]
pub(super) struct Snapshots(pub(super) Context);

#[tonic::async_trait]
impl SnapshotService for Snapshots {
    async fn get_status(
        &self,
        _request: Request<pb::GetStatusRequest>,
    ) -> Result<Response<pb::GetStatusResponse>, Status> {
        let live = self.0.generations.live();
        Ok(Response::new(pb::GetStatusResponse {
            role: ROLE.to_owned(),
            live_generation: live
                .as_ref()
                .map(|live| live.id.clone())
                .unwrap_or_default(),
            generations: live.iter().map(|live| encode(live)).collect(),
            // No feature is computed here.
            schema_fingerprint: String::new(),
            version: kit::VERSION.to_owned(),
            now: Some(timestamp::encode(self.0.clock.now_ms())),
            store: "none".to_owned(),
        }))
    }
}

fn encode(generation: &Generation) -> pb::GenerationInfo {
    pb::GenerationInfo {
        id: generation.id.clone(),
        loaded_at: Some(timestamp::encode(generation.loaded_at_ms)),
        items: u64::try_from(generation.items()).unwrap_or(u64::MAX),
        resident_bytes: generation.resident_bytes,
    }
}
