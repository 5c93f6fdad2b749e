//! Columns as what they are used as: texts, and points in time.

use arrow_array::cast::AsArray as _;
use arrow_array::types::Int64Type;
use arrow_array::{Array as _, ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow_cast::cast;
use arrow_schema::{DataType, TimeUnit};
use feature_store::Millis;

use super::{Table, TableError};

const TEXT: &str = "string";
const TIME: &str = "timestamp of any unit and zone, or int64 as milliseconds since 1970";

/// A batch's column of texts, however they are laid out.
#[derive(Debug)]
pub(crate) struct Texts(StringArray);

impl Texts {
    pub(crate) fn of(table: &Table, batch: &RecordBatch, column: &str) -> Result<Self, TableError> {
        let array = find(table, batch, column)?;
        let is_text = |data_type: &DataType| {
            matches!(
                data_type,
                DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View
            )
        };
        let mut found = array.data_type();
        if let DataType::Dictionary(_, values) = found {
            found = values;
        }
        // A column without a single value has no type of its own.
        let fits = is_text(found) || *found == DataType::Null;
        let texts = fits.then(|| cast(&array, &DataType::Utf8).ok()).flatten();
        let texts = texts
            .as_ref()
            .and_then(|texts| texts.as_string_opt::<i32>());
        let texts = texts.ok_or_else(|| wrong_type(table, column, array.data_type(), TEXT))?;
        Ok(Self(texts.clone()))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Option<&str>> {
        self.0.iter()
    }
}

/// A batch's column of points in time.
#[derive(Debug)]
pub(crate) struct Times {
    raw: Int64Array,
    unit: TimeUnit,
}

impl Times {
    pub(crate) fn of(table: &Table, batch: &RecordBatch, column: &str) -> Result<Self, TableError> {
        let array = find(table, batch, column)?;
        let unit = if let DataType::Timestamp(unit, _) = array.data_type() {
            Some(*unit)
        } else {
            (*array.data_type() == DataType::Int64).then_some(TimeUnit::Millisecond)
        };
        let raw = unit.and_then(|_| cast(&array, &DataType::Int64).ok());
        let raw = raw
            .as_ref()
            .and_then(|raw| raw.as_primitive_opt::<Int64Type>());
        match (raw, unit) {
            (Some(raw), Some(unit)) => Ok(Self {
                raw: raw.clone(),
                unit,
            }),
            (None, _) | (_, None) => Err(wrong_type(table, column, array.data_type(), TIME)),
        }
    }

    /// Parts of a millisecond are dropped towards the past: what came after the moment meant
    /// stays unseen.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Option<Millis>> {
        self.raw.iter().map(|raw| raw.map(|raw| self.millis(raw)))
    }

    fn millis(&self, raw: i64) -> Millis {
        Millis(match self.unit {
            TimeUnit::Second => raw.saturating_mul(1_000),
            TimeUnit::Millisecond => raw,
            TimeUnit::Microsecond => raw.div_euclid(1_000),
            TimeUnit::Nanosecond => raw.div_euclid(1_000_000),
        })
    }
}

fn find(table: &Table, batch: &RecordBatch, column: &str) -> Result<ArrayRef, TableError> {
    let array = batch.column_by_name(column).cloned();
    array.ok_or_else(|| wrong_type(table, column, &DataType::Null, TEXT))
}

fn wrong_type(table: &Table, column: &str, found: &DataType, allowed: &'static str) -> TableError {
    TableError::ColumnType {
        path: table.path().to_owned(),
        column: column.to_owned(),
        found: found.to_string(),
        allowed,
    }
}
