//! The HTTP side door: `/live`, `/ready` and `/metrics`.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::health::Health;
use crate::metrics::{Registry, process, text};

/// One role as the admin port shows it. `serve all` shows three on one port.
#[derive(Clone, Debug)]
pub struct Shown {
    /// `features`, `candidates` or `recovery`.
    pub role: &'static str,
    /// Whether it takes requests.
    pub health: Health,
    /// Its metrics.
    pub registry: Arc<Registry>,
}

/// What one admin port shows.
#[derive(Debug)]
struct Port {
    roles: Vec<Shown>,
    process: Registry,
}

/// Serves until `shutdown`, then stops at once: probes and scrapes are short.
///
/// # Errors
/// When the listener fails.
pub async fn serve(
    listener: TcpListener,
    shown: Vec<Shown>,
    shutdown: CancellationToken,
) -> std::io::Result<()> {
    let shown = Arc::new(Port {
        roles: shown,
        process: process::registry(),
    });
    let app = Router::new()
        .route("/live", get(|| async { "live\n" }))
        .route("/ready", get(readiness))
        .route("/metrics", get(metrics))
        .with_state(shown);
    tokio::select! {
        outcome = axum::serve(listener, app).into_future() => outcome,
        () = shutdown.cancelled() => Ok(()),
    }
}

/// 200 once every role is ready, else 503; the body says which is not.
async fn readiness(State(port): State<Arc<Port>>) -> impl IntoResponse {
    let all = port.roles.iter().all(|role| role.health.is_ready());
    let lines: String = port
        .roles
        .iter()
        .map(|role| {
            let state = match (role.health.is_ready(), role.health.is_overloaded()) {
                (true, false) => "ready",
                (true, true) => "ready, overloaded",
                (false, false) => "not ready",
                (false, true) => "not ready, overloaded",
            };
            let detail = role.health.detail();
            let remark = if detail.is_empty() { "" } else { "; " };
            format!("{}: {state}{remark}{detail}\n", role.role)
        })
        .collect();
    let code = if all {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (code, lines)
}

async fn metrics(State(port): State<Arc<Port>>) -> impl IntoResponse {
    let roles = port.roles.iter().map(|role| &*role.registry);
    let registries: Vec<&Registry> = roles.chain([&port.process]).collect();
    let text = text::encode(&registries);
    ([(header::CONTENT_TYPE, text::CONTENT_TYPE)], text)
}
