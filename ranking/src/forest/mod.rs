//! Sums of decision trees, and how to score many rows with them quickly.
//!
//! | module | holds |
//! |---|---|
//! | `tree` | [`Tree`] and [`Node`]: what a forest is made of, and what makes a tree whole |
//! | `file` | the file format |
//!
//! A score is `base_score + Σ leaf`, summed in `f64` in the order of the trees, for each row by
//! itself: the bits of a score do not depend on which rows were scored with it. What a score means
//! (log-odds, money, an order) is the caller's business.

mod file;
mod tree;

use crate::error::{Error, check_length};
use crate::trees::{Sets, Sum, Trees};

pub(crate) use file::{File, check_features};
pub(crate) use tree::check_most;
pub use tree::{Node, Side, Split, Tree};

/// An ensemble of trees over named features. What is held was checked: every score is finite.
#[derive(Clone, Debug)]
pub struct Forest {
    features: Vec<String>,
    base_score: f64,
    trees: Vec<Tree>,
    ready: Trees,
}

impl Forest {
    /// Trees whose splits name features by their place in `features`. Refuses trees that are not
    /// whole, values that are not finite, and what is beyond the limits of the format.
    pub fn new(features: Vec<String>, base_score: f64, trees: Vec<Tree>) -> Result<Self, Error> {
        check_features(&features)?;
        tree::check_value("base_score", base_score)?;
        tree::check_trees(&trees, features.len())?;
        let grown: Vec<_> = trees.iter().map(Tree::grown).collect();
        Ok(Self {
            ready: Trees::new(
                features.len(),
                base_score,
                Sum::Double,
                Sets::default(),
                &grown,
            ),
            features,
            base_score,
            trees,
        })
    }

    /// Names of the columns of a row, in order.
    pub fn features(&self) -> &[String] {
        &self.features
    }

    pub fn base_score(&self) -> f64 {
        self.base_score
    }

    pub fn trees(&self) -> &[Tree] {
        &self.trees
    }

    /// Fills `out` with one score per row. `rows` is row-major with `columns` values a row, one for
    /// each of [`Self::features`]; NaN is a missing value and goes to the side that a split names.
    pub fn score_rows(&self, rows: &[f32], columns: usize, out: &mut [f64]) -> Result<(), Error> {
        check_length("a row of the forest", columns, self.features.len())?;
        check_length("rows", rows.len(), columns.saturating_mul(out.len()))?;
        self.ready.score(rows, out);
        Ok(())
    }
}

impl PartialEq for Forest {
    /// What is ready to score follows from the rest.
    fn eq(&self, other: &Self) -> bool {
        self.features == other.features
            && self.base_score.to_bits() == other.base_score.to_bits()
            && self.trees == other.trees
    }
}
