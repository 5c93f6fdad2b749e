//! The three roles in one process, with real sockets between them.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use anyhow::Context as _;
use feature_store::FeatureStore;
use kit::config::{Report, Secret, Settings};
use kit::security::Security;
use kit::{CancellationToken, ClockSettings, Running, admin, listen, telemetry, trace};
use serde::{Deserialize, Serialize};
use tokio::task::JoinHandle;

use super::{LISTENS, STORE_HINT, say, started};
use crate::failure::OrFail as _;
use crate::output;

/// Settings of `serve all`: what the roles share, and each role's own under its name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct All {
    /// Address of metrics and probes of all three; `none` for nowhere.
    #[serde(with = "kit::config::socket::optional")]
    pub(crate) admin: Option<SocketAddr>,
    /// Folder of the snapshot to serve.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) snapshot: Option<PathBuf>,
    /// URL of the registry to follow; what its newest record names goes before `snapshot`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) registry: Option<String>,
    /// Where snapshots of the registry are kept on this machine.
    pub(crate) cache: PathBuf,
    /// How the registry is followed, and when a new generation is taken back.
    pub(crate) swap: generations::Settings,
    /// Redis that all share. Without one the embedded store in `data` is used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) redis: Option<Secret>,
    /// Separates shops that share one Redis.
    pub(crate) key_prefix: String,
    /// Folder of the embedded store.
    pub(crate) data: PathBuf,
    /// Real or simulated time.
    pub(crate) clock: ClockSettings,
    /// Logs of all three.
    pub(crate) log: telemetry::Settings,
    /// Traces of all three, and where they are sent.
    pub(crate) telemetry: trace::Settings,
    /// TLS and tokens of all three.
    pub(crate) security: Security,
    /// The features role's own: addr, durability, idle, drain.
    pub(crate) features: features::Config,
    /// The candidates role's own: addr, drain.
    pub(crate) candidates: candidates::Config,
    /// The recovery role's own: addr, policy, default_deadline_ms, drain.
    pub(crate) recovery: recovery::Config,
}

impl Default for All {
    fn default() -> Self {
        Self {
            admin: Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 7100))),
            snapshot: None,
            registry: None,
            cache: PathBuf::from("cache"),
            swap: generations::Settings::default(),
            redis: None,
            key_prefix: String::new(),
            data: PathBuf::from("data"),
            clock: ClockSettings::Real,
            log: telemetry::Settings::default(),
            telemetry: trace::Settings::default(),
            security: Security::default(),
            features: features::Config::default(),
            candidates: candidates::Config::default(),
            recovery: recovery::Config::default(),
        }
    }
}

impl Settings for All {
    fn check(&self, report: &mut Report) {
        report.within("swap", |swap| self.swap.check(swap));
        report.within("log", |log| self.log.check(log));
        report.within("telemetry", |traces| self.telemetry.check(traces));
        self.features.check(report);
        self.candidates.check(report);
        self.recovery.check(report);
    }
}

impl All {
    fn features(&self) -> features::Config {
        features::Config {
            admin: None,
            redis: self.redis.clone(),
            key_prefix: self.key_prefix.clone(),
            data: self.data.clone(),
            registry: self.registry.clone(),
            cache: self.cache.clone(),
            swap: self.swap.clone(),
            clock: self.clock.clone(),
            security: self.security.clone(),
            telemetry: self.telemetry.clone(),
            ..self.features.clone()
        }
    }

    /// The store that all share.
    pub(crate) async fn open_store(&self) -> anyhow::Result<FeatureStore> {
        let opened = features::open_store(&self.features()).await;
        opened.or_hint(STORE_HINT)
    }

    fn candidates(&self, features: &Running) -> candidates::Config {
        candidates::Config {
            admin: None,
            snapshot: self.snapshot.clone(),
            registry: self.registry.clone(),
            cache: self.cache.clone(),
            swap: self.swap.clone(),
            features: url(features),
            clock: self.clock.clone(),
            security: self.security.clone(),
            telemetry: self.telemetry.clone(),
            ..self.candidates.clone()
        }
    }

    fn recovery(&self, features: &Running, candidates: &Running) -> recovery::Config {
        recovery::Config {
            admin: None,
            key_prefix: self.key_prefix.clone(),
            snapshot: self.snapshot.clone(),
            registry: self.registry.clone(),
            cache: self.cache.clone(),
            swap: self.swap.clone(),
            features: url(features),
            candidates: url(candidates),
            clock: self.clock.clone(),
            security: self.security.clone(),
            telemetry: self.telemetry.clone(),
            ..self.recovery.clone()
        }
    }
}

/// The three roles, running.
#[derive(Debug)]
pub(crate) struct Together {
    features: Running,
    candidates: Running,
    recovery: Running,
    admin: Option<(SocketAddr, JoinHandle<std::io::Result<()>>)>,
    stopped: CancellationToken,
}

impl Together {
    /// Starts what is called before its callers, on one store and one clock.
    pub(crate) async fn start(settings: All, stop: CancellationToken) -> anyhow::Result<Self> {
        let store = settings.open_store().await?;
        Self::start_on(settings, store, stop).await
    }

    /// The same on a store that the caller reads as well.
    pub(crate) async fn start_on(
        settings: All,
        store: FeatureStore,
        stop: CancellationToken,
    ) -> anyhow::Result<Self> {
        let clock = settings.clock.start();
        let config = settings.features();
        let features =
            started(features::run(config, store.clone(), clock.clone(), stop.clone()).await)?;
        let config = settings.candidates(&features);
        let candidates = started(candidates::run(config, clock.clone(), stop.clone()).await)?;
        let config = settings.recovery(&features, &candidates);
        // Boxed: starting is large, and nobody's future is to carry it.
        let starting = Box::pin(recovery::run(config, Some(store), clock, stop.clone()));
        let recovery = started(starting.await)?;
        let stopped = CancellationToken::new();
        let mut together = Self {
            features,
            candidates,
            recovery,
            admin: None,
            stopped,
        };
        if let Some(addr) = settings.admin {
            together.serve_admin(addr, &settings.security).await?;
        }
        Ok(together)
    }

    async fn serve_admin(&mut self, addr: SocketAddr, security: &Security) -> anyhow::Result<()> {
        let listener = listen::bind(addr, security)
            .await
            .or_hint("--admin chooses another address; `none` switches it off")?;
        let addr = listener.local_addr().context("listen on the admin port")?;
        let shown = [&self.features, &self.candidates, &self.recovery].map(Running::shown);
        let serving = admin::serve(listener, shown.into(), self.stopped.clone());
        self.admin = Some((addr, tokio::spawn(serving)));
        Ok(())
    }

    /// Says where the roles listen.
    pub(crate) fn say(&self) {
        for running in [&self.features, &self.candidates, &self.recovery] {
            say(running);
        }
        if let Some((addr, _)) = &self.admin {
            output::result(format!("{LISTENS}admin http://{addr}"));
        }
    }

    /// The URLs of features, candidates and recovery.
    pub(crate) fn urls(&self) -> [String; 3] {
        [&self.features, &self.candidates, &self.recovery].map(url)
    }

    /// Lets requests in flight finish, callers first, and ends.
    pub(crate) async fn stop(self) -> anyhow::Result<()> {
        for running in [self.recovery, self.candidates, self.features] {
            let role = running.role;
            running.stop();
            running
                .wait()
                .await
                .with_context(|| format!("stop {role}"))?;
        }
        self.stopped.cancel();
        if let Some((_, serving)) = self.admin {
            serving
                .await
                .context("stop the admin port")?
                .context("stop the admin port")?;
        }
        Ok(())
    }
}

fn url(running: &Running) -> String {
    format!("http://{}", running.addr)
}
