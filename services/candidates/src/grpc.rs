//! The thin adapters: each handler decodes, calls the library, encodes.

mod candidates;

use std::time::Duration;

use generations::{Identity, Keeper};
use kit::{Clock, MAX_MESSAGE_BYTES};
use proto::v1::candidate_service_server::CandidateServiceServer;
use tonic::service::Routes;

use crate::generation::Candidates;
use crate::metrics::Metrics;
use crate::shopper::Shoppers;

/// What every handler needs. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    pub(crate) keeper: Keeper<Candidates>,
    pub(crate) shoppers: Shoppers,
    pub(crate) clock: Clock,
    pub(crate) metrics: Metrics,
    pub(crate) default_deadline: Duration,
}

/// The role's services.
pub(crate) fn routes(context: &Context) -> Routes {
    let candidates = CandidateServiceServer::new(candidates::Candidates(context.clone()));
    let identity = Identity {
        // No feature is computed here.
        schema_fingerprint: String::new(),
        store: "none".to_owned(),
    };
    let snapshots = generations::routes(&context.keeper, identity, context.clock.clone());
    Routes::new(candidates.max_decoding_message_size(MAX_MESSAGE_BYTES)).add_service(snapshots)
}
