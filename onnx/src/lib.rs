//! Networks in the ONNX format, run by `tract`: rows of numbers in, rows of numbers out.
//!
//! | module | holds |
//! |---|---|
//! | `limits` | what a file may ask for: operators, sizes of tensors |
//! | `sizes` | how much a node may be told to make |
//! | `proto` | what is looked at before a network is built: inputs, names of features |
//! | [`network`] | [`Network`]: a network that was built, and running it |
//! | [`error`] | why a file was refused, or could not be run |
//!
//! The ranker and the retrieval of candidates share it, and nothing else here knows `tract`.

pub mod error;
mod limits;
pub mod network;
mod proto;
mod sizes;

pub use error::Error;
pub use network::Network;
