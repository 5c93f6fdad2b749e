use std::io;
use std::path::PathBuf;

use crate::Activation;

/// Why a snapshot was not built, opened or read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot {action} {path}")]
    Io {
        action: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    #[error("{path} is not a snapshot: it has no manifest.json")]
    NotASnapshot { path: PathBuf },
    #[error("{path} is not empty and not a snapshot, so it is not replaced")]
    Occupied { path: PathBuf },
    #[error("manifest.json is not valid: {detail}")]
    Manifest { detail: String },
    #[error("snapshot needs reader version {min_reader}, this build reads up to {reader}")]
    TooNew { min_reader: u32, reader: u32 },
    #[error("snapshot format is {found}, this build reads {allowed}")]
    Format { found: u32, allowed: u32 },
    #[error("file name {name:?} is not allowed: {reason}")]
    Name { name: String, reason: &'static str },
    #[error("file {name} is written twice")]
    Twice { name: String },
    #[error("file {name} is named in the manifest and missing in {path}")]
    Missing { name: String, path: PathBuf },
    #[error("file {name} has {found} bytes, the manifest says {expected}")]
    Size {
        name: String,
        expected: u64,
        found: u64,
    },
    #[error("file {name} has sha256 {found}, the manifest says {expected}")]
    Checksum {
        name: String,
        expected: String,
        found: String,
    },
    #[error("file {name} is not in this snapshot")]
    Unlisted { name: String },
    #[error("{name} line {line}: {detail}")]
    Catalogue {
        name: String,
        line: usize,
        detail: String,
    },
    #[error("tensor file {file}: {detail}")]
    Tensors { file: String, detail: String },
    #[error("registry {url:?} cannot be used: {detail}")]
    Url { url: String, detail: String },
    #[error("cannot {action} {key} of the registry {url}")]
    Store {
        action: &'static str,
        key: String,
        url: String,
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error("{id:?} is no snapshot id, which has 64 digits of 0-9 and a-f")]
    Id { id: String },
    #[error("snapshot {id} is not in the registry {url}")]
    NotPublished { id: String, url: String },
    #[error("{key} of the registry {url} is gone")]
    Gone { key: String, url: String },
    #[error("activation record {sequence} cannot be read: {detail}")]
    Record { sequence: u64, detail: String },
    #[error(
        "somebody else was first: activation {} is {} of {} by {}",
        winner.sequence, winner.action.as_str(), winner.snapshot, winner.by
    )]
    Conflict { winner: Box<Activation> },
    #[error("there is no activation record {after} to follow, the latest is {head}")]
    Ahead { after: u64, head: u64 },
    #[error("snapshot {id} is blocked since activation {}: {}", record.sequence, record.why)]
    Blocked { id: String, record: Box<Activation> },
    #[error("leftovers are being collected in the registry {url}, for at most {seconds} s more")]
    Collecting { url: String, seconds: u64 },
}

impl Error {
    pub(crate) fn io(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io {
            action,
            path,
            source,
        }
    }
}
