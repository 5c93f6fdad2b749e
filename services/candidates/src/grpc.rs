//! The thin adapters: each handler decodes, calls the library, encodes.

mod candidates;
mod snapshots;

use std::sync::Arc;
use std::time::Duration;

use kit::{Clock, MAX_MESSAGE_BYTES};
use proto::v1::candidate_service_server::CandidateServiceServer;
use proto::v1::snapshot_service_server::SnapshotServiceServer;
use tonic::service::Routes;

use crate::generation::Generations;
use crate::metrics::Metrics;
use crate::shopper::Shoppers;

/// What every handler needs. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    pub(crate) generations: Arc<Generations>,
    pub(crate) shoppers: Shoppers,
    pub(crate) clock: Clock,
    pub(crate) metrics: Metrics,
    pub(crate) default_deadline: Duration,
}

/// The role's services.
pub(crate) fn routes(context: &Context) -> Routes {
    let candidates = CandidateServiceServer::new(candidates::Candidates(context.clone()));
    let snapshots = SnapshotServiceServer::new(snapshots::Snapshots(context.clone()));
    Routes::new(candidates.max_decoding_message_size(MAX_MESSAGE_BYTES))
        .add_service(snapshots.max_decoding_message_size(MAX_MESSAGE_BYTES))
}
