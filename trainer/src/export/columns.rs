//! Features as typed columns of arrow.

use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_array::builder::{
    BooleanBuilder, Float64Builder, Int64Builder, ListBuilder, StringBuilder,
    StringDictionaryBuilder,
};
use arrow_array::types::Int8Type;
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use feature_store::{Status, ValueType};

use super::spill::Fields;
use super::{ExportError, Labels, Statuses, Wanted};

const COMPACT: &str = "statuses";
const STATUS: &str = ".status";

/// The columns of the output.
pub(super) struct Layout {
    pub(super) schema: SchemaRef,
    types: Vec<ValueType>,
    statuses: Statuses,
}

impl Layout {
    /// The labels' columns, each feature, each status. No name may come twice.
    pub(super) fn new(labels: &Labels, wanted: &Wanted) -> Result<Self, ExportError> {
        let features = wanted.plan.features();
        if features.is_empty() {
            return Err(ExportError::NoFeature);
        }
        let of_labels = labels.table().schema();
        let mut fields: Vec<Arc<Field>> = of_labels.fields().iter().cloned().collect();
        for feature in features {
            let data_type = data_type(feature.value_type);
            fields.push(Arc::new(Field::new(feature.name, data_type, true)));
        }
        match wanted.statuses {
            Statuses::None => {}
            Statuses::Compact => fields.push(Arc::new(Field::new(COMPACT, DataType::Utf8, false))),
            Statuses::Columns => fields.extend(features.iter().map(|feature| {
                let name = format!("{}{STATUS}", feature.name);
                Arc::new(Field::new(name, status_type(), false))
            })),
        }
        let own = fields.get(of_labels.fields().len()..).unwrap_or_default();
        for (position, field) in own.iter().enumerate() {
            if of_labels.field_with_name(field.name()).is_ok() {
                let column = field.name().clone();
                return Err(ExportError::Taken { column });
            }
            if own
                .iter()
                .take(position)
                .any(|other| other.name() == field.name())
            {
                let feature = field.name().clone();
                return Err(ExportError::Repeated { feature });
            }
        }
        let schema = Schema::new_with_metadata(fields, of_labels.metadata().clone());
        Ok(Self {
            schema: Arc::new(schema),
            types: features.iter().map(|feature| feature.value_type).collect(),
            statuses: wanted.statuses,
        })
    }

    pub(super) fn rows(&self) -> Rows {
        let statuses = match self.statuses {
            Statuses::None => StatusColumns::None,
            Statuses::Compact => StatusColumns::Compact(StringBuilder::new()),
            Statuses::Columns => {
                StatusColumns::Each(self.types.iter().map(|_| StatusBuilder::new()).collect())
            }
        };
        Rows {
            columns: self.types.iter().copied().map(Column::new).collect(),
            statuses,
        }
    }
}

fn data_type(value_type: ValueType) -> DataType {
    let list = |of| DataType::List(Arc::new(Field::new_list_field(of, true)));
    match value_type {
        ValueType::Bool => DataType::Boolean,
        ValueType::Int => DataType::Int64,
        ValueType::Double => DataType::Float64,
        ValueType::Text => DataType::Utf8,
        ValueType::Texts => list(DataType::Utf8),
        ValueType::Doubles => list(DataType::Float64),
    }
}

fn status_type() -> DataType {
    DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::Utf8))
}

type StatusBuilder = StringDictionaryBuilder<Int8Type>;

/// Rows that are being gathered.
pub(super) struct Rows {
    columns: Vec<Column>,
    statuses: StatusColumns,
}

enum StatusColumns {
    None,
    Compact(StringBuilder),
    Each(Vec<StatusBuilder>),
}

impl Rows {
    /// Adds a row; `None` if its bytes are not those of a row.
    pub(super) fn add(&mut self, row: &[u8]) -> Option<()> {
        let mut fields = Fields::of(row);
        let mut letters = String::new();
        for (position, column) in self.columns.iter_mut().enumerate() {
            let (status, has_value) = fields.head()?;
            if has_value {
                column.add(&mut fields)?;
            } else {
                column.add_null();
            }
            match &mut self.statuses {
                StatusColumns::None => {}
                StatusColumns::Compact(_) => letters.push(letter(status)),
                StatusColumns::Each(columns) => {
                    columns.get_mut(position)?.append_value(word(status));
                }
            }
        }
        if let StatusColumns::Compact(column) = &mut self.statuses {
            column.append_value(letters);
        }
        Some(())
    }

    pub(super) fn finish(self) -> Vec<ArrayRef> {
        let mut arrays: Vec<ArrayRef> = self.columns.into_iter().map(Column::finish).collect();
        match self.statuses {
            StatusColumns::None => {}
            StatusColumns::Compact(mut column) => arrays.push(Arc::new(column.finish())),
            StatusColumns::Each(columns) => {
                let finished = columns.into_iter().map(|mut column| column.finish());
                arrays.extend(finished.map(|array| Arc::new(array) as ArrayRef));
            }
        }
        arrays
    }
}

fn word(status: Status) -> &'static str {
    match status {
        Status::Present => "present",
        Status::Null => "null",
        Status::NotFound => "not_found",
        Status::OutsideMaxAge => "outside_max_age",
    }
}

fn letter(status: Status) -> char {
    match status {
        Status::Present => 'p',
        Status::Null => 'n',
        Status::NotFound => 'x',
        Status::OutsideMaxAge => 'o',
    }
}

enum Column {
    Bool(BooleanBuilder),
    Int(Int64Builder),
    Double(Float64Builder),
    Text(StringBuilder),
    Texts(ListBuilder<StringBuilder>),
    Doubles(ListBuilder<Float64Builder>),
}

impl Column {
    fn new(value_type: ValueType) -> Self {
        match value_type {
            ValueType::Bool => Self::Bool(BooleanBuilder::new()),
            ValueType::Int => Self::Int(Int64Builder::new()),
            ValueType::Double => Self::Double(Float64Builder::new()),
            ValueType::Text => Self::Text(StringBuilder::new()),
            ValueType::Texts => Self::Texts(ListBuilder::new(StringBuilder::new())),
            ValueType::Doubles => Self::Doubles(ListBuilder::new(Float64Builder::new())),
        }
    }

    fn add(&mut self, fields: &mut Fields<'_>) -> Option<()> {
        match self {
            Self::Bool(column) => column.append_value(fields.bool()?),
            Self::Int(column) => column.append_value(fields.int()?),
            Self::Double(column) => column.append_value(fields.double()?),
            Self::Text(column) => column.append_value(fields.text()?),
            Self::Texts(column) => {
                for _ in 0..fields.count()? {
                    column.values().append_value(fields.text()?);
                }
                column.append(true);
            }
            Self::Doubles(column) => {
                for _ in 0..fields.count()? {
                    column.values().append_value(fields.double()?);
                }
                column.append(true);
            }
        }
        Some(())
    }

    fn add_null(&mut self) {
        match self {
            Self::Bool(column) => column.append_null(),
            Self::Int(column) => column.append_null(),
            Self::Double(column) => column.append_null(),
            Self::Text(column) => column.append_null(),
            Self::Texts(column) => column.append_null(),
            Self::Doubles(column) => column.append_null(),
        }
    }

    fn finish(self) -> ArrayRef {
        match self {
            Self::Bool(mut column) => Arc::new(column.finish()),
            Self::Int(mut column) => Arc::new(column.finish()),
            Self::Double(mut column) => Arc::new(column.finish()),
            Self::Text(mut column) => Arc::new(column.finish()),
            Self::Texts(mut column) => Arc::new(column.finish()),
            Self::Doubles(mut column) => Arc::new(column.finish()),
        }
    }
}
