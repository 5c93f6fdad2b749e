//! What can be wrong with a file, and with one line of it.

use std::path::PathBuf;

/// The file as a whole cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("cannot open {}", path.display())]
    Open {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("{} is empty, at least one line is needed", path.display())]
    Empty { path: PathBuf },
    #[error("{} stops being readable before its end", path.display())]
    Broken {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("the header of {} is not UTF-8", path.display())]
    HeaderEncoding { path: PathBuf },
    #[error(
        "{} has no column {}; its header has {}",
        path.display(), missing.join(", "), found.join(", ")
    )]
    MissingColumns {
        path: PathBuf,
        missing: Vec<String>,
        found: Vec<String>,
    },
    #[error("format {name:?} is not known, {} are", super::Format::NAMES.join(", "))]
    UnknownFormat { name: String },
    #[error(
        "the format of {} is not recognised by its first line {first_line:?}; name one of {}",
        path.display(), super::Format::NAMES.join(", ")
    )]
    Unrecognised { path: PathBuf, first_line: String },
}

/// One line that is no event. `raw` is its text, for a reject file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct BadLine {
    pub line: u64,
    pub reason: String,
    pub raw: String,
}
