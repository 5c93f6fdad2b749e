//! gRPC health v1, which says NOT_SERVING until the role is ready, and reflection v1 and v1alpha.

use std::sync::Arc;

use tokio::sync::watch;
use tonic::service::Routes;
use tonic_health::ServingStatus;
use tonic_health::server::{HealthReporter, HealthService};

const REFLECTED_ALWAYS: [&str; 3] = [
    "grpc.health.v1.Health",
    "grpc.reflection.v1.ServerReflection",
    "grpc.reflection.v1alpha.ServerReflection",
];

/// Whether a role takes requests: NOT_SERVING while it loads, SERVING once ready, NOT_SERVING
/// again while it drains. Cloning shares the state.
#[derive(Clone, Debug)]
pub struct Health {
    reporter: HealthReporter,
    /// The whole server (`""`) and each service.
    names: Arc<[&'static str]>,
    ready: Arc<watch::Sender<bool>>,
}

impl Health {
    /// NOT_SERVING for the whole server and for each of `services`.
    pub async fn new(services: &[&'static str]) -> Self {
        let health = Self {
            reporter: HealthReporter::new(),
            names: std::iter::once("")
                .chain(services.iter().copied())
                .collect(),
            ready: Arc::new(watch::Sender::new(false)),
        };
        health.not_ready().await;
        health
    }

    /// From now on SERVING.
    pub async fn ready(&self) {
        self.set(ServingStatus::Serving).await;
        self.ready.send_replace(true);
    }

    /// From now on NOT_SERVING.
    pub async fn not_ready(&self) {
        self.ready.send_replace(false);
        self.set(ServingStatus::NotServing).await;
    }

    /// True while SERVING.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        *self.ready.borrow()
    }

    /// Ends every open `Watch`, which would otherwise hold its connection open for ever.
    pub(crate) async fn end_watches(&self) {
        let mut reporter = self.reporter.clone();
        for name in self.names.iter() {
            reporter.clear_service_status(name).await;
        }
    }

    async fn set(&self, status: ServingStatus) {
        for name in self.names.iter() {
            self.reporter.set_service_status(name, status).await;
        }
    }

    fn service(&self) -> HealthService {
        HealthService::from_health_reporter(self.reporter.clone())
    }
}

/// Adds health and both reflection versions to a role's services.
///
/// # Errors
/// When the compiled descriptors cannot be read.
pub(crate) fn add_to(
    routes: Routes,
    health: &Health,
) -> Result<Routes, tonic_reflection::server::Error> {
    Ok(routes
        .add_service(tonic_health::pb::health_server::HealthServer::new(
            health.service(),
        ))
        .add_service(reflection(&health.names).build_v1()?)
        .add_service(reflection(&health.names).build_v1alpha()?))
}

fn reflection<'a>(names: &[&'static str]) -> tonic_reflection::server::Builder<'a> {
    let builder = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(proto::DESCRIPTORS)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET);
    names
        .iter()
        .filter(|name| !name.is_empty())
        .copied()
        .chain(REFLECTED_ALWAYS)
        .fold(
            builder,
            tonic_reflection::server::Builder::with_service_name,
        )
}
