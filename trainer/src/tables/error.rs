//! What can be wrong with a table, and with one value of it.

use std::path::PathBuf;

use arrow_schema::ArrowError;
use parquet::errors::ParquetError;

use crate::readers::ReadError;

/// A table that cannot be read, or does not hold what is needed.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    #[error("cannot open {}", path.display())]
    Open {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error(
        "{} is no table: it begins with {head:?}; parquet, which begins with \"PAR1\", or a name \
         that ends in .csv or .csv.zst is allowed",
        path.display()
    )]
    NotATable { path: PathBuf, head: String },
    #[error("{} cannot be read as parquet", path.display())]
    Parquet { path: PathBuf, source: ParquetError },
    #[error("{} cannot be read as CSV", path.display())]
    Csv { path: PathBuf, source: ArrowError },
    #[error(transparent)]
    Text(#[from] ReadError),
    #[error(
        "column {column} of {} is compressed with {found}; none, snappy or zstd is allowed",
        path.display()
    )]
    Compression {
        path: PathBuf,
        column: String,
        found: String,
    },
    #[error("{} has no column {column}; it has {}", path.display(), found.join(", "))]
    MissingColumn {
        path: PathBuf,
        column: &'static str,
        found: Vec<String>,
    },
    #[error("column {column} of {} is of type {found}; {allowed} is allowed", path.display())]
    ColumnType {
        path: PathBuf,
        column: String,
        found: String,
        allowed: &'static str,
    },
    #[error("{column} is {found} in row {row} of {}; {allowed} is allowed", path.display())]
    Value {
        path: PathBuf,
        /// Counted from 1, without the header.
        row: u64,
        column: String,
        found: String,
        allowed: &'static str,
    },
}
