//! The value of a feature and what it is worth.

use crate::Text;
use crate::time::Millis;

/// Type of a feature's value.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub enum ValueType {
    Bool,
    Int,
    Double,
    Text,
    Texts,
    Doubles,
}

impl ValueType {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bool => "bool",
            Self::Int => "int",
            Self::Double => "double",
            Self::Text => "text",
            Self::Texts => "texts",
            Self::Doubles => "doubles",
        }
    }
}

/// A feature's value.
#[derive(Clone, PartialEq, Debug)]
pub enum Value {
    Bool(bool),
    Int(i64),
    Double(f64),
    Text(Text),
    Texts(Vec<Text>),
    Doubles(Vec<f64>),
}

impl Value {
    #[must_use]
    pub const fn value_type(&self) -> ValueType {
        match self {
            Self::Bool(_) => ValueType::Bool,
            Self::Int(_) => ValueType::Int,
            Self::Double(_) => ValueType::Double,
            Self::Text(_) => ValueType::Text,
            Self::Texts(_) => ValueType::Texts,
            Self::Doubles(_) => ValueType::Doubles,
        }
    }

    /// The value as a model's input: 0 or 1 for a truth value; `None` for texts and lists.
    #[must_use]
    #[expect(
        clippy::cast_precision_loss,
        reason = "a model's input has 53 bits at most anyway"
    )]
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Bool(value) => Some(f64::from(u8::from(*value))),
            Self::Int(value) => Some(*value as f64),
            Self::Double(value) => Some(*value),
            Self::Text(_) | Self::Texts(_) | Self::Doubles(_) => None,
        }
    }
}

/// What a value is worth.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub enum Status {
    Present,
    /// The entity is known, the feature has no value.
    Null,
    /// The entity is unknown, or the feature belongs to another kind of entity.
    NotFound,
    /// There is a value, and it is older than the feature's allowed age.
    OutsideMaxAge,
}

/// One computed feature.
#[derive(Clone, PartialEq, Debug)]
pub struct FeatureValue {
    pub status: Status,
    pub value: Option<Value>,
    /// Time of the newest event that the value rests on.
    pub event_time: Option<Millis>,
}

impl FeatureValue {
    /// The answer for an unknown entity.
    pub const NOT_FOUND: Self = Self {
        status: Status::NotFound,
        value: None,
        event_time: None,
    };
}
