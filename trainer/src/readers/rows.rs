//! Records of a delimited file, their columns found by name.

use std::io::BufRead;

use feature_store::Event;
use xxhash_rust::xxh3::xxh3_128;

use super::error::{BadLine, ReadError};
use super::source::Source;

/// One record; a column that the file does not have reads as empty.
pub(crate) struct Row<'a> {
    pub(crate) line: u64,
    record: &'a csv::StringRecord,
    columns: &'a [Option<usize>],
}

impl Row<'_> {
    /// The field of the n-th column asked for, without blanks around it.
    pub(crate) fn get(&self, column: usize) -> &str {
        let position = self.columns.get(column).copied().flatten();
        position
            .and_then(|position| self.record.get(position))
            .unwrap_or_default()
            .trim()
    }

    /// Names the whole row: the same row twice has the same id, any other has another.
    pub(crate) fn event_id(&self) -> String {
        hashed(self.record.iter())
    }

    pub(crate) fn bad(&self, reason: impl Into<String>) -> BadLine {
        BadLine {
            line: self.line,
            reason: reason.into(),
            raw: encoded(self.record),
        }
    }
}

/// xxh3-128 over the fields, kept apart by a character that no text field holds.
fn hashed<'a>(fields: impl Iterator<Item = &'a str>) -> String {
    let joined = fields.collect::<Vec<_>>().join("\u{1f}");
    format!("{:032x}", xxh3_128(joined.as_bytes()))
}

/// The record as CSV again: its meaning is kept where its own quoting is not.
fn encoded(record: &csv::StringRecord) -> String {
    let mut writer = csv::WriterBuilder::new().from_writer(Vec::new());
    let written = writer
        .write_record(record)
        .ok()
        .and_then(|()| writer.into_inner().ok());
    let text = String::from_utf8(written.unwrap_or_default()).unwrap_or_default();
    text.trim_end_matches('\n').to_owned()
}

/// A delimited file with a header line, or without one.
pub(crate) struct Rows {
    reader: csv::Reader<Box<dyn BufRead + Send>>,
    columns: Vec<Option<usize>>,
    width: usize,
    bytes: csv::ByteRecord,
    failure: Option<std::io::Error>,
    ended: bool,
}

impl Rows {
    /// Finds `required` and then `optional` columns in the header, whatever their case and order.
    pub(crate) fn with_header(
        source: Source,
        delimiter: u8,
        required: &[&str],
        optional: &[&str],
    ) -> Result<Self, ReadError> {
        let path = source.path().to_owned();
        let mut reader = reader(source, delimiter, true);
        let header = match reader.headers() {
            Ok(header) => header.clone(),
            Err(_) => return Err(ReadError::HeaderEncoding { path }),
        };
        let find = |name: &&str| {
            header
                .iter()
                .position(|column| column.trim().eq_ignore_ascii_case(name))
        };
        let columns: Vec<Option<usize>> = required.iter().chain(optional).map(find).collect();
        let missing: Vec<String> = (required.iter().zip(&columns))
            .filter(|(_, column)| column.is_none())
            .map(|(name, _)| (*name).to_owned())
            .collect();
        if !missing.is_empty() {
            let found = header.iter().map(str::to_owned).collect();
            return Err(ReadError::MissingColumns {
                path,
                missing,
                found,
            });
        }
        Ok(Self::new(reader, columns, header.len()))
    }

    /// The columns are the first `width` ones.
    pub(crate) fn without_header(source: Source, delimiter: u8, width: usize) -> Self {
        Self::new(
            reader(source, delimiter, false),
            (0..width).map(Some).collect(),
            width,
        )
    }

    fn new(
        reader: csv::Reader<Box<dyn BufRead + Send>>,
        columns: Vec<Option<usize>>,
        width: usize,
    ) -> Self {
        let bytes = csv::ByteRecord::new();
        Self {
            reader,
            columns,
            width,
            bytes,
            failure: None,
            ended: false,
        }
    }

    /// Reads the next record and lets `parse` make of it what it can.
    pub(crate) fn next<T>(
        &mut self,
        parse: impl FnOnce(&Row<'_>) -> Result<T, BadLine>,
    ) -> Option<Result<T, BadLine>> {
        if self.ended {
            return None;
        }
        match self.reader.read_byte_record(&mut self.bytes) {
            Ok(true) => Some(self.parsed(parse)),
            Ok(false) => {
                self.ended = true;
                None
            }
            Err(problem) => {
                self.ended = true;
                self.failure = Some(std::io::Error::from(problem));
                None
            }
        }
    }

    pub(crate) fn failure(&mut self) -> Option<std::io::Error> {
        self.failure.take()
    }

    fn parsed<T>(&self, parse: impl FnOnce(&Row<'_>) -> Result<T, BadLine>) -> Result<T, BadLine> {
        let line = self.bytes.position().map_or(0, csv::Position::line);
        let record = match csv::StringRecord::from_byte_record(self.bytes.clone()) {
            Ok(record) => record,
            Err(problem) => return Err(not_utf8(line, &problem.into_byte_record())),
        };
        let row = Row {
            line,
            record: &record,
            columns: &self.columns,
        };
        if record.len() != self.width {
            return Err(row.bad(format!("{} fields, {} expected", record.len(), self.width)));
        }
        parse(&row)
    }
}

fn reader(
    source: Source,
    delimiter: u8,
    has_headers: bool,
) -> csv::Reader<Box<dyn BufRead + Send>> {
    csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .has_headers(has_headers)
        .flexible(true)
        .from_reader(source.into_reader())
}

fn not_utf8(line: u64, record: &csv::ByteRecord) -> BadLine {
    let fields: Vec<String> = record
        .iter()
        .map(|field| String::from_utf8_lossy(field).into_owned())
        .collect();
    let at = record
        .iter()
        .position(|field| std::str::from_utf8(field).is_err())
        .unwrap_or(0)
        + 1;
    BadLine {
        line,
        reason: format!("field {at} is not UTF-8"),
        raw: fields.join(","),
    }
}

/// An event with the fields that every format has; the rest is absent.
pub(crate) fn event(
    event_id: String,
    kind: feature_store::EventKind,
    shopper_id: &str,
    item_id: &str,
    occurred_at: feature_store::Millis,
) -> Event {
    Event {
        event_id,
        shopper_id: shopper_id.to_owned(),
        device_id: String::new(),
        kind,
        item_id: item_id.to_owned(),
        quantity: 1,
        price_minor: 0,
        currency: String::new(),
        occurred_at,
        session_id: String::new(),
        order_id: String::new(),
        category: String::new(),
        brand: String::new(),
    }
}
