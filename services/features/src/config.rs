//! Settings of the features role. `deploy/config/features.toml` explains each.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use kit::config::{Period, Report, Secret, Settings, socket};
use kit::security::Security;
use kit::shell::Listen;
use kit::{ClockSettings, admission, telemetry, trace};
use serde::{Deserialize, Serialize};

/// How much of a machine's failure an acknowledged event survives in the embedded store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Durability {
    /// The death of the process: writes are with the operating system.
    #[default]
    Process,
    /// A power cut: writes are on the disk.
    Power,
}

/// Longest limit of [`Retention`].
const LONGEST: Duration = Duration::from_secs(3_650 * 24 * 3_600);

/// For how long each kind of data is kept; 0 for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Retention {
    /// Entries of the event logs.
    pub events: Period,
    /// Decisions, in their logs and by their ids.
    pub decisions: Period,
    /// Reports of what became of decisions.
    pub outcomes: Period,
    /// Actions that every group has acknowledged, and dead letters.
    pub outbox: Period,
    /// Actions that some group has not acknowledged: as long as `outbox` or longer.
    pub unread: Period,
    /// What is known of shoppers, since they were last seen.
    pub shoppers: Period,
    /// What coupon codes and cart links stand for, since they expired.
    pub codes: Period,
    /// That a report was taken.
    pub reports: Period,
    /// How often it is looked for what is older.
    pub every: Period,
}

impl Default for Retention {
    fn default() -> Self {
        let for_good = Period::seconds(0);
        Self {
            events: for_good,
            decisions: for_good,
            outcomes: for_good,
            outbox: for_good,
            unread: for_good,
            shoppers: for_good,
            codes: for_good,
            reports: for_good,
            every: Period::seconds(3_600),
        }
    }
}

impl Retention {
    fn check(&self, report: &mut Report) {
        let day = Duration::from_secs(24 * 3_600);
        let kinds = [
            ("events", self.events),
            ("decisions", self.decisions),
            ("outcomes", self.outcomes),
            ("outbox", self.outbox),
            ("codes", self.codes),
            ("reports", self.reports),
        ];
        for (key, kept) in kinds {
            if !kept.0.is_zero() && !(day..=LONGEST).contains(&kept.0) {
                report.add(key, kept, "0s, which keeps it for good, or 1d to 3650d");
            }
        }
        if !self.shoppers.0.is_zero() && !(30 * day..=LONGEST).contains(&self.shoppers.0) {
            let allowed = "0s, which keeps them for good, or 30d to 3650d";
            report.add("shoppers", self.shoppers, allowed);
        }
        let ends_unread = !self.unread.0.is_zero();
        let outbox = self.outbox;
        if ends_unread && outbox.0.is_zero() {
            let allowed = "0s, which waits for every group, while outbox is 0s";
            report.add("unread", self.unread, allowed);
        } else if ends_unread && !(outbox.0..=LONGEST).contains(&self.unread.0) {
            let allowed = format!("0s, which waits for every group, or outbox ({outbox}) to 3650d");
            report.add("unread", self.unread, &allowed);
        }
        if !(Duration::from_secs(60)..=day).contains(&self.every.0) {
            report.add("every", self.every, "1m to 1d");
        }
    }

    /// As the library takes it.
    pub(crate) fn spans(&self) -> feature_store::Retention {
        let span = |kept: Period| (!kept.0.is_zero()).then_some(kept.0);
        feature_store::Retention {
            events: span(self.events),
            decisions: span(self.decisions),
            outcomes: span(self.outcomes),
            outbox: span(self.outbox),
            unread: span(self.unread),
            shoppers: span(self.shoppers),
            codes: span(self.codes),
            reports: span(self.reports),
        }
    }
}

/// Settings of the features role.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// gRPC address.
    #[serde(with = "socket")]
    pub addr: SocketAddr,
    /// Address of `/live`, `/ready` and `/metrics`; `none` for no admin port.
    #[serde(with = "socket::optional")]
    pub admin: Option<SocketAddr>,
    /// Redis URL. Without one the embedded store in `data` is used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redis: Option<Secret>,
    /// Separates shops that share one Redis.
    pub key_prefix: String,
    /// Folder of the embedded store. One process at a time.
    pub data: PathBuf,
    /// What the embedded store's acknowledgement survives.
    pub durability: Durability,
    /// URL of the registry to follow: a folder, `file://`, `s3://bucket/prefix`, `gs://`, `az://`.
    /// This role fetches no files of it: it checks that snapshots fit the features it computes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub registry: Option<String>,
    /// Where snapshots of the registry are kept on this machine; roles may share it.
    pub cache: PathBuf,
    /// How the registry is followed, and when the other roles take one back.
    pub swap: generations::Settings,
    /// So long after a shopper's last act somebody looks first whether they have left.
    pub idle: Period,
    /// For how long what is logged is kept.
    pub retention: Retention,
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
}

impl Default for Config {
    fn default() -> Self {
        Self {
            addr: SocketAddr::from((Ipv4Addr::LOCALHOST, 7101)),
            admin: Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 7111))),
            redis: None,
            key_prefix: String::new(),
            data: PathBuf::from("data"),
            durability: Durability::Process,
            registry: None,
            cache: PathBuf::from("cache"),
            swap: generations::Settings::default(),
            idle: Period::seconds(10 * 60),
            retention: Retention::default(),
            drain: Period::seconds(10),
            admission: admission::Settings::default(),
            clock: ClockSettings::Real,
            log: telemetry::Settings::default(),
            telemetry: trace::Settings::default(),
            security: Security::default(),
        }
    }
}

impl Settings for Config {
    fn check(&self, report: &mut Report) {
        self.admission.check(report);
        report.within("swap", |swap| self.swap.check(swap));
        report.within("retention", |retention| self.retention.check(retention));
        report.within("log", |log| self.log.check(log));
        report.within("telemetry", |traces| self.telemetry.check(traces));
        let (shortest, longest) = (Duration::from_secs(1), Duration::from_secs(30 * 24 * 3_600));
        if !(shortest..=longest).contains(&self.idle.0) {
            report.add("idle", self.idle, "1s to 30d");
        }
        if self.key_prefix.len() > 64 || !self.key_prefix.chars().all(is_prefix_character) {
            report.add(
                "key_prefix",
                &self.key_prefix,
                "up to 64 letters, digits, `-`, `_` or `:`",
            );
        }
        if let Some(url) = &self.redis
            && !["redis://", "rediss://", "unix://"]
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

/// Braces would end the hash tag that keeps a partition's keys on one node.
fn is_prefix_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | ':')
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
}
