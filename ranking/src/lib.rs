//! Scoring: which of the retrieved items to show first, and how likely a cart is to be left.
//!
//! | module | holds |
//! |---|---|
//! | [`matrix`] | [`Columns`], by name, and the [`Matrix`] of their values, row-major |
//! | [`mod@assemble`] | [`assemble()`]: a moment and its candidates become a matrix |
//! | [`ranker`] | the [`Ranker`] of a snapshot, linear or a forest |
//! | [`linear`] | weights of columns |
//! | [`forest`] | a [`Forest`] of decision trees and its file format |
//! | [`mod@model`] | the [`Model`] trait: LightGBM's, XGBoost's and our own files behind one face |
//! | [`risk`] | the calibrated [`RiskModel`], or a stated prior |
//! | [`error`] | why a model file was refused |
//!
//! Nothing here knows where a number came from, what it costs, or who asks: values in, scores out.

pub mod assemble;
pub mod error;
pub mod forest;
pub mod linear;
pub mod matrix;
pub mod model;
pub mod ranker;
pub mod risk;
mod trees;

pub use assemble::{CartSummary, ItemFacts, Scene, Touch, TouchKind, assemble};
pub use error::Error;
pub use forest::Forest;
pub use linear::Linear;
pub use matrix::{Column, Columns, Matrix};
pub use model::{Format, Model};
pub use ranker::{Ranker, RankerKind};
pub use risk::{
    Boosted, Calibration, Calibrator, CutOff, Isotonic, Logistic, Prior, QUIET, Quality, RiskModel,
    Standing, narrow, sigmoid,
};
