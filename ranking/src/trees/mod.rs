//! Scoring many rows with many trees: the one evaluator behind every file format.
//!
//! | module | holds |
//! |---|---|
//! | `question` | what nodes ask: numbers and sets of categories, with the ways of what is missing |
//! | `grow` | trees of a file, brought into the order that the others rely on |
//! | `lanes` | values become bytes, once for each row and question that differs |
//! | `select` | a tree answers for a block of rows |
//! | `walk` | a tree is walked down for one row |
//!
//! A score is `base + Σ leaf`, summed in the order of the trees, for each row by itself: the bits
//! of a score do not depend on which rows were scored with it.

mod grow;
mod lanes;
mod question;
mod select;
mod walk;

pub(crate) use grow::grow;
use lanes::{Lane, Lanes, ROWS};
use select::Select;
use walk::Walk;

pub(crate) use question::{Gaps, NEARLY_ZERO, Node, Question, Set, Sets, Way, key};

/// What asking one question of a whole block costs, in steps of one row down a tree.
const STEPS_A_CHOICE: usize = 4;

/// How leaves are added up: as the library does whose model it is.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Sum {
    Double,
    Single,
}

/// Trees, ready to score.
#[derive(Clone, Debug)]
pub(crate) struct Trees {
    columns: usize,
    base: f64,
    sum: Sum,
    lanes: Lanes,
    trees: Vec<Layout>,
}

#[derive(Clone, Debug)]
struct Layout {
    /// For as many rows as this, or more.
    select: Option<(usize, Select)>,
    walk: Walk,
}

impl Trees {
    /// Trees over rows of `columns` values; they must be whole, ask for features below `columns`,
    /// and name sets of `sets`.
    pub(crate) fn new(
        columns: usize,
        base: f64,
        sum: Sum,
        sets: Sets,
        trees: &[Vec<Node>],
    ) -> Self {
        let lanes = Lanes::new(trees.iter().flatten(), sets.into_list());
        let layout = |tree: &Vec<Node>| Layout::new(tree, &lanes);
        Self {
            columns,
            base,
            sum,
            trees: trees.iter().map(layout).collect(),
            lanes,
        }
    }

    /// Questions on the longest way to a leaf of a tree.
    pub(crate) fn depth(tree: &[Node]) -> usize {
        walk::depth(tree)
    }

    /// Fills `out`, one score for each row of `rows`, which must be as long as `out` rows are.
    pub(crate) fn score(&self, rows: &[f32], out: &mut [f64]) {
        match self.sum {
            Sum::Double => self.score_by(rows, out, |sum, leaf| *sum += leaf),
            Sum::Single => self.score_by(rows, out, |sum, leaf| {
                *sum = f64::from(single(*sum) + single(leaf));
            }),
        }
    }

    fn score_by(&self, rows: &[f32], out: &mut [f64], add: impl Fn(&mut f64, f64) + Copy) {
        if let [score] = out {
            let mut bytes = Vec::new();
            self.lanes.fill_alone(rows, &mut bytes);
            *score = self.base;
            for tree in &self.trees {
                add(score, tree.walk.leaf_alone(&bytes));
            }
            return;
        }
        let mut lanes = Vec::new();
        for (at, scores) in out.chunks_mut(ROWS).enumerate() {
            let from = at * ROWS * self.columns;
            let values = &rows[from..from + scores.len() * self.columns];
            self.lanes.fill(values, self.columns, &mut lanes);
            scores.fill(self.base);
            for tree in &self.trees {
                tree.add(&lanes, scores, add);
            }
        }
    }
}

impl Layout {
    fn new(tree: &[Node], lanes: &Lanes) -> Self {
        let rows = (STEPS_A_CHOICE * (tree.len() / 2)).checked_div(walk::depth(tree));
        let pays = rows.filter(|rows| *rows <= ROWS);
        Self {
            select: pays.and_then(|rows| Some((rows, Select::new(tree, lanes)?))),
            walk: Walk::new(tree, lanes),
        }
    }

    #[inline]
    fn add(&self, lanes: &[Lane], scores: &mut [f64], add: impl Fn(&mut f64, f64)) {
        match &self.select {
            Some((rows, select)) if scores.len() >= *rows => {
                let leaves = select.leaves();
                for (score, leaf) in scores.iter_mut().zip(select.find(lanes)) {
                    add(score, leaves[usize::from(leaf)]);
                }
            }
            Some(_) | None => self.walk.add(lanes, scores, add),
        }
    }
}

/// What is added in single precision was single before.
#[inline]
#[expect(
    clippy::cast_possible_truncation,
    reason = "single precision is meant: the library whose model it is adds so"
)]
fn single(value: f64) -> f32 {
    value as f32
}
