//! The roles as processes of their own, started by the demo and gone with it.

use std::path::Path;

use feature_store::Millis;
use kit::Clock;

use super::run::Urls;
use super::{Args, fresh_prefix};
use crate::children::Role;
use crate::output;

/// Three children.
#[derive(Debug)]
pub(super) struct Processes {
    features: Role,
    candidates: Role,
    recovery: Role,
}

/// What all three are told.
struct Common {
    flags: Vec<String>,
    redis: Vec<String>,
}

impl Common {
    fn new(args: &Args, now: Millis) -> Self {
        let flags = [
            ("--clock-start", output::rfc3339(now.0)),
            ("--clock-since-ms", Clock::real().now_ms().to_string()),
            ("--clock-speed", "1".to_owned()),
            ("--addr", "127.0.0.1:0".to_owned()),
            ("--admin", "none".to_owned()),
            ("--log", "warn".to_owned()),
        ];
        let redis = args.redis.iter().flat_map(|url| {
            [
                "--redis".to_owned(),
                url.clone(),
                "--key-prefix".to_owned(),
                fresh_prefix(),
            ]
        });
        Self {
            flags: flags
                .into_iter()
                .flat_map(|(name, value)| [name.to_owned(), value])
                .collect(),
            redis: redis.collect(),
        }
    }
}

impl Processes {
    pub(super) fn start(
        args: &Args,
        now: Millis,
        snapshot: &Path,
        store: &Path,
    ) -> anyhow::Result<Self> {
        let common = Common::new(args, now);
        let snapshot = ["--snapshot".to_owned(), snapshot.display().to_string()];
        let store = if common.redis.is_empty() {
            vec!["--data".to_owned(), store.display().to_string()]
        } else {
            common.redis.clone()
        };
        let features = Role::start("features", &[&common.flags, &store])?;
        let to_features = ["--features".to_owned(), features.url.clone()];
        let candidates = Role::start("candidates", &[&common.flags, &snapshot, &to_features])?;
        let to_candidates = ["--candidates".to_owned(), candidates.url.clone()];
        let recovery = Role::start(
            "recovery",
            &[
                &common.flags,
                &snapshot,
                &to_features,
                &to_candidates,
                &common.redis,
            ],
        )?;
        Ok(Self {
            features,
            candidates,
            recovery,
        })
    }

    pub(super) fn urls(&self) -> Urls {
        Urls {
            features: self.features.url.clone(),
            candidates: self.candidates.url.clone(),
            recovery: self.recovery.url.clone(),
        }
    }

    /// Ends them the way an operator would, callers first.
    pub(super) fn stop(self) -> anyhow::Result<()> {
        self.recovery.stop()?;
        self.candidates.stop()?;
        self.features.stop()
    }
}
