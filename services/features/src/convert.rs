//! Protobuf to domain and back. Everything that a client sends is checked here against the limits
//! that the contract states, and a refusal names the field by its path.

pub(crate) mod event;
pub(crate) mod export;
pub(crate) mod feature;
pub(crate) mod item;
pub(crate) mod row;
pub(crate) mod shopper;
pub(crate) mod time;
