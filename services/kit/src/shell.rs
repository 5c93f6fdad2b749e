//! A role's life: bind, serve, be ready, drain.

mod drain;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_stream::wrappers::TcpListenerStream;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use tonic::transport::Server;

use crate::admin;
use crate::admission::{self, AdmissionLayer, Gate, Pressure, Standing};
use crate::auth::{AuthLayer, ScopeOf};
use crate::health::{self, Health};
use crate::listen::{self, BindError};
use crate::metrics::push::Pusher;
use crate::metrics::{Registry, RequestMetrics};
use crate::panics::CatchPanicLayer;
use crate::security::{Security, SecurityError};
use crate::trace::context::TraceId;
use crate::trace::server::TraceLayer;
use crate::trace::{self, Tracer};
use crate::undecodable::UndecodableLayer;
use drain::Drain;

const KEEP_ALIVE_EVERY: Duration = Duration::from_secs(30);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(10);
/// Streams that one connection may have open at a time.
const STREAMS_PER_CONNECTION: u32 = 1_024;

/// Where a role listens, and how it stops.
#[derive(Clone, Debug)]
pub struct Listen {
    /// The gRPC address; port 0 picks a free port.
    pub addr: SocketAddr,
    /// The HTTP admin address; none = no admin port.
    pub admin: Option<SocketAddr>,
    /// TLS and tokens.
    pub security: Security,
    /// How long requests in flight may take to finish after a shutdown began.
    pub drain: Duration,
    /// How many calls get in.
    pub admission: admission::Settings,
    /// What is recorded of requests, and where it is sent.
    pub telemetry: trace::Settings,
}

/// Why a role did not start or did not end well.
#[derive(Debug, thiserror::Error)]
pub enum ShellError {
    /// It does not listen.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// Its TLS settings do not work.
    #[error("cannot use the TLS settings: {0}")]
    Tls(tonic::transport::Error),
    /// The compiled descriptors are broken.
    #[error("cannot serve reflection: {0}")]
    Reflection(#[from] tonic_reflection::server::Error),
    /// The gRPC server failed.
    #[error("the gRPC server failed: {0}")]
    Serve(tonic::transport::Error),
    /// A task of the role panicked or was aborted.
    #[error("a background task failed: {0}")]
    Task(#[from] tokio::task::JoinError),
}

impl From<SecurityError> for ShellError {
    fn from(error: SecurityError) -> Self {
        Self::Bind(error.into())
    }
}

/// A role that has its ports and does not serve yet. Register metrics now.
#[derive(Debug)]
pub struct Shell {
    role: &'static str,
    listen: Listen,
    grpc: TcpListener,
    admin: Option<TcpListener>,
    addr: SocketAddr,
    registry: Registry,
    pressure: Pressure,
    tracer: Arc<Tracer>,
    shutdown: CancellationToken,
}

impl Shell {
    /// Takes the ports, before anything slow: a taken port is known at once.
    ///
    /// # Errors
    /// When a port cannot be had.
    pub async fn bind(
        role: &'static str,
        mut listen: Listen,
        shutdown: CancellationToken,
    ) -> Result<Self, ShellError> {
        let grpc = listen::bind(listen.addr, &listen.security).await?;
        let addr = grpc.local_addr().map_err(|source| BindError::Refused {
            addr: listen.addr,
            source,
        })?;
        let admin = match listen.admin {
            Some(addr) => Some(listen::bind(addr, &listen.security).await?),
            None => None,
        };
        let mut registry = Registry::new(role);
        // One name for traces and metrics.
        let random = || TraceId::random().to_string();
        listen.telemetry.instance.get_or_insert_with(random);
        let tracer = Tracer::start(role, &listen.telemetry, addr);
        tracer.register(&mut registry);
        Ok(Self {
            role,
            listen,
            grpc,
            admin,
            addr,
            registry,
            pressure: Pressure::default(),
            tracer,
            shutdown,
        })
    }

    /// The address that gRPC listens on, with the real port.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.addr
    }

    /// Where the role registers its own metrics.
    pub fn registry(&mut self) -> &mut Registry {
        &mut self.registry
    }

    /// Where the role says that a role behind it refused a call because of its load.
    #[must_use]
    pub fn pressure(&self) -> &Pressure {
        &self.pressure
    }

    /// What records the role's requests.
    #[must_use]
    pub fn tracer(&self) -> &Arc<Tracer> {
        &self.tracer
    }

    /// The token that ends the role.
    #[must_use]
    pub fn shutdown(&self) -> &CancellationToken {
        &self.shutdown
    }

    /// Starts answering. `services` are the full names of what `routes` holds. Health says
    /// NOT_SERVING until [`Running::ready`].
    ///
    /// # Errors
    /// When the TLS settings do not work.
    pub async fn start(
        mut self,
        routes: Routes,
        services: &[&'static str],
        scope_of: ScopeOf,
    ) -> Result<Running, ShellError> {
        let health = Health::new(services).await;
        let requests = RequestMetrics::register(&mut self.registry, services, &health);
        let routes = health::add_to(routes, &health)?.prepare();
        let gate = self.gate(services);
        let pusher = Pusher::register(&mut self.registry, &self.listen.telemetry);
        let mut server = Server::builder();
        if let Some(tls) = self.listen.security.tls()? {
            server = server.tls_config(tls).map_err(ShellError::Tls)?;
        }
        let router = server
            .http2_keepalive_interval(Some(KEEP_ALIVE_EVERY))
            .http2_keepalive_timeout(Some(KEEP_ALIVE_TIMEOUT))
            .max_concurrent_streams(STREAMS_PER_CONNECTION)
            .layer(TraceLayer::new(self.tracer.clone()))
            .layer(requests.clone())
            .layer(AuthLayer::new(&self.listen.security.tokens, scope_of))
            .layer(AdmissionLayer::new(gate.clone()))
            .layer(UndecodableLayer)
            .layer(CatchPanicLayer)
            .add_routes(routes);
        let (stop, stopped) = (CancellationToken::new(), CancellationToken::new());
        let signal = stop.clone().cancelled_owned();
        let serving = tokio::spawn(router.serve_with_incoming_shutdown(nodelay(self.grpc), signal));
        let measured = requests.clone();
        let drain = Drain {
            role: self.role,
            health: health.clone(),
            stop,
            stopped: stopped.clone(),
            requests,
            tracer: self.tracer,
            limit: self.listen.drain,
        };
        let task = tokio::spawn(drain.run(serving, self.shutdown.clone()));
        let watch = tokio::spawn(watch(self.role, gate, health.clone(), stopped.clone()));
        let registry = Arc::new(self.registry);
        let push = tokio::spawn(pusher.run(registry.clone(), stopped.clone()));
        let mut running = Running {
            role: self.role,
            addr: self.addr,
            admin: None,
            health,
            registry,
            requests: measured,
            shutdown: self.shutdown,
            task,
            background: vec![watch, push],
        };
        if let Some(listener) = self.admin {
            running.serve_admin(listener, stopped);
        }
        tracing::info!(role = self.role, addr = %self.addr, "listening");
        Ok(running)
    }

    fn gate(&mut self, services: &[&'static str]) -> Arc<Gate> {
        let pressure = self.pressure.clone();
        let gate = Gate::new(&self.listen.admission, services, pressure, Instant::now());
        gate.register(&mut self.registry);
        gate
    }
}

/// Looks at the gate once a second, and lets health follow it.
async fn watch(role: &'static str, gate: Arc<Gate>, health: Health, stopped: CancellationToken) {
    let refused = |gate: &Gate| gate.refused().iter().map(|(_, count)| count).sum::<u64>();
    let mut standing = Standing::default();
    let mut before = (gate.admitted(), refused(&gate));
    let mut ticks = tokio::time::interval(Duration::from_secs(1));
    while stopped.run_until_cancelled(ticks.tick()).await.is_some() {
        let now = (gate.admitted(), refused(&gate));
        let was = standing.is_overloaded();
        standing.second(now.0 - before.0, now.1 - before.1);
        before = now;
        if standing.is_overloaded() != was {
            let (overloaded, limit) = (!was, gate.limit());
            tracing::warn!(
                role,
                overloaded,
                limit,
                "calls are refused, or are no longer"
            );
        }
        health
            .follow(standing.is_overloaded(), standing.is_resting())
            .await;
    }
}

/// Connections without Nagle's delay: answers are small and somebody waits for each.
fn nodelay(
    listener: TcpListener,
) -> impl tokio_stream::Stream<Item = std::io::Result<tokio::net::TcpStream>> {
    use tokio_stream::StreamExt as _;
    TcpListenerStream::new(listener).map(|accepted| {
        accepted.inspect(|stream| {
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!(%error, "could not set TCP_NODELAY");
            }
        })
    })
}

/// A role that serves.
#[derive(Debug)]
pub struct Running {
    /// `features`, `candidates` or `recovery`.
    pub role: &'static str,
    /// The gRPC address, with the real port.
    pub addr: SocketAddr,
    /// The admin address, with the real port.
    pub admin: Option<SocketAddr>,
    health: Health,
    registry: Arc<Registry>,
    requests: RequestMetrics,
    shutdown: CancellationToken,
    task: JoinHandle<Result<(), ShellError>>,
    background: Vec<JoinHandle<()>>,
}

impl Running {
    /// From now on SERVING.
    pub async fn ready(&self) {
        self.health.ready().await;
        tracing::info!(role = self.role, addr = %self.addr, "ready");
    }

    /// The role's health.
    #[must_use]
    pub fn health(&self) -> &Health {
        &self.health
    }

    /// The role's metrics.
    #[must_use]
    pub fn registry(&self) -> &Arc<Registry> {
        &self.registry
    }

    /// What was asked of the role, and what came of it.
    #[must_use]
    pub fn requests(&self) -> &RequestMetrics {
        &self.requests
    }

    /// What an admin port shared by several roles shows of this one.
    #[must_use]
    pub fn shown(&self) -> admin::Shown {
        admin::Shown {
            role: self.role,
            health: self.health.clone(),
            registry: self.registry.clone(),
        }
    }

    /// A task that belongs to the role: it must end when the role's shutdown token is cancelled,
    /// and [`Running::wait`] waits for it.
    pub fn attach(&mut self, task: JoinHandle<()>) {
        self.background.push(task);
    }

    /// Begins to drain, as SIGTERM does.
    pub fn stop(&self) {
        self.shutdown.cancel();
    }

    /// Waits until the role has stopped: its server drained, its tasks ended.
    ///
    /// # Errors
    /// When the server failed or a task panicked.
    pub async fn wait(self) -> Result<(), ShellError> {
        let outcome = self.task.await?;
        self.shutdown.cancel();
        for task in self.background {
            task.await?;
        }
        outcome
    }

    fn serve_admin(&mut self, listener: TcpListener, stopped: CancellationToken) {
        self.admin = listener.local_addr().ok();
        let serving = admin::serve(listener, vec![self.shown()], stopped);
        self.background.push(tokio::spawn(async move {
            if let Err(error) = serving.await {
                tracing::error!(%error, "the admin port failed");
            }
        }));
    }
}
