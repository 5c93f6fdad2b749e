//! Sums of decision trees, and how to score many rows with them quickly.
//!
//! | module | holds |
//! |---|---|
//! | `tree` | [`Tree`] and [`Node`]: what a forest is made of, and what makes a tree whole |
//! | `file` | the file format |
//! | `layout` | the same trees, laid out for walking many rows at once |
//!
//! A score is `base_score + Σ leaf`, summed in `f64` in the order of the trees, for each row by
//! itself: the bits of a score do not depend on which rows were scored with it. What a score means
//! (log-odds, money, an order) is the caller's business.

mod file;
mod layout;
mod tree;

use crate::error::{Error, check_length};
use layout::{Keys, Layout};

pub(crate) use file::File;
pub use tree::{Node, Side, Split, Tree};

/// Rows walked down one tree before the next: their keys and the tree stay in the first cache.
const BLOCK: usize = 128;

/// An ensemble of trees over named features. What is held was checked: every score is finite.
#[derive(Clone, Debug)]
pub struct Forest {
    features: Vec<String>,
    base_score: f64,
    trees: Vec<Tree>,
    layouts: Vec<Layout>,
}

impl Forest {
    /// Trees whose splits name features by their place in `features`. Refuses trees that are not
    /// whole, values that are not finite, and what is beyond the limits of the format.
    pub fn new(features: Vec<String>, base_score: f64, trees: Vec<Tree>) -> Result<Self, Error> {
        file::check_features(&features)?;
        tree::check_value("base_score", base_score)?;
        tree::check_trees(&trees, features.len())?;
        Ok(Self {
            layouts: trees.iter().map(Layout::new).collect(),
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
        let mut keys = Keys::default();
        for (at, scores) in out.chunks_mut(BLOCK).enumerate() {
            let from = at * BLOCK * columns;
            let values = &rows[from..from + scores.len() * columns];
            keys.fill(values, columns, scores.len());
            scores.fill(self.base_score);
            for tree in &self.layouts {
                tree.add(&keys, scores);
            }
        }
        Ok(())
    }
}

impl PartialEq for Forest {
    /// Layouts follow from the rest.
    fn eq(&self, other: &Self) -> bool {
        self.features == other.features
            && self.base_score.to_bits() == other.base_score.to_bits()
            && self.trees == other.trees
    }
}
