//! A stand-in for the features role: it answers recent items and streams item updates as told.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use kit::timestamp;
use proto::v1 as pb;
use proto::v1::catalog_service_server::{CatalogService, CatalogServiceServer};
use proto::v1::erasure_service_server::{ErasureService, ErasureServiceServer};
use proto::v1::feature_service_server::{FeatureService, FeatureServiceServer};
use tokio::sync::mpsc;
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tonic::{Request, Response, Status};

use super::support::NOW_MS;

type Updates = mpsc::Sender<Result<pb::ItemUpdates, Status>>;
type Words = mpsc::Sender<Result<pb::Erasures, Status>>;

/// Fingerprint of the key that the stand-in's MACs are made with.
pub(crate) const KEY: &str = "92b2b75604ed3c76";

/// What the stand-in was asked and how it is to answer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Features(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    recent: Vec<pb::RecentItem>,
    delay: Duration,
    /// `grpc-timeout` of the last request for features.
    timeout: Option<String>,
    /// The whole table, told to every new reader.
    table: Vec<pb::Item>,
    /// Tells only the first half of the table.
    halts: bool,
    readers: Vec<Updates>,
    streams_opened: usize,
    /// Who is erased, told to every new watcher; `None`: it is not told.
    erased: Option<Vec<u64>>,
    watchers: Vec<Words>,
}

impl Features {
    /// Serves on a free port; the answer is its URL.
    pub(crate) async fn serve(&self) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = tonic::transport::Server::builder()
            .add_service(FeatureServiceServer::new(self.clone()))
            .add_service(CatalogServiceServer::new(self.clone()))
            .add_service(ErasureServiceServer::new(self.clone()))
            .serve_with_incoming(TcpListenerStream::new(listener));
        tokio::spawn(server);
        url
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.0.lock().unwrap());
    }

    pub(crate) fn recent(&self, items: &[(&str, u32)]) {
        let recent = items.iter().map(|&(item_id, event_type)| pb::RecentItem {
            item_id: item_id.to_owned(),
            event_type,
            occurred_at: Some(timestamp::encode(NOW_MS - 60_000)),
        });
        self.change(|state| state.recent = recent.collect());
    }

    pub(crate) fn delay(&self, delay: Duration) {
        self.change(|state| state.delay = delay);
    }

    pub(crate) fn table(&self, items: Vec<pb::Item>) {
        self.change(|state| state.table = items);
    }

    /// From now on a new reader gets half of the table, and then nothing.
    pub(crate) fn halt_halfway(&self) {
        self.change(|state| state.halts = true);
    }

    pub(crate) fn timeout(&self) -> Option<String> {
        self.0.lock().unwrap().timeout.clone()
    }

    pub(crate) fn streams_opened(&self) -> usize {
        self.0.lock().unwrap().streams_opened
    }

    /// Tells every reader of a change.
    pub(crate) async fn update(&self, items: Vec<pb::Item>) {
        let readers = self.0.lock().unwrap().readers.clone();
        for reader in readers {
            reader.send(Ok(message(items.clone()))).await.unwrap();
        }
    }

    /// Erases shoppers, and tells every watcher. Told at all from the first call on.
    pub(crate) async fn erase(&self, shoppers: &[u64]) {
        let mut watchers = Vec::new();
        self.change(|state| {
            state.erased.get_or_insert_default().extend(shoppers);
            watchers.clone_from(&state.watchers);
        });
        for watcher in watchers {
            watcher.send(Ok(erasures(shoppers))).await.unwrap();
        }
    }

    /// Ends every stream.
    pub(crate) fn hang_up(&self) {
        self.change(|state| {
            state.readers.clear();
            state.watchers.clear();
        });
    }
}

fn erasures(shoppers: &[u64]) -> pb::Erasures {
    let erasure = |shopper: &u64| pb::Erasure {
        shopper: *shopper,
        erased_at_ms: NOW_MS,
    };
    pb::Erasures {
        erased: shoppers.iter().map(erasure).collect(),
        key: KEY.to_owned(),
        complete: true,
        sent_at: Some(timestamp::encode(NOW_MS)),
    }
}

#[tonic::async_trait]
impl ErasureService for Features {
    type WatchErasuresStream = ReceiverStream<Result<pb::Erasures, Status>>;

    async fn watch_erasures(
        &self,
        _request: Request<pb::WatchErasuresRequest>,
    ) -> Result<Response<Self::WatchErasuresStream>, Status> {
        let (sender, receiver) = mpsc::channel(16);
        let mut erased = None;
        self.change(|state| {
            erased.clone_from(&state.erased);
            state.watchers.push(sender.clone());
        });
        if let Some(erased) = erased {
            sender.send(Ok(erasures(&erased))).await.unwrap();
        }
        Ok(Response::new(ReceiverStream::new(receiver)))
    }
}

fn message(items: Vec<pb::Item>) -> pb::ItemUpdates {
    pb::ItemUpdates {
        items,
        stats: Vec::new(),
        table_complete: true,
        sent_at: Some(timestamp::encode(NOW_MS)),
    }
}

#[tonic::async_trait]
impl FeatureService for Features {
    async fn get_features(
        &self,
        request: Request<pb::GetFeaturesRequest>,
    ) -> Result<Response<pb::GetFeaturesResponse>, Status> {
        let timeout = request.metadata().get("grpc-timeout");
        let timeout = timeout
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned);
        let mut delay = Duration::ZERO;
        let mut recent_items = Vec::new();
        self.change(|state| {
            state.timeout = timeout;
            delay = state.delay;
            recent_items.clone_from(&state.recent);
        });
        tokio::time::sleep(delay).await;
        let request = request.into_inner();
        assert_eq!(request.include, [i32::from(pb::Include::RecentItems)]);
        let row = pb::FeatureRow {
            recent_items,
            ..pb::FeatureRow::default()
        };
        Ok(Response::new(pb::GetFeaturesResponse {
            rows: vec![row],
            ..Default::default()
        }))
    }

    async fn get_cart(
        &self,
        _request: Request<pb::GetCartRequest>,
    ) -> Result<Response<pb::GetCartResponse>, Status> {
        Err(Status::unimplemented("not asked by candidates"))
    }
}

#[tonic::async_trait]
impl CatalogService for Features {
    type StreamItemUpdatesStream = ReceiverStream<Result<pb::ItemUpdates, Status>>;

    async fn stream_item_updates(
        &self,
        _request: Request<pb::StreamItemUpdatesRequest>,
    ) -> Result<Response<Self::StreamItemUpdatesStream>, Status> {
        let (sender, receiver) = mpsc::channel(16);
        let (mut table, mut halts) = (Vec::new(), false);
        self.change(|state| {
            table.clone_from(&state.table);
            halts = state.halts;
        });
        // In two parts, of which only the second completes the table.
        let half = table.len() / 2;
        let first = pb::ItemUpdates {
            table_complete: false,
            ..message(table[..half].to_vec())
        };
        sender.send(Ok(first)).await.unwrap();
        if !halts {
            let rest = message(table[half..].to_vec());
            sender.send(Ok(rest)).await.unwrap();
        }
        self.change(|state| {
            state.readers.push(sender);
            state.streams_opened += 1;
        });
        Ok(Response::new(ReceiverStream::new(receiver)))
    }

    async fn upsert_items(
        &self,
        _request: Request<pb::UpsertItemsRequest>,
    ) -> Result<Response<pb::UpsertItemsResponse>, Status> {
        Err(Status::unimplemented("not asked by candidates"))
    }

    async fn set_availability(
        &self,
        _request: Request<pb::SetAvailabilityRequest>,
    ) -> Result<Response<pb::SetAvailabilityResponse>, Status> {
        Err(Status::unimplemented("not asked by candidates"))
    }

    async fn get_items(
        &self,
        _request: Request<pb::GetItemsRequest>,
    ) -> Result<Response<pb::GetItemsResponse>, Status> {
        Err(Status::unimplemented("not asked by candidates"))
    }
}
