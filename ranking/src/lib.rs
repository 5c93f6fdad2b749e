//! Scoring: which of the retrieved items to show first, and how likely a cart is to be left.
//!
//! | module | holds |
//! |---|---|
//! | [`matrix`] | [`Matrix`], row-major, its columns named in [`COLUMNS`] |
//! | [`mod@assemble`] | [`assemble()`]: a cart and its candidates become a matrix |
//! | [`linear`] | the [`Ranker`] trait and the [`LinearRanker`] |
//! | [`forest`] | a [`Forest`] of decision trees and its file format |
//! | [`risk`] | the calibrated [`RiskModel`], or a stated prior |
//! | [`error`] | why a model file was refused |
//!
//! Nothing here knows where a number came from, what it costs, or who asks: values in, scores out.

pub mod assemble;
pub mod error;
pub mod forest;
pub mod linear;
pub mod matrix;
pub mod risk;

pub use assemble::{CartSummary, ItemFacts, assemble};
pub use error::Error;
pub use forest::Forest;
pub use linear::{LinearRanker, Ranker};
pub use matrix::{COLUMNS, Column, Matrix};
pub use risk::{
    Boosted, Calibration, Calibrator, CutOff, Isotonic, Logistic, Prior, QUIET, Quality, RiskModel,
    Standing, narrow, sigmoid,
};
