//! `CatalogService`.

use kit::Violations;
use proto::v1 as pb;
use proto::v1::catalog_service_server::CatalogService;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use super::Context;
use crate::convert::item;
use crate::error::status;
use crate::updates::Feed;

const MOST_ITEMS: usize = 1_000;

#[derive(Clone, Debug)]
pub(super) struct Catalog(pub(super) Context);

#[tonic::async_trait]
impl CatalogService for Catalog {
    async fn upsert_items(
        &self,
        request: Request<pb::UpsertItemsRequest>,
    ) -> Result<Response<pb::UpsertItemsResponse>, Status> {
        let items = request.into_inner().items;
        checked_count("items", items.len())?;
        let items = items.into_iter().map(item::decode).collect();
        let outcomes = self
            .0
            .store
            .upsert_items(items, self.0.now())
            .await
            .map_err(status)?;
        let results = outcomes.into_iter().map(item::encode_result).collect();
        Ok(Response::new(pb::UpsertItemsResponse { results }))
    }

    async fn set_availability(
        &self,
        request: Request<pb::SetAvailabilityRequest>,
    ) -> Result<Response<pb::SetAvailabilityResponse>, Status> {
        let changes = request.into_inner().items;
        checked_count("items", changes.len())?;
        let changes = changes.into_iter().map(item::decode_availability).collect();
        let outcomes = self.0.store.set_availability(changes, self.0.now()).await;
        let results = outcomes
            .map_err(status)?
            .into_iter()
            .map(item::encode_result)
            .collect();
        Ok(Response::new(pb::SetAvailabilityResponse { results }))
    }

    async fn get_items(
        &self,
        request: Request<pb::GetItemsRequest>,
    ) -> Result<Response<pb::GetItemsResponse>, Status> {
        let ids = request.into_inner().item_ids;
        let mut violations = Violations::new();
        violations.check_count("item_ids", ids.len(), MOST_ITEMS);
        for (i, id) in ids.iter().enumerate() {
            violations.check_id(&format!("item_ids[{i}]"), id);
        }
        violations.into_result()?;
        let mut response = pb::GetItemsResponse::default();
        for id in ids {
            match self.0.store.items().get(&id) {
                Some(row) => {
                    response.items.push(item::encode_row(&row));
                    response.stats.push(item::encode_stats(&row));
                }
                None => response.not_found.push(id),
            }
        }
        Ok(Response::new(response))
    }

    type StreamItemUpdatesStream = ReceiverStream<Result<pb::ItemUpdates, Status>>;

    async fn stream_item_updates(
        &self,
        _request: Request<pb::StreamItemUpdatesRequest>,
    ) -> Result<Response<Self::StreamItemUpdatesStream>, Status> {
        let (feed, updates) = Feed::new(self.0.store.clone(), self.0.clock.clone());
        let subscribers = self.0.metrics.subscribers.clone();
        let shutdown = self.0.shutdown.clone();
        subscribers.inc();
        tokio::spawn(async move {
            feed.run(shutdown).await;
            subscribers.dec();
        });
        Ok(Response::new(ReceiverStream::new(updates)))
    }
}

fn checked_count(field: &str, count: usize) -> Result<(), Status> {
    let mut violations = Violations::new();
    violations.check_count(field, count, MOST_ITEMS);
    violations.into_result()
}
