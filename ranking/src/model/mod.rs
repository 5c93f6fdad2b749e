//! Models as teams have them, behind one trait.
//!
//! | module | reads |
//! |---|---|
//! | `format` | which format a file is of; [`load`] |
//! | `foreign` | one in the place of a ranker or a risk model of ours |
//! | [`lightgbm`] | LightGBM's text |
//! | [`xgboost`] | XGBoost's JSON |
//! | `network` | ONNX, which the crate `onnx` runs |
//! | `own` | files of our trainer: forests, rankers, risk models |
//! | `tree_model` | [`TreeModel`]: trees, and what is made of their sum |

mod foreign;
mod format;
pub mod lightgbm;
mod limits;
mod network;
mod own;
mod tree_model;
pub mod xgboost;

use std::fmt;

use crate::error::{Error, check_length};

pub use foreign::Foreign;
pub use format::{Format, load};
pub use network::network_with_features;
pub use tree_model::{Output, TreeModel};

/// A loaded model: rows of numbers in, one score a row out.
pub trait Model: fmt::Debug + Send + Sync {
    /// Names of the values of a row, in order.
    fn features(&self) -> &[String];

    /// Fills `out`, one score a row, as the library does that the model comes from. `rows` is
    /// row-major with one value for each of [`Model::features`]; NaN is a missing value.
    ///
    /// # Errors
    /// When `rows` does not hold a row for each of `out`, or the engine fails.
    fn score(&self, rows: &[f32], out: &mut [f64]) -> Result<(), Error>;

    /// As [`Model::score`], before the last function is applied that makes the sum of trees a
    /// probability or a count.
    ///
    /// # Errors
    /// As [`Model::score`].
    fn raw(&self, rows: &[f32], out: &mut [f64]) -> Result<(), Error> {
        self.score(rows, out)
    }

    /// Whether scores are chances, 0 to 1, by what the file says.
    fn is_probability(&self) -> bool {
        false
    }

    /// What it is, for a reader: names and values, in the order to show them.
    fn describe(&self) -> Vec<(&'static str, String)>;
}

pub(crate) fn check_rows(features: usize, rows: &[f32], out: &[f64]) -> Result<(), Error> {
    check_length("rows", rows.len(), features.saturating_mul(out.len()))
}
