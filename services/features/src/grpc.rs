//! The thin adapters: each handler decodes, calls the library, encodes.

mod catalog;
mod erasures;
mod events;
mod features;
mod shoppers;

use feature_store::{FeatureStore, Millis, Registry};
use generations::{Identity, Keeper, Schema};
use kit::{CancellationToken, Clock, MAX_MESSAGE_BYTES};
use proto::encoded::feature_service_server::FeatureServiceServer;
use proto::v1::{
    catalog_service_server::CatalogServiceServer, erasure_service_server::ErasureServiceServer,
    event_service_server::EventServiceServer, shopper_service_server::ShopperServiceServer,
};
use tonic::service::Routes;

use crate::metrics::Metrics;

/// What every handler needs. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    store: FeatureStore,
    clock: Clock,
    metrics: Metrics,
    shutdown: CancellationToken,
}

impl Context {
    pub(crate) fn new(
        store: FeatureStore,
        clock: Clock,
        metrics: Metrics,
        shutdown: CancellationToken,
    ) -> Self {
        Self {
            store,
            clock,
            metrics,
            shutdown,
        }
    }

    fn now(&self) -> Millis {
        Millis(self.clock.now_ms())
    }
}

/// The role's services.
pub(crate) fn routes(context: &Context, keeper: &Keeper<Schema>) -> Routes {
    let events = EventServiceServer::new(events::Events(context.clone()));
    let features = FeatureServiceServer::new(features::Features::new(context.clone()));
    let shoppers = ShopperServiceServer::new(shoppers::Shoppers(context.clone()));
    let catalog = CatalogServiceServer::new(catalog::Catalog(context.clone()));
    let erasures = ErasureServiceServer::new(erasures::Erasures(context.clone()));
    let identity = Identity {
        schema_fingerprint: Registry::standard().fingerprint().to_owned(),
        store: context.store.store().name().to_owned(),
    };
    let snapshots = generations::routes(keeper, identity, context.clock.clone());
    Routes::new(events.max_decoding_message_size(MAX_MESSAGE_BYTES))
        .add_service(erasures)
        .add_service(features.max_decoding_message_size(MAX_MESSAGE_BYTES))
        .add_service(shoppers.max_decoding_message_size(MAX_MESSAGE_BYTES))
        .add_service(catalog.max_decoding_message_size(MAX_MESSAGE_BYTES))
        .add_service(snapshots)
}
