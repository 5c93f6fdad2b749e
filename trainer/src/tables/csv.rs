//! Reading CSV as typed columns.

use std::io::BufRead;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::{ArrayRef, RecordBatch, StringArray, TimestampMillisecondArray};
use arrow_csv::ReaderBuilder;
use arrow_csv::reader::Format;
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef, TimeUnit};

use super::{Batches, ROWS, TableError, Typed};
use crate::readers::{source::Source, times};

const TIMES: &str = "milliseconds since 1970, RFC 3339, or a date and time in UTC";

fn open(path: &Path) -> Result<Box<dyn BufRead + Send>, TableError> {
    Ok(Source::open(path)?.into_reader())
}

fn format() -> Format {
    Format::default().with_header(true)
}

fn broken(path: &Path, source: ArrowError) -> TableError {
    let path = path.to_owned();
    TableError::Csv { path, source }
}

fn time_type() -> DataType {
    DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()))
}

pub(super) fn schema(path: &Path, typed: Typed) -> Result<SchemaRef, TableError> {
    let inferred = format().infer_schema(open(path)?, None);
    let (inferred, _) = inferred.map_err(|source| broken(path, source))?;
    let fields = inferred.fields().iter().map(|field| {
        let name = field.name().trim();
        let data_type = if typed.texts.contains(&name) {
            DataType::Utf8
        } else if typed.times.contains(&name) {
            time_type()
        } else {
            field.data_type().clone()
        };
        Field::new(name, data_type, true)
    });
    Ok(Arc::new(Schema::new(fields.collect::<Vec<_>>())))
}

pub(super) fn batches(
    path: &Path,
    schema: &SchemaRef,
    typed: Typed,
    columns: Option<&[&str]>,
) -> Result<Batches, TableError> {
    let raw = schema.fields().iter().map(|field| {
        // Times are read as the texts they are: there are more ways to write one than arrow knows.
        let is_time = typed.times.contains(&field.name().as_str());
        let data_type = if is_time {
            &DataType::Utf8
        } else {
            field.data_type()
        };
        Field::new(field.name(), data_type.clone(), true)
    });
    let raw = Schema::new(raw.collect::<Vec<_>>());
    let mut builder = ReaderBuilder::new(Arc::new(raw))
        .with_format(format())
        .with_batch_size(ROWS);
    if let Some(columns) = columns {
        let fields = schema.fields().iter().enumerate();
        let wanted = fields.filter(|(_, field)| columns.contains(&field.name().as_str()));
        builder = builder.with_projection(wanted.map(|(position, _)| position).collect());
    }
    let source = open(path)?;
    let mut reader = builder
        .build_buffered(source)
        .map_err(|source| broken(path, source))?;
    let mut typing = Typing {
        path: path.to_owned(),
        typed,
        rows: 0,
    };
    Ok(Box::new(std::iter::from_fn(move || {
        let batch = reader.next()?;
        Some(match batch {
            Ok(batch) => typing.batch(&batch),
            Err(source) => Err(broken(&typing.path, source)),
        })
    })))
}

/// Turns the texts of the columns of times into times.
struct Typing {
    path: PathBuf,
    typed: Typed,
    rows: u64,
}

impl Typing {
    fn batch(&mut self, batch: &RecordBatch) -> Result<RecordBatch, TableError> {
        let schema = batch.schema();
        let mut fields = Vec::new();
        let mut arrays: Vec<ArrayRef> = Vec::new();
        for (field, array) in schema.fields().iter().zip(batch.columns()) {
            let texts = array.as_string_opt::<i32>();
            match texts.filter(|_| self.typed.times.contains(&field.name().as_str())) {
                Some(texts) => {
                    fields.push(Field::new(field.name(), time_type(), true));
                    arrays.push(Arc::new(self.times(field.name(), texts)?));
                }
                None => {
                    fields.push(Field::clone(field));
                    arrays.push(Arc::clone(array));
                }
            }
        }
        self.rows += batch.num_rows() as u64;
        RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)
            .map_err(|source| broken(&self.path, source))
    }

    fn times(
        &self,
        column: &str,
        texts: &StringArray,
    ) -> Result<TimestampMillisecondArray, TableError> {
        let times = texts.iter().zip(self.rows + 1..).map(|(text, row)| {
            let Some(text) = text else { return Ok(None) };
            let time = times::canonical(text).or_else(|| times::utc(text));
            let time = time.ok_or_else(|| TableError::Value {
                path: self.path.clone(),
                row,
                column: column.to_owned(),
                found: format!("{text:?}"),
                allowed: TIMES,
            })?;
            Ok(Some(time.0))
        });
        let times: TimestampMillisecondArray = times.collect::<Result<_, TableError>>()?;
        Ok(times.with_timezone("UTC"))
    }
}
