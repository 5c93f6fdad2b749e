//! Reading parquet.

use std::fs::File;
use std::path::Path;

use ::parquet::arrow::ProjectionMask;
use ::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use ::parquet::basic::Compression;
use ::parquet::errors::ParquetError;
use ::parquet::file::metadata::ParquetMetaData;
use arrow_schema::SchemaRef;

use super::{Batches, ROWS, TableError};

type Builder = ParquetRecordBatchReaderBuilder<File>;

fn open(path: &Path) -> Result<Builder, TableError> {
    let file = File::open(path).map_err(|source| TableError::Open {
        path: path.to_owned(),
        source,
    })?;
    Builder::try_new(file).map_err(|source| broken(path, source))
}

fn broken(path: &Path, source: ParquetError) -> TableError {
    let path = path.to_owned();
    TableError::Parquet { path, source }
}

pub(super) fn schema(path: &Path) -> Result<SchemaRef, TableError> {
    let builder = open(path)?;
    check_compression(path, builder.metadata())?;
    Ok(builder.schema().clone())
}

pub(super) fn batches(path: &Path, columns: Option<&[&str]>) -> Result<Batches, TableError> {
    let mut builder = open(path)?.with_batch_size(ROWS);
    if let Some(columns) = columns {
        let fields = builder.schema().fields().iter().enumerate();
        let roots = fields
            .filter(|(_, field)| columns.contains(&field.name().as_str()))
            .map(|(position, _)| position);
        let mask = ProjectionMask::roots(builder.parquet_schema(), roots.collect::<Vec<_>>());
        builder = builder.with_projection(mask);
    }
    let reader = builder.build().map_err(|source| broken(path, source))?;
    let path = path.to_owned();
    Ok(Box::new(reader.map(move |batch| {
        batch.map_err(|error| broken(&path, error.into()))
    })))
}

/// Says so before anything is read, and by the column's name.
fn check_compression(path: &Path, metadata: &ParquetMetaData) -> Result<(), TableError> {
    let groups = metadata.row_groups().iter();
    for column in groups.flat_map(|group| group.columns()) {
        match column.compression() {
            Compression::UNCOMPRESSED | Compression::SNAPPY | Compression::ZSTD(_) => {}
            other @ (Compression::GZIP(_)
            | Compression::LZO
            | Compression::BROTLI(_)
            | Compression::LZ4
            | Compression::LZ4_RAW) => {
                let found = other.to_string();
                return Err(TableError::Compression {
                    path: path.to_owned(),
                    column: column.column_path().string(),
                    found: found.split('(').next().unwrap_or_default().to_owned(),
                });
            }
        }
    }
    Ok(())
}
