//! A small snapshot, a server over it, and requests that tests start from.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use candidates::{Config, Running};
use kit::{CancellationToken, Clock};
use proto::v1 as pb;
use proto::v1::candidate_service_client::CandidateServiceClient;
use retrieval::files::{Embeddings, write_covisitation, write_embeddings, write_popularity};
use snapshot::{Builder, Catalogue, CatalogueItem, Manifest, files};
use tempfile::TempDir;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

/// 2019-10-01 00:00 UTC.
pub(crate) const NOW_MS: i64 = 1_569_888_000_000;
/// Items of the snapshot: `i00` to `i19`.
pub(crate) const ITEMS: u32 = 20;

pub(crate) struct Server {
    pub(crate) running: Running,
    pub(crate) channel: Channel,
    pub(crate) shutdown: CancellationToken,
    pub(crate) _snapshot: TempDir,
}

/// A server that knows no features role.
pub(crate) async fn server() -> Server {
    server_with("").await
}

/// A server whose features role is at `features`.
pub(crate) async fn server_with(features: &str) -> Server {
    server_over(features, write_snapshot).await
}

/// A server over a snapshot of the caller's.
pub(crate) async fn server_over(features: &str, write: impl FnOnce(&Path) -> PathBuf) -> Server {
    let folder = tempfile::tempdir().unwrap();
    let config = Config {
        features: features.to_owned(),
        snapshot: Some(write(folder.path())),
        ..on_free_ports()
    };
    let shutdown = CancellationToken::new();
    let running = candidates::run(config, Clock::frozen(NOW_MS), shutdown.clone())
        .await
        .unwrap();
    let channel = connect(running.addr).await;
    Server {
        running,
        channel,
        shutdown,
        _snapshot: folder,
    }
}

pub(crate) fn on_free_ports() -> Config {
    Config {
        addr: "127.0.0.1:0".parse().unwrap(),
        admin: Some("127.0.0.1:0".parse().unwrap()),
        features: String::new(),
        ..Config::default()
    }
}

pub(crate) async fn connect(addr: SocketAddr) -> Channel {
    Endpoint::from_shared(format!("http://{addr}"))
        .unwrap()
        .connect()
        .await
        .unwrap()
}

pub(crate) fn item_id(ordinal: u32) -> String {
    format!("i{ordinal:02}")
}

/// Items on a ring: each shares sessions with the next two, and lies near them in the space. The
/// first half are phones at 100 to 1000, the second half shoes at 1100 to 2000.
pub(crate) fn write_snapshot(folder: &Path) -> PathBuf {
    write_named(folder, "snapshot", "Item")
}

/// The same, with items that are called otherwise: another generation.
pub(crate) fn write_named(folder: &Path, name: &str, called: &str) -> PathBuf {
    write_with(folder, name, called, |_| Manifest::default())
}

/// The same, with files and a manifest of the caller's beside.
pub(crate) fn write_with(
    folder: &Path,
    name: &str,
    called: &str,
    more: impl FnOnce(&mut Builder) -> Manifest,
) -> PathBuf {
    let dir = folder.join(name);
    let mut builder = Builder::new(&dir).unwrap();
    let items = (0..ITEMS).map(|ordinal| CatalogueItem {
        item_id: item_id(ordinal),
        name: format!("{called} {ordinal}"),
        category_path: vec![if ordinal < 10 { "phones" } else { "shoes" }.to_owned()],
        brand: "acme".to_owned(),
        price_minor: i64::from(ordinal + 1) * 100,
        currency: "USD".to_owned(),
        ..CatalogueItem::default()
    });
    let catalogue = Catalogue::new(items.collect()).unwrap();
    builder
        .write(files::ITEMS, &catalogue.to_jsonl().unwrap())
        .unwrap();
    let near = |ordinal: u32| vec![((ordinal + 1) % ITEMS, 2.0), ((ordinal + 2) % ITEMS, 1.0)];
    write_covisitation(&mut builder, &(0..ITEMS).map(near).collect::<Vec<_>>()).unwrap();
    write_popularity(
        &mut builder,
        &(0..20_u16).map(f32::from).collect::<Vec<_>>(),
    )
    .unwrap();
    let angle = |ordinal: u16| f32::from(ordinal) * std::f32::consts::TAU / 20.0;
    let embeddings = Embeddings {
        vectors: (0..20)
            .flat_map(|ordinal| [angle(ordinal).cos(), angle(ordinal).sin()])
            .collect(),
        dimension: 2,
        alpha: 10.0,
        regularisation: 0.1,
    };
    let space = write_embeddings(&mut builder, &embeddings).unwrap();
    let manifest = more(&mut builder);
    builder
        .finish(Manifest {
            spaces: vec![space],
            ..manifest
        })
        .unwrap();
    dir
}

impl Server {
    pub(crate) fn client(&self) -> CandidateServiceClient<Channel> {
        CandidateServiceClient::new(self.channel.clone()).max_encoding_message_size(usize::MAX)
    }

    pub(crate) async fn retrieve(
        &self,
        request: pb::RetrieveRequest,
    ) -> Result<pb::RetrieveResponse, Status> {
        Ok(self.client().retrieve(request).await?.into_inner())
    }

    /// Ids of the candidates for someone who looked at `i03`.
    pub(crate) async fn candidates(&self) -> Vec<String> {
        ids(&self.retrieve(looked_at(&["i03"])).await.unwrap())
    }

    /// Waits until retrieving answers what `holds` wants.
    pub(crate) async fn eventually(&self, holds: impl Fn(&[String]) -> bool) {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
        loop {
            let found = self.candidates().await;
            if holds(&found) {
                return;
            }
            assert!(tokio::time::Instant::now() < deadline, "still {found:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

pub(crate) fn looked_at(items: &[&str]) -> pb::RetrieveRequest {
    let recent = items.iter().map(|&id| pb::RecentInteraction {
        item_id: id.to_owned(),
        ..pb::RecentInteraction::default()
    });
    pb::RetrieveRequest {
        recent_items: recent.collect(),
        ..pb::RetrieveRequest::default()
    }
}

pub(crate) fn ids(response: &pb::RetrieveResponse) -> Vec<String> {
    response
        .candidates
        .iter()
        .map(|candidate| candidate.item_id.clone())
        .collect()
}

/// Asserts a refusal that names exactly this field.
#[track_caller]
pub(crate) fn assert_refused(status: &Status, field: &str) {
    assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
    let details = status
        .get_details_bad_request()
        .expect("the refusal has details");
    let fields: Vec<_> = details
        .field_violations
        .iter()
        .map(|v| v.field.as_str())
        .collect();
    assert_eq!(fields, [field], "{status:?}");
}
