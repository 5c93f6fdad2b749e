//! Settings of the recovery role. `deploy/config/recovery.toml` explains each.

mod tokens;
mod webhook;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use kit::client::PeerSettings;
use kit::config::{Period, Report, Secret, Settings};
use kit::security::Security;
use kit::shell::Listen;
use kit::{ClockSettings, admission, telemetry, trace};
use serde::{Deserialize, Serialize};

pub use tokens::Tokens;
pub use webhook::Webhook;

/// Longest time that a decision may take by default, in milliseconds.
const LONGEST_DEADLINE_MS: u64 = 60_000;

/// Settings of the recovery role.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where gRPC listens.
    #[serde(with = "kit::config::socket")]
    pub addr: SocketAddr,
    /// Where metrics and probes are served; `none` for nowhere.
    #[serde(with = "kit::config::socket::optional")]
    pub admin: Option<SocketAddr>,
    /// URL of the features role.
    pub features: String,
    /// URL of the candidates role.
    pub candidates: String,
    /// Folder of the snapshot to serve.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<PathBuf>,
    /// URL of the registry to follow: a folder, `file://`, `s3://bucket/prefix`, `gs://`, `az://`.
    /// What its newest record names goes live, and goes before `snapshot`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub registry: Option<String>,
    /// Where snapshots of the registry are kept on this machine; roles may share it.
    pub cache: PathBuf,
    /// How the registry is followed, and when a new generation is taken back.
    pub swap: generations::Settings,
    /// Policy file to decide by, in place of the snapshot's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<PathBuf>,
    /// URL of the store that COMMIT writes to, e.g. `redis://127.0.0.1:6379`; previews only
    /// without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redis: Option<Secret>,
    /// Separates shops that share a store.
    pub key_prefix: String,
    /// Whether and how this process looks for people who have left.
    pub recover: Recover,
    /// Where actions are posted to, and how.
    pub webhook: Webhook,
    /// Keys of coupon codes and of links that bring a cart back.
    pub tokens: Tokens,
    /// `real`, or a simulated one.
    pub clock: ClockSettings,
    /// Time for a decision whose caller gives no deadline, in milliseconds.
    pub default_deadline_ms: u64,
    /// How long requests in flight may take to finish after SIGTERM.
    pub drain: Period,
    /// How many calls get in.
    pub admission: admission::Settings,
    /// Logs.
    pub log: telemetry::Settings,
    /// Traces, and where they are sent.
    pub telemetry: trace::Settings,
    /// TLS and tokens of this server.
    pub security: Security,
    /// How this role shows itself to features and candidates.
    pub peer: PeerSettings,
}

/// How a process takes part in noticing who has left and deciding about them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Recover {
    /// Whether it takes part. It needs the store.
    pub on: bool,
    /// How often it looks while nobody is due.
    pub every: Period,
    /// How long people it claimed are its own, by the wall clock; those of a process that died come
    /// due again then.
    pub lease: Period,
    /// People claimed at once.
    pub batch: usize,
}

impl Default for Recover {
    fn default() -> Self {
        Self {
            on: true,
            every: Period::millis(200),
            lease: Period::seconds(30),
            batch: 256,
        }
    }
}

impl Recover {
    fn check(&self, report: &mut Report) {
        let (shortest, longest) = (Duration::from_millis(1), Duration::from_secs(60));
        if !(shortest..=longest).contains(&self.every.0) {
            report.add("every", self.every, "1ms to 1m");
        }
        let (shortest, longest) = (Duration::from_secs(1), Duration::from_secs(3_600));
        if !(shortest..=longest).contains(&self.lease.0) {
            report.add("lease", self.lease, "1s to 1h");
        }
        if !(1..=10_000).contains(&self.batch) {
            report.add("batch", self.batch, "1 to 10000");
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        let loopback = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        Self {
            addr: loopback(7103),
            admin: Some(loopback(7113)),
            features: "http://127.0.0.1:7101".to_owned(),
            candidates: "http://127.0.0.1:7102".to_owned(),
            snapshot: None,
            registry: None,
            cache: PathBuf::from("cache"),
            swap: generations::Settings::default(),
            policy: None,
            redis: None,
            key_prefix: String::new(),
            recover: Recover::default(),
            webhook: Webhook::default(),
            tokens: Tokens::default(),
            clock: ClockSettings::Real,
            default_deadline_ms: 100,
            drain: Period::seconds(30),
            admission: admission::Settings::default(),
            log: telemetry::Settings::default(),
            telemetry: trace::Settings::default(),
            security: Security::default(),
            peer: PeerSettings::default(),
        }
    }
}

impl Settings for Config {
    fn check(&self, report: &mut Report) {
        self.admission.check(report);
        report.within("recover", |recover| self.recover.check(recover));
        report.within("webhook", |webhook| self.webhook.check(webhook));
        report.within("tokens", |tokens| self.tokens.check(tokens));
        report.within("swap", |swap| self.swap.check(swap));
        report.within("log", |log| self.log.check(log));
        report.within("telemetry", |traces| self.telemetry.check(traces));
        if !(1..=LONGEST_DEADLINE_MS).contains(&self.default_deadline_ms) {
            report.add(
                "default_deadline_ms",
                self.default_deadline_ms,
                "1 to 60000",
            );
        }
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | ':');
        if self.key_prefix.len() > 64 || !self.key_prefix.chars().all(is_plain) {
            let allowed = "up to 64 letters, digits, `-`, `_` or `:`";
            report.add("key_prefix", &self.key_prefix, allowed);
        }
        for (key, url) in [
            ("features", &self.features),
            ("candidates", &self.candidates),
        ] {
            if !["http://", "https://"]
                .iter()
                .any(|scheme| url.starts_with(scheme))
            {
                report.add(key, url, "http://host:port or https://host:port");
            }
        }
        let schemes = ["redis://", "rediss://", "unix://"];
        if let Some(url) = &self.redis
            && !schemes
                .iter()
                .any(|scheme| url.expose().starts_with(scheme))
        {
            report.add(
                "redis",
                url,
                "redis://host:port, rediss://host:port or unix://path",
            );
        }
    }
}

impl Config {
    /// What the role follows. `fingerprint` is of the features that it computes, if any.
    pub(crate) fn following(&self, fingerprint: Option<&str>) -> generations::Setup {
        generations::Setup {
            registry: self.registry.clone(),
            cache: self.cache.clone(),
            settings: self.swap.clone(),
            fingerprint: fingerprint.map(str::to_owned),
        }
    }

    pub(crate) fn listen(&self) -> Listen {
        Listen {
            addr: self.addr,
            admin: self.admin,
            security: self.security.clone(),
            drain: self.drain.0,
            admission: self.admission.clone(),
            telemetry: self.telemetry.clone(),
        }
    }
}
