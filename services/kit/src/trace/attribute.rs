//! What spans say of their work.

use std::fmt;
use std::ops::Range;

use tracing::field::{Field as Name, Visit};

use super::recording::Recording;

#[derive(Clone, Debug)]
pub(super) struct Attribute {
    pub(super) span: usize,
    pub(super) key: &'static str,
    pub(super) value: Value,
}

/// The value of an attribute; texts lie in the recording's buffer.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Text(Range<usize>),
    /// A text that leaves as a keyed hash.
    Shopper(Range<usize>),
    Int(i64),
    Float(f64),
    Bool(bool),
}

/// What a service notes of its request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Note<'a> {
    /// A text.
    Text(&'a str),
    /// A whole number.
    Int(i64),
    /// A number.
    Float(f64),
    /// Yes or no.
    Bool(bool),
}

impl<'a> From<&'a str> for Note<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text)
    }
}

impl From<usize> for Note<'_> {
    fn from(number: usize) -> Self {
        Self::Int(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl From<bool> for Note<'_> {
    fn from(truth: bool) -> Self {
        Self::Bool(truth)
    }
}

/// Writes the fields of a `tracing` span into a recording.
pub(super) struct Fields<'a> {
    pub(super) recording: &'a mut Recording,
    pub(super) span: usize,
}

impl Visit for Fields<'_> {
    fn record_f64(&mut self, field: &Name, value: f64) {
        let value = Value::Float(value);
        self.recording.add(self.span, field.name(), value);
    }

    fn record_i64(&mut self, field: &Name, value: i64) {
        self.recording
            .add(self.span, field.name(), Value::Int(value));
    }

    fn record_u64(&mut self, field: &Name, value: u64) {
        self.record_i64(field, i64::try_from(value).unwrap_or(i64::MAX));
    }

    fn record_bool(&mut self, field: &Name, value: bool) {
        let value = Value::Bool(value);
        self.recording.add(self.span, field.name(), value);
    }

    fn record_str(&mut self, field: &Name, value: &str) {
        self.recording.add_text(self.span, field.name(), value);
    }

    fn record_debug(&mut self, field: &Name, value: &dyn fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }
}
