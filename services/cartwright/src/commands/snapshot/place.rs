//! Which registry, which snapshot, and where it is put on this machine.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use snapshot::{Error, Progress, Registry, Snapshot};
use tempfile::TempDir;

use crate::failure::{Failure, OrFail as _};
use crate::output;

/// The registry that a command works on.
#[derive(Debug, clap::Args)]
pub(super) struct Place {
    /// The registry: a folder, file://FOLDER, s3://BUCKET/PREFIX, gs://BUCKET/PREFIX or
    /// az://CONTAINER/PREFIX; credentials come from the environment
    #[arg(long, value_name = "URL", env = "CARTWRIGHT_REGISTRY")]
    registry: String,
}

impl Place {
    pub(super) fn open(&self) -> anyhow::Result<Registry> {
        open(&self.registry)
    }
}

/// A folder, or a snapshot of a registry.
#[derive(Debug, clap::Args)]
pub(super) struct Source {
    /// The registry in which ids are looked up
    #[arg(long, value_name = "URL", env = "CARTWRIGHT_REGISTRY")]
    registry: Option<String>,
    #[command(flatten)]
    cache: Cache,
}

#[derive(Debug, clap::Args)]
pub(super) struct Cache {
    /// Where published snapshots are brought to; a folder that is gone at the end when absent
    #[arg(long, value_name = "DIR", env = "CARTWRIGHT_CACHE")]
    cache: Option<PathBuf>,
}

/// A folder for fetched snapshots, for as long as this lives.
#[derive(Debug)]
pub(super) struct Room {
    dir: PathBuf,
    _scratch: Option<TempDir>,
}

impl Room {
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }
}

impl Cache {
    pub(super) fn room(&self) -> anyhow::Result<Room> {
        if let Some(dir) = &self.cache {
            return Ok(Room {
                dir: dir.clone(),
                _scratch: None,
            });
        }
        let scratch = tempfile::tempdir().context("make a folder for snapshots")?;
        Ok(Room {
            dir: scratch.path().to_owned(),
            _scratch: Some(scratch),
        })
    }
}

impl Source {
    pub(super) fn room(&self) -> anyhow::Result<Room> {
        self.cache.room()
    }

    /// The folder of this name when there is one, else the snapshot of this id.
    pub(super) fn find(&self, name: &str, room: &Room) -> anyhow::Result<PathBuf> {
        let dir = PathBuf::from(name);
        if dir.exists() || self.registry.is_none() {
            return Ok(dir);
        }
        let registry = open(self.registry.as_deref().unwrap_or_default())?;
        crate::commands::block_on(async {
            let id = resolve(&registry, name).await?;
            let fetched = fetch(&registry, &id, room).await?;
            Ok(fetched.dir().to_owned())
        })
    }
}

fn open(url: &str) -> anyhow::Result<Registry> {
    Registry::open(url).or_usage("--registry names a folder or a bucket")
}

/// The whole id.
pub(super) async fn resolve(registry: &Registry, id: &str) -> anyhow::Result<String> {
    let found = registry.resolve(id).await;
    found.map_err(|error| failed(error, registry))
}

/// Brings a snapshot here, with a bar.
pub(super) async fn fetch(registry: &Registry, id: &str, room: &Room) -> anyhow::Result<Snapshot> {
    let bar = output::bytes_bar(Some(0), "fetching");
    let fetched = registry.fetch(id, room.dir(), &told(&bar)).await;
    bar.finish_and_clear();
    fetched.map_err(|error| failed(error, registry))
}

/// Moves a bar as a transfer goes on.
pub(super) fn told(bar: &indicatif::ProgressBar) -> impl Fn(Progress) + Send + Sync + '_ {
    |progress| {
        bar.set_length(progress.total_bytes);
        bar.set_position(progress.done_bytes);
        bar.set_message(progress.file);
    }
}

/// An error of the registry with what to do about it.
pub(super) fn failed(error: Error, registry: &Registry) -> anyhow::Error {
    let url = registry.url();
    let hint = match &error {
        Error::NotPublished { .. } | Error::Id { .. } => {
            format!("`cartwright snapshot list --registry {url}` shows what is there")
        }
        Error::Conflict { .. } | Error::Ahead { .. } => format!(
            "`cartwright snapshot history --registry {url}` shows what is live now; then decide again"
        ),
        Error::Blocked { .. } => {
            "publish a better one, or go past it with --force blocked".to_owned()
        }
        Error::Collecting { .. } => "try again then".to_owned(),
        Error::Gone { .. } => {
            "publish the snapshot again: what is there is not sent twice".to_owned()
        }
        Error::Checksum { .. } | Error::Size { .. } | Error::Missing { .. } => {
            "build it again, or copy it again".to_owned()
        }
        Error::Store { .. } => {
            "are the credentials in the environment, and is the network there?".to_owned()
        }
        Error::Io { .. }
        | Error::NotASnapshot { .. }
        | Error::Occupied { .. }
        | Error::Manifest { .. }
        | Error::TooNew { .. }
        | Error::Format { .. }
        | Error::Name { .. }
        | Error::Twice { .. }
        | Error::Unlisted { .. }
        | Error::Catalogue { .. }
        | Error::Tensors { .. }
        | Error::Url { .. }
        | Error::Record { .. } => return Failure::because(error).into(),
    };
    Failure::because(error).hint(hint).into()
}

/// As much of an id as tells snapshots apart for a person.
pub(super) fn short(id: &str) -> &str {
    id.get(..12).unwrap_or(id)
}

/// Who does it, for the history: user and machine.
pub(super) fn me() -> String {
    let text = |name| std::env::var_os(name).and_then(|value| value.into_string().ok());
    let user = text("USER").or_else(|| text("LOGNAME"));
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname");
    let user = user.unwrap_or_else(|| format!("uid {}", rustix::process::getuid().as_raw()));
    match host {
        Ok(host) => format!("{user}@{}", host.trim()),
        Err(_) => user,
    }
}
