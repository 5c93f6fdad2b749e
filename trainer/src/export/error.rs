//! Why an export stopped.

use std::path::PathBuf;

use parquet::errors::ParquetError;

use crate::tables::TableError;

#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    #[error(transparent)]
    Labels(#[from] TableError),
    #[error("the labels have a column {column}, which the output needs for itself; rename it")]
    Taken { column: String },
    #[error("feature {feature} is named twice, once is allowed")]
    Repeated { feature: String },
    #[error("no feature is named, at least one is needed")]
    NoFeature,
    #[error("{} has changed while it was read", path.display())]
    Changed { path: PathBuf },
    #[error("keeping the answers in a temporary file beside {}", path.display())]
    Spill {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("writing {}", path.display())]
    Write { path: PathBuf, source: ParquetError },
    #[error("writing {}", path.display())]
    Create {
        path: PathBuf,
        source: std::io::Error,
    },
}
