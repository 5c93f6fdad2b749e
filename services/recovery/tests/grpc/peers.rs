//! Features and candidates as small servers whose answers a test chooses.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use proto::v1 as pb;
use proto::v1::candidate_service_server::{CandidateService, CandidateServiceServer};
use proto::v1::catalog_service_server::{CatalogService, CatalogServiceServer};
use proto::v1::feature_service_server::{FeatureService, FeatureServiceServer};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tokio_stream::{Stream, StreamExt as _};
use tonic::transport::Server;
use tonic::{Request, Response, Status};

type Answering<Q, A> = Arc<dyn Fn(Q) -> Result<A, Status> + Send + Sync>;

/// What the peers answer, and what they were asked.
#[derive(Clone)]
pub(crate) struct Peers {
    pub(crate) features: Answering<pb::GetFeaturesRequest, pb::GetFeaturesResponse>,
    pub(crate) candidates: Answering<pb::RetrieveRequest, pb::RetrieveResponse>,
    pub(crate) features_delay: Duration,
    pub(crate) candidates_delay: Duration,
    pub(crate) items: Vec<pb::Item>,
    pub(crate) seen: Arc<Seen>,
}

/// What the peers were asked.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) features_calls: AtomicUsize,
    pub(crate) features: Mutex<Vec<pb::GetFeaturesRequest>>,
    pub(crate) candidates: Mutex<Vec<pb::RetrieveRequest>>,
    /// `grpc-timeout` of the calls to candidates.
    pub(crate) timeouts: Mutex<Vec<String>>,
}

impl Peers {
    /// Starts both roles on one port and returns its URL.
    pub(crate) async fn start(self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr: SocketAddr = listener.local_addr().unwrap();
        let server = Server::builder()
            .add_service(FeatureServiceServer::new(self.clone()))
            .add_service(CandidateServiceServer::new(self.clone()))
            .add_service(CatalogServiceServer::new(self))
            .serve_with_incoming(TcpListenerStream::new(listener));
        tokio::spawn(server);
        format!("http://{addr}")
    }
}

/// A URL where nothing listens.
pub(crate) async fn dead_url() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

#[tonic::async_trait]
impl FeatureService for Peers {
    async fn get_features(
        &self,
        request: Request<pb::GetFeaturesRequest>,
    ) -> Result<Response<pb::GetFeaturesResponse>, Status> {
        let request = request.into_inner();
        self.seen.features_calls.fetch_add(1, Ordering::SeqCst);
        self.seen.features.lock().unwrap().push(request.clone());
        tokio::time::sleep(self.features_delay).await;
        (self.features)(request).map(Response::new)
    }

    async fn get_cart(
        &self,
        _request: Request<pb::GetCartRequest>,
    ) -> Result<Response<pb::GetCartResponse>, Status> {
        Err(Status::unimplemented("not asked here"))
    }
}

#[tonic::async_trait]
impl CandidateService for Peers {
    async fn retrieve(
        &self,
        request: Request<pb::RetrieveRequest>,
    ) -> Result<Response<pb::RetrieveResponse>, Status> {
        let timeout = request.metadata().get("grpc-timeout");
        let timeout = timeout
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        self.seen.timeouts.lock().unwrap().push(timeout.to_owned());
        let request = request.into_inner();
        self.seen.candidates.lock().unwrap().push(request.clone());
        tokio::time::sleep(self.candidates_delay).await;
        (self.candidates)(request).map(Response::new)
    }

    async fn similar_items(
        &self,
        _request: Request<pb::SimilarItemsRequest>,
    ) -> Result<Response<pb::RetrieveResponse>, Status> {
        Err(Status::unimplemented("not asked here"))
    }
}

#[tonic::async_trait]
impl CatalogService for Peers {
    type StreamItemUpdatesStream =
        Pin<Box<dyn Stream<Item = Result<pb::ItemUpdates, Status>> + Send>>;

    async fn stream_item_updates(
        &self,
        _request: Request<pb::StreamItemUpdatesRequest>,
    ) -> Result<Response<Self::StreamItemUpdatesStream>, Status> {
        let table = pb::ItemUpdates {
            items: self.items.clone(),
            table_complete: true,
            ..Default::default()
        };
        let updates = tokio_stream::once(Ok(table)).chain(tokio_stream::pending());
        Ok(Response::new(Box::pin(updates)))
    }

    async fn upsert_items(
        &self,
        _request: Request<pb::UpsertItemsRequest>,
    ) -> Result<Response<pb::UpsertItemsResponse>, Status> {
        Err(Status::unimplemented("not asked here"))
    }

    async fn set_availability(
        &self,
        _request: Request<pb::SetAvailabilityRequest>,
    ) -> Result<Response<pb::SetAvailabilityResponse>, Status> {
        Err(Status::unimplemented("not asked here"))
    }

    async fn get_items(
        &self,
        _request: Request<pb::GetItemsRequest>,
    ) -> Result<Response<pb::GetItemsResponse>, Status> {
        Err(Status::unimplemented("not asked here"))
    }
}
