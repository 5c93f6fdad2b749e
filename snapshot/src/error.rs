use std::io;
use std::path::PathBuf;

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
