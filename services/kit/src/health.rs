//! gRPC health v1, which says NOT_SERVING until the role is ready, and reflection v1 and v1alpha.

use std::sync::Arc;

use tokio::sync::{Mutex, watch};
use tonic::service::Routes;
use tonic_health::ServingStatus;
use tonic_health::server::{HealthReporter, HealthService};

use crate::Live;

/// Services that every role has.
pub(crate) const ALWAYS_SERVED: [&str; 3] = [
    "grpc.health.v1.Health",
    "grpc.reflection.v1.ServerReflection",
    "grpc.reflection.v1alpha.ServerReflection",
];

/// A name that `Check` and `Watch` know besides the services: NOT_SERVING while calls have been
/// refused for seconds on end. For balancers that would rather send elsewhere, and never for
/// readiness: an overload that all replicas share would take out all of them.
pub const ADMISSION: &str = "cartwright.admission";

/// Whether a role takes requests: NOT_SERVING while it loads, SERVING once ready, NOT_SERVING
/// again while it drains, and for a moment while it refuses nearly everything. What the role needs
/// from others is no part of it. Cloning shares the state.
#[derive(Clone, Debug)]
pub struct Health {
    reporter: HealthReporter,
    /// The whole server (`""`) and each service.
    names: Arc<[&'static str]>,
    state: Arc<watch::Sender<State>>,
    /// What is amiss although the role serves; empty when nothing is.
    detail: Arc<Live<String>>,
    /// One tells at a time, so that the last word is of the last state.
    telling: Arc<Mutex<()>>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct State {
    /// Loaded, and not draining.
    ready: bool,
    overloaded: bool,
    resting: bool,
}

impl Health {
    /// NOT_SERVING for the whole server and for each of `services`.
    pub async fn new(services: &[&'static str]) -> Self {
        let health = Self {
            reporter: HealthReporter::new(),
            names: std::iter::once("")
                .chain(services.iter().copied())
                .collect(),
            state: Arc::default(),
            detail: Arc::new(Live::new(String::new())),
            telling: Arc::default(),
        };
        health.tell().await;
        health
    }

    /// From now on SERVING.
    pub async fn ready(&self) {
        self.change(|state| state.ready = true).await;
    }

    /// From now on NOT_SERVING.
    pub async fn not_ready(&self) {
        self.change(|state| state.ready = false).await;
    }

    /// What the role's load says: shown, and NOT_SERVING while it rests.
    pub(crate) async fn follow(&self, overloaded: bool, resting: bool) {
        self.change(|state| (state.overloaded, state.resting) = (overloaded, resting))
            .await;
    }

    /// Says what is amiss although the role serves, such as a snapshot that was refused; nothing is
    /// when empty. Shown beside readiness, and no part of it.
    pub fn remark(&self, detail: String) {
        self.detail.store(Arc::new(detail));
    }

    /// What is amiss although the role serves.
    #[must_use]
    pub fn detail(&self) -> Arc<String> {
        self.detail.load()
    }

    /// True while SERVING.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.state.borrow().is_serving()
    }

    /// True while calls have been refused for seconds on end.
    #[must_use]
    pub fn is_overloaded(&self) -> bool {
        self.state.borrow().overloaded
    }

    /// Ends every open `Watch`, which would otherwise hold its connection open for ever.
    pub(crate) async fn end_watches(&self) {
        let mut reporter = self.reporter.clone();
        for name in self.names.iter().chain([&ADMISSION]) {
            reporter.clear_service_status(name).await;
        }
    }

    async fn change(&self, change: impl FnOnce(&mut State)) {
        let changed = self.state.send_if_modified(|state| {
            let before = *state;
            change(state);
            *state != before
        });
        if changed {
            self.tell().await;
        }
    }

    async fn tell(&self) {
        let _telling = self.telling.lock().await;
        let state = *self.state.borrow();
        let status = status_of(state.is_serving());
        for name in self.names.iter() {
            self.reporter.set_service_status(name, status).await;
        }
        let admission = status_of(state.ready && !state.overloaded);
        self.reporter.set_service_status(ADMISSION, admission).await;
    }

    fn service(&self) -> HealthService {
        HealthService::from_health_reporter(self.reporter.clone())
    }
}

impl State {
    fn is_serving(self) -> bool {
        self.ready && !self.resting
    }
}

fn status_of(serving: bool) -> ServingStatus {
    if serving {
        ServingStatus::Serving
    } else {
        ServingStatus::NotServing
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
        .chain(ALWAYS_SERVED)
        .fold(
            builder,
            tonic_reflection::server::Builder::with_service_name,
        )
}
