//! Settings of the candidates role. `deploy/config/candidates.toml` explains each.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use kit::client::PeerSettings;
use kit::config::{Period, Report, Settings, socket};
use kit::security::Security;
use kit::shell::Listen;
use kit::{ClockSettings, admission, telemetry, trace};
use serde::{Deserialize, Serialize};

/// Settings of the candidates role.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// gRPC address.
    #[serde(with = "socket")]
    pub addr: SocketAddr,
    /// Address of `/live`, `/ready` and `/metrics`; `none` for no admin port.
    #[serde(with = "socket::optional")]
    pub admin: Option<SocketAddr>,
    /// Folder of the snapshot to answer from. Required to serve, unless a registry is followed.
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
    /// URL of the features role: recent items of a shopper, stock and prices, and who is erased. Empty =
    /// none: then requests name the recent items, every item of the snapshot counts as sellable, and
    /// nobody as erased.
    pub features: String,
    /// Time for a request whose caller gives no deadline.
    pub default_deadline_ms: u64,
    /// How long requests in flight may take to finish after SIGTERM.
    pub drain: Period,
    /// How many calls get in.
    pub admission: admission::Settings,
    /// Real or simulated time.
    pub clock: ClockSettings,
    /// Logs.
    pub log: telemetry::Settings,
    /// Traces, and where they are sent.
    pub telemetry: trace::Settings,
    /// TLS and tokens.
    pub security: Security,
    /// How this role shows itself to `features`.
    pub peer: PeerSettings,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            addr: SocketAddr::from((Ipv4Addr::LOCALHOST, 7102)),
            admin: Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 7112))),
            snapshot: None,
            registry: None,
            cache: PathBuf::from("cache"),
            swap: generations::Settings::default(),
            features: "http://127.0.0.1:7101".to_owned(),
            default_deadline_ms: 250,
            drain: Period::seconds(10),
            admission: admission::Settings::default(),
            clock: ClockSettings::Real,
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
        report.within("swap", |swap| self.swap.check(swap));
        report.within("log", |log| self.log.check(log));
        report.within("telemetry", |traces| self.telemetry.check(traces));
        if !(1..=60_000).contains(&self.default_deadline_ms) {
            report.add(
                "default_deadline_ms",
                self.default_deadline_ms,
                "1 to 60000",
            );
        }
        let url = &self.features;
        if !(url.is_empty() || url.starts_with("http://") || url.starts_with("https://")) {
            report.add(
                "features",
                url,
                "http://host:port, https://host:port, or empty for none",
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

    /// Where the role listens and how it stops.
    #[must_use]
    pub fn listen(&self) -> Listen {
        Listen {
            addr: self.addr,
            admin: self.admin,
            security: self.security.clone(),
            drain: self.drain.0,
            admission: self.admission.clone(),
            telemetry: self.telemetry.clone(),
        }
    }

    /// Time for a request whose caller gives no deadline.
    #[must_use]
    pub fn default_deadline(&self) -> Duration {
        Duration::from_millis(self.default_deadline_ms)
    }
}
