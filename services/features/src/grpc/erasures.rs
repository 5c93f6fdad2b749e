//! `ErasureService`.

use proto::v1 as pb;
use proto::v1::erasure_service_server::ErasureService;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use super::Context;
use crate::telling::Telling;

#[derive(Clone, Debug)]
pub(super) struct Erasures(pub(super) Context);

#[tonic::async_trait]
impl ErasureService for Erasures {
    type WatchErasuresStream = ReceiverStream<Result<pb::Erasures, Status>>;

    async fn watch_erasures(
        &self,
        _request: Request<pb::WatchErasuresRequest>,
    ) -> Result<Response<Self::WatchErasuresStream>, Status> {
        let (telling, words) = Telling::new(self.0.store.clone(), self.0.clock.clone());
        let shutdown = self.0.shutdown.clone();
        tokio::spawn(telling.run(shutdown));
        Ok(Response::new(ReceiverStream::new(words)))
    }
}
