//! The HTTP side door: `/live`, `/ready` and `/metrics`.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::health::Health;

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

/// Serves until `shutdown`, then stops at once: probes and scrapes are short.
///
/// # Errors
/// When the listener fails.
pub async fn serve(
    listener: TcpListener,
    shown: Vec<Shown>,
    shutdown: CancellationToken,
) -> std::io::Result<()> {
    let app = Router::new()
        .route("/live", get(|| async { "live\n" }))
        .route("/ready", get(readiness))
        .route("/metrics", get(metrics))
        .with_state(Arc::new(shown));
    tokio::select! {
        outcome = axum::serve(listener, app).into_future() => outcome,
        () = shutdown.cancelled() => Ok(()),
    }
}

/// 200 once every role is ready, else 503; the body says which is not.
async fn readiness(State(shown): State<Arc<Vec<Shown>>>) -> impl IntoResponse {
    let all = shown.iter().all(|role| role.health.is_ready());
    let lines: String = shown
        .iter()
        .map(|role| {
            let state = match (role.health.is_ready(), role.health.is_overloaded()) {
                (true, false) => "ready",
                (true, true) => "ready, overloaded",
                (false, false) => "not ready",
                (false, true) => "not ready, overloaded",
            };
            format!("{}: {state}\n", role.role)
        })
        .collect();
    let code = if all {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (code, lines)
}

async fn metrics(State(shown): State<Arc<Vec<Shown>>>) -> impl IntoResponse {
    let mut text = String::new();
    let written = shown
        .iter()
        .try_for_each(|role| encode_registry(&mut text, &role.registry))
        .and_then(|()| encode_eof(&mut text));
    let code = match written {
        Ok(()) => StatusCode::OK,
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR,
    };
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    (code, [(header::CONTENT_TYPE, kind)], text)
}
