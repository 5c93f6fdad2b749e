//! Features: named, typed numbers and texts, computed from one read of a shopper or an item.
//!
//! The [`Registry`] is the one list of them; a [`Plan`] is a list of names resolved once and
//! computed many times. Adding a feature is adding a row to `shopper.rs` or `item.rs`.

mod counts;
mod item;
mod plan;
mod registry;
mod shopper;
mod value;

pub use plan::Plan;
pub use registry::{EntityKind, FeatureDef, Registry, UnknownFeature};
pub use value::{FeatureValue, Status, Value, ValueType};

#[cfg(test)]
mod tests;
