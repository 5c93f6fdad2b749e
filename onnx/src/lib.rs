//! Networks in the ONNX format, run by `tract`: rows of numbers in, rows of numbers out.
//!
//! | module | holds |
//! |---|---|
//! | `proto` | what is looked at before a network is built: operators, inputs, names of features |
//! | [`network`] | [`Network`]: a network that was built, and running it |
//! | [`error`] | why a file was refused, or could not be run |
//!
//! The ranker and the retrieval of candidates share it, and nothing else here knows `tract`.

pub mod error;
pub mod network;
mod proto;

pub use error::Error;
pub use network::Network;
