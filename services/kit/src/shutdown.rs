//! SIGTERM and SIGINT as a token that everything in the process watches.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// A token that is cancelled by the first SIGTERM or SIGINT. A second signal ends the process the
/// usual way only if the caller stops waiting; draining is bounded by the drain timeout anyway.
///
/// # Errors
/// When the signal handlers cannot be installed.
pub fn on_signals() -> std::io::Result<CancellationToken> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let token = CancellationToken::new();
    let cancelled = token.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => tracing::info!("received SIGTERM, draining"),
            _ = interrupt.recv() => tracing::info!("received SIGINT, draining"),
        }
        cancelled.cancel();
    });
    Ok(token)
}
