//! A role with one service that sleeps or panics when told to, through request metadata.

use std::time::Duration;

use kit::auth::Scope;
use kit::client::{PeerChannel, PeerSettings};
use kit::security::Security;
use kit::shell::Listen;
use kit::{CancellationToken, Running, Shell, admission, trace};
use proto::v1 as pb;
use proto::v1::feature_service_client::FeatureServiceClient;
use proto::v1::feature_service_server::{self, FeatureService, FeatureServiceServer};
use proto::v1::snapshot_service_client::SnapshotServiceClient;
use proto::v1::snapshot_service_server::{self, SnapshotService, SnapshotServiceServer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tonic::metadata::MetadataMap;
use tonic::service::Routes;
use tonic::transport::Channel;
use tonic::{Request, Response, Status};
use tracing::Instrument as _;

#[derive(Clone, Debug, Default)]
struct Toy {
    /// Asked by `toy: call`.
    peer: Option<SnapshotServiceClient<PeerChannel>>,
}

#[tonic::async_trait]
impl SnapshotService for Toy {
    async fn get_status(
        &self,
        request: Request<pb::GetStatusRequest>,
    ) -> Result<Response<pb::GetStatusResponse>, Status> {
        obey(request.metadata()).await;
        if request
            .metadata()
            .get("toy")
            .is_some_and(|word| word == "call")
        {
            kit::trace::shopper("shopper-1");
            let stage = tracing::info_span!(target: kit::trace::STAGE, "ask");
            let mut peer = self.peer.clone().unwrap();
            peer.get_status(told("work")).instrument(stage).await?;
        }
        Ok(Response::new(pb::GetStatusResponse::default()))
    }

    async fn list_snapshots(
        &self,
        _request: Request<pb::ListSnapshotsRequest>,
    ) -> Result<Response<pb::ListSnapshotsResponse>, Status> {
        Err(Status::unimplemented("a toy has no snapshots"))
    }

    async fn prepare(
        &self,
        _request: Request<pb::PrepareRequest>,
    ) -> Result<Response<pb::PrepareResponse>, Status> {
        Err(Status::unimplemented("a toy has no snapshots"))
    }

    async fn activate(
        &self,
        _request: Request<pb::ActivateRequest>,
    ) -> Result<Response<pb::ActivateResponse>, Status> {
        Err(Status::unimplemented("a toy has no snapshots"))
    }

    async fn rollback(
        &self,
        _request: Request<pb::RollbackRequest>,
    ) -> Result<Response<pb::RollbackResponse>, Status> {
        Err(Status::unimplemented("a toy has no snapshots"))
    }
}

#[tonic::async_trait]
impl FeatureService for Toy {
    async fn get_features(
        &self,
        request: Request<pb::GetFeaturesRequest>,
    ) -> Result<Response<pb::GetFeaturesResponse>, Status> {
        obey(request.metadata()).await;
        Ok(Response::new(pb::GetFeaturesResponse::default()))
    }

    async fn get_cart(
        &self,
        request: Request<pb::GetCartRequest>,
    ) -> Result<Response<pb::GetCartResponse>, Status> {
        obey(request.metadata()).await;
        Ok(Response::new(pb::GetCartResponse::default()))
    }
}

async fn obey(metadata: &MetadataMap) {
    let word = metadata.get("toy").and_then(|value| value.to_str().ok());
    match word {
        Some("panic") => panic!("as told"),
        Some("nap") => tokio::time::sleep(Duration::from_millis(200)).await,
        Some("sleep") => tokio::time::sleep(Duration::from_millis(400)).await,
        Some("hang") => std::future::pending().await,
        Some("work") => {
            let stage = tracing::info_span!(target: kit::trace::STAGE, "work", parts = 3);
            let nap = tokio::time::sleep(Duration::from_millis(2));
            nap.instrument(stage).await;
        }
        Some("degrade") => kit::trace::degraded("toy: as told"),
        Some(_) | None => {}
    }
}

pub(crate) struct Role {
    pub(crate) running: Running,
    pub(crate) shutdown: CancellationToken,
}

pub(crate) async fn role(security: Security, drain: Duration) -> Role {
    let listen = listen(security, drain, admission::Settings::default());
    start("toy", listen, Toy::default()).await
}

/// A role that lets so many calls in.
pub(crate) async fn strict_role(admission: admission::Settings) -> Role {
    let listen = listen(Security::default(), Duration::from_secs(1), admission);
    start("toy", listen, Toy::default()).await
}

/// A role that records its requests so, and calls the peer when it is told to.
pub(crate) async fn traced_role(
    name: &'static str,
    telemetry: trace::Settings,
    peer: Option<&Role>,
) -> Role {
    let peer = peer.map(|peer| {
        let url = format!("http://{}", peer.running.addr);
        let channel = kit::client::channel(&url, &PeerSettings::default()).unwrap();
        SnapshotServiceClient::new(channel)
    });
    let admission = admission::Settings::default();
    let listen = Listen {
        telemetry,
        ..listen(Security::default(), Duration::from_secs(1), admission)
    };
    start(name, listen, Toy { peer }).await
}

fn listen(security: Security, drain: Duration, admission: admission::Settings) -> Listen {
    Listen {
        addr: "127.0.0.1:0".parse().unwrap(),
        admin: Some("127.0.0.1:0".parse().unwrap()),
        security,
        drain,
        admission,
        telemetry: trace::Settings::default(),
    }
}

async fn start(name: &'static str, listen: Listen, toy: Toy) -> Role {
    let shutdown = CancellationToken::new();
    let shell = Shell::bind(name, listen, shutdown.clone()).await.unwrap();
    let routes = Routes::new(SnapshotServiceServer::new(toy.clone()))
        .add_service(FeatureServiceServer::new(toy));
    let names = [
        snapshot_service_server::SERVICE_NAME,
        feature_service_server::SERVICE_NAME,
    ];
    let running = shell.start(routes, &names, |_| Scope::Read).await.unwrap();
    Role { running, shutdown }
}

pub(crate) async fn open_role() -> Role {
    role(Security::default(), Duration::from_secs(5)).await
}

pub(crate) fn told(word: &'static str) -> Request<pb::GetStatusRequest> {
    telling(word, pb::GetStatusRequest {})
}

pub(crate) fn telling<T>(word: &'static str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("toy", word.parse().unwrap());
    request
}

impl Role {
    pub(crate) async fn channel(&self) -> Channel {
        let url = format!("http://{}", self.running.addr);
        Channel::from_shared(url).unwrap().connect().await.unwrap()
    }

    pub(crate) async fn client(&self) -> SnapshotServiceClient<Channel> {
        SnapshotServiceClient::new(self.channel().await)
    }

    pub(crate) async fn features(&self) -> FeatureServiceClient<Channel> {
        FeatureServiceClient::new(self.channel().await)
    }

    pub(crate) async fn admin(&self, path: &str) -> String {
        let mut socket = tokio::net::TcpStream::connect(self.running.admin.unwrap())
            .await
            .unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: admin\r\nconnection: close\r\n\r\n");
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).await.unwrap();
        answer
    }
}
