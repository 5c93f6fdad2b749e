//! How a role ends: it says so, lets what is in flight finish, and cuts what stays open.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::ShellError;
use crate::health::Health;
use crate::metrics::RequestMetrics;
use crate::trace::Tracer;

/// How long NOT_SERVING stays visible to watchers before their streams are ended.
const WATCHERS_NOTICE: Duration = Duration::from_millis(50);
/// How long nothing must be in flight before connections that stay open are cut: by then their
/// clients have been told to go away.
const QUIET: Duration = Duration::from_millis(500);
const QUIET_CHECK: Duration = Duration::from_millis(50);

/// What is needed to serve and to stop well.
pub(super) struct Drain {
    pub(super) role: &'static str,
    pub(super) health: Health,
    /// Cancelled to end the gRPC server gracefully.
    pub(super) stop: CancellationToken,
    /// Cancelled when nothing is served any more; the admin port answers until then.
    pub(super) stopped: CancellationToken,
    pub(super) requests: RequestMetrics,
    pub(super) tracer: Arc<Tracer>,
    pub(super) limit: Duration,
}

pub(super) type Serving = JoinHandle<Result<(), tonic::transport::Error>>;

impl Drain {
    /// Serves until `shutdown`, then: NOT_SERVING, accept nothing new, let what is in flight finish.
    pub(super) async fn run(
        self,
        serving: Serving,
        shutdown: CancellationToken,
    ) -> Result<(), ShellError> {
        let stopped = self.stopped.clone().drop_guard();
        let tracer = self.tracer.clone();
        let outcome = self.serve_then_drain(serving, shutdown).await;
        tracer.stop().await;
        drop(stopped);
        outcome
    }

    async fn serve_then_drain(
        self,
        mut serving: Serving,
        shutdown: CancellationToken,
    ) -> Result<(), ShellError> {
        tokio::select! {
            ended = &mut serving => return ended?.map_err(ShellError::Serve),
            () = shutdown.cancelled() => {}
        }
        self.health.not_ready().await;
        self.stop.cancel();
        tokio::time::sleep(WATCHERS_NOTICE).await;
        self.health.end_watches().await;
        tokio::select! {
            ended = &mut serving => ended?.map_err(ShellError::Serve)?,
            () = self.quiet() => serving.abort(),
            () = tokio::time::sleep(self.limit) => {
                serving.abort();
                let (role, in_flight) = (self.role, self.requests.in_flight());
                tracing::warn!(role, in_flight, "gave up draining after the drain timeout");
            }
        }
        tracing::info!(role = self.role, "stopped");
        Ok(())
    }

    /// Returns once nothing has been in flight for a while. An idle client may keep its connection
    /// open for ever, and nothing is lost by cutting it.
    async fn quiet(&self) {
        let mut since = Instant::now();
        while since.elapsed() < QUIET {
            tokio::time::sleep(QUIET_CHECK).await;
            if self.requests.in_flight() > 0 {
                since = Instant::now();
            }
        }
    }
}
