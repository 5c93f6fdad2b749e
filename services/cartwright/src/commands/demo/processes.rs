//! The roles as processes of their own, started by the demo and gone with it.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::Context as _;
use feature_store::Millis;
use kit::Clock;
use rustix::process::{Pid, Signal, kill_process};

use super::run::Urls;
use super::{Args, fresh_prefix};
use crate::failure::Failure;
use crate::output;
use crate::roles::LISTENS;

/// Three children. Dropping them ends them; if this process is killed, they end by themselves,
/// because each ends when its standard input closes.
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

#[derive(Debug)]
struct Role {
    name: &'static str,
    url: String,
    child: Child,
}

impl Role {
    /// Starts a role and waits until it says where it listens.
    fn start(name: &'static str, arguments: &[&[String]]) -> anyhow::Result<Self> {
        let program = std::env::current_exe().context("find this program")?;
        let mut child = Command::new(program)
            .args(["serve", name, "--until-stdin-closes"])
            .args(arguments.iter().copied().flatten())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("start {name}"))?;
        let said = child.stdout.take().map(BufReader::new);
        let url = said
            .into_iter()
            .flat_map(BufReader::lines)
            .map_while(Result::ok)
            .find_map(|line| {
                let rest = line.strip_prefix(LISTENS)?;
                rest.split_whitespace().last().map(ToOwned::to_owned)
            });
        match url {
            Some(url) => Ok(Self { name, url, child }),
            None => {
                drop(child.wait());
                Err(Failure::new(format!("{name} did not start"))
                    .hint("its error is above")
                    .into())
            }
        }
    }

    fn stop(mut self) -> anyhow::Result<()> {
        self.terminate();
        let status = self
            .child
            .wait()
            .with_context(|| format!("wait for {}", self.name))?;
        if status.success() {
            return Ok(());
        }
        Err(Failure::new(format!("{} ended with {status}", self.name)).into())
    }

    fn terminate(&self) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        // One that is gone already needs no signal.
        let _ = pid.map(|pid| kill_process(pid, Signal::TERM));
    }
}

impl Drop for Role {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            self.terminate();
            drop(self.child.wait());
        }
    }
}
