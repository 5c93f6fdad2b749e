//! Tables in files, read in batches: parquet, and CSV with a header line.
//!
//! A parquet file says what its columns are. Those of a CSV file are found by reading it once: the
//! columns named as texts or times are that, and any other is what all of its values can be read
//! as: whole numbers, numbers, truth values, dates, or texts.

mod column;
mod csv;
mod error;
mod parquet;

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;

pub(crate) use column::{Texts, Times};
pub use error::TableError;

/// Rows read at once.
const ROWS: usize = 4_096;
/// The first bytes of every parquet file.
const PARQUET_MAGIC: &[u8] = b"PAR1";

/// What the columns of a CSV file are that are used by name.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Typed {
    pub(crate) texts: &'static [&'static str],
    pub(crate) times: &'static [&'static str],
}

/// An opened table.
#[derive(Debug)]
pub(crate) struct Table {
    path: PathBuf,
    schema: SchemaRef,
    kind: Kind,
}

#[derive(Copy, Clone, Debug)]
enum Kind {
    Parquet,
    Csv(Typed),
}

type Batches = Box<dyn Iterator<Item = Result<RecordBatch, TableError>>>;

impl Table {
    /// Opens a file and finds out what its columns are.
    pub(crate) fn open(path: &Path, typed: Typed) -> Result<Self, TableError> {
        let kind = kind(path, typed)?;
        let schema = match kind {
            Kind::Parquet => parquet::schema(path)?,
            Kind::Csv(typed) => csv::schema(path, typed)?,
        };
        let path = path.to_owned();
        Ok(Self { path, schema, kind })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    pub(crate) fn has(&self, column: &str) -> bool {
        self.schema.field_with_name(column).is_ok()
    }

    /// Reads the table from its beginning: all of its columns, or those named.
    pub(crate) fn batches(&self, columns: Option<&[&str]>) -> Result<Batches, TableError> {
        match self.kind {
            Kind::Parquet => parquet::batches(&self.path, columns),
            Kind::Csv(typed) => csv::batches(&self.path, &self.schema, typed, columns),
        }
    }

    /// Fails unless the table has the column.
    pub(crate) fn require(&self, column: &'static str) -> Result<(), TableError> {
        if self.has(column) {
            return Ok(());
        }
        let fields = self.schema.fields().iter();
        Err(TableError::MissingColumn {
            path: self.path.clone(),
            column,
            found: fields.map(|field| field.name().clone()).collect(),
        })
    }
}

fn kind(path: &Path, typed: Typed) -> Result<Kind, TableError> {
    let mut head = Vec::new();
    File::open(path)
        .and_then(|file| file.take(4).read_to_end(&mut head))
        .map_err(|source| TableError::Open {
            path: path.to_owned(),
            source,
        })?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let name = name.to_ascii_lowercase();
    if head == PARQUET_MAGIC {
        Ok(Kind::Parquet)
    } else if name.ends_with(".csv") || name.ends_with(".csv.zst") {
        Ok(Kind::Csv(typed))
    } else {
        Err(TableError::NotATable {
            path: path.to_owned(),
            head: String::from_utf8_lossy(&head).into_owned(),
        })
    }
}
