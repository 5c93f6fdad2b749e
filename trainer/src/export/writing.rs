//! Writing rows as parquet.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;

use arrow_array::{BooleanArray, RecordBatch};
use arrow_select::filter::filter_record_batch;
use feature_store::Registry;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use tempfile::NamedTempFile;

use super::columns::Layout;
use super::spill::{Spilled, folder};
use super::{ExportError, Labels, Progress};

/// A row group ends at this many rows or bytes, whichever comes first: it is what the writer holds
/// in memory.
const GROUP_ROWS: usize = 65_536;
const GROUP_BYTES: usize = 64 << 20;

/// Writes each label with its answers, in the order of the labels.
pub(super) fn write(
    labels: &Labels,
    layout: &Layout,
    spilled: &Spilled,
    out: &Path,
    progress: &mut dyn FnMut(Progress),
) -> Result<(), ExportError> {
    let failed = |source| ExportError::Write {
        path: out.to_owned(),
        source,
    };
    let uncreated = |source| ExportError::Create {
        path: out.to_owned(),
        source,
    };
    let file = unnamed(folder(out)).map_err(uncreated)?;
    let schema = Arc::clone(&layout.schema);
    let mut writer = ArrowWriter::try_new(file, schema, Some(properties())).map_err(failed)?;
    let mut rows = 0;
    for batch in labels.table().batches(None)? {
        let batch = batch?;
        let from = rows;
        rows += batch.num_rows();
        let batch = joined(labels, layout, spilled, from, &batch)?;
        writer.write(&batch).map_err(failed)?;
        progress(Progress::Written {
            rows: rows as u64,
            of: spilled.len() as u64,
        });
    }
    if rows != spilled.len() {
        return Err(changed(labels));
    }
    let file = writer.into_inner().map_err(failed)?;
    persist(file, out).map_err(uncreated)
}

fn properties() -> WriterProperties {
    let fingerprint = Registry::standard().fingerprint().to_owned();
    WriterProperties::builder()
        .set_created_by(concat!("cartwright ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_max_row_group_row_count(Some(GROUP_ROWS))
        .set_max_row_group_bytes(Some(GROUP_BYTES))
        .set_key_value_metadata(Some(vec![KeyValue::new(
            "cartwright.schema_fingerprint".to_owned(),
            fingerprint,
        )]))
        .build()
}

/// A batch of labels, from position `from` on, with the columns of their features.
fn joined(
    labels: &Labels,
    layout: &Layout,
    spilled: &Spilled,
    from: usize,
    batch: &RecordBatch,
) -> Result<RecordBatch, ExportError> {
    let until = from + batch.num_rows();
    if until > spilled.len() {
        return Err(changed(labels));
    }
    let mut rows = layout.rows();
    let mut bytes = Vec::new();
    for position in (from..until).filter(|at| labels.is_kept(*at)) {
        spilled.row(position, &mut bytes)?;
        rows.add(&bytes).ok_or_else(|| changed(labels))?;
    }
    let failed = |source| ExportError::Write {
        path: labels.table().path().to_owned(),
        source: ParquetError::from(source),
    };
    let kept: BooleanArray = (from..until).map(|at| Some(labels.is_kept(at))).collect();
    let batch = filter_record_batch(batch, &kept).map_err(failed)?;
    let arrays = batch.columns().iter().cloned().chain(rows.finish());
    RecordBatch::try_new(Arc::clone(&layout.schema), arrays.collect()).map_err(failed)
}

fn changed(labels: &Labels) -> ExportError {
    ExportError::Changed {
        path: labels.table().path().to_owned(),
    }
}

/// A file under a passing name, with the rights of any file that the user makes.
fn unnamed(folder: &Path) -> std::io::Result<NamedTempFile> {
    tempfile::Builder::new()
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(folder)
}

/// Gives the finished file its name.
fn persist(file: NamedTempFile, out: &Path) -> std::io::Result<()> {
    file.as_file().sync_all()?;
    file.persist(out).map_err(|error| error.error)?;
    Ok(())
}
