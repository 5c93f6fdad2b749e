//! Gradient boosting: decision trees, each fitted to what those before it left wrong (Friedman
//! 2001), over histograms of binned columns, with second derivatives (Chen and Guestrin 2016).
//!
//! | module | what it does |
//! |---|---|
//! | `bins` | columns become numbers of bins |
//! | `loss` | losses with their derivatives: logistic, squared, two for orders |
//! | `histogram` | sums of derivatives by bin, and the best split by them |
//! | `grow` | one tree, leaf by leaf |
//!
//! The work is shared out by columns, and every sum is taken in the order of the rows: the same
//! examples give the same forest to the last bit, on any number of threads.

mod bins;
mod grow;
mod histogram;
mod loss;
mod sample;
#[cfg(test)]
mod tests;

use ranking::Forest;
use ranking::forest::{Node, Side, Tree};

use crate::Error;
use crate::metrics::real;
use crate::prng::SplitMix64;
use bins::Bins;
use sample::Sampler;

/// What the forest's scores are to be.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Objective {
    /// Log-odds of labels 0 and 1.
    Logistic,
    /// The mean of labels.
    Squared,
    /// An order in each group: cross-entropy of the softmax of scores against labels as shares
    /// (Cao et al. 2007, with gains themselves in place of their exponentials).
    ListNet,
    /// An order in each group: pairs, weighed by how much nDCG a swap would change (Burges 2010).
    LambdaRank,
}

/// Rows to learn from or to judge by.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Examples {
    /// Row-major; NaN is missing.
    pub values: Vec<f32>,
    /// One a row. For an order: how much it is worth to show the row first, 0 or more.
    pub labels: Vec<f64>,
    /// How many rows each group has, in the order of the rows; empty where no order is learned.
    pub groups: Vec<usize>,
}

/// How to grow.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    pub objective: Objective,
    /// At most, 1 to 5,000; fewer when the held-out loss rises before.
    pub trees: usize,
    /// Questions on the longest way, 1 to 32.
    pub depth: usize,
    /// Leaves of a tree at most, 2 to 4,096.
    pub leaves: usize,
    /// Share of each tree's answer that is added, above 0 up to 1.
    pub rate: f64,
    /// Rows of a leaf at least, 1 or more.
    pub leaf_rows: usize,
    /// λ on the squared answers of leaves, 0 or more.
    pub penalty: f64,
    /// Bins of a column at most, 2 to 254.
    pub bins: usize,
    /// Share of rows, or of groups, that each tree sees, above 0 up to 1.
    pub row_share: f64,
    /// Share of columns that each tree sees, above 0 up to 1.
    pub column_share: f64,
    /// Trees without a better held-out loss after which growing ends.
    pub patience: usize,
    pub seed: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            objective: Objective::Logistic,
            trees: 300,
            depth: 6,
            leaves: 31,
            rate: 0.05,
            leaf_rows: 20,
            penalty: 1.0,
            bins: 254,
            row_share: 1.0,
            column_share: 1.0,
            patience: 30,
            seed: 1,
        }
    }
}

/// A forest and how it came about.
#[derive(Clone, Debug)]
pub struct Boosted {
    pub forest: Forest,
    /// How much of the training loss the splits of each feature took away, by place.
    pub gains: Vec<f64>,
    /// The held-out loss before the first tree and after each, as far as growing went; empty
    /// without held-out examples.
    pub losses: Vec<f64>,
}

/// Learns from `train`. With `held_out`, as many trees are kept as were best there; for an order
/// the loss is then 1 − nDCG@20, or the cross-entropy, see [`Objective`].
pub fn boost(
    names: &[String],
    train: &Examples,
    held_out: Option<&Examples>,
    settings: &Settings,
) -> Result<Boosted, Error> {
    settings.validate()?;
    train.validate(names.len(), settings)?;
    if let Some(examples) = held_out {
        examples.validate(names.len(), settings)?;
    }
    let mut run = Run::new(names.len(), train, held_out, settings);
    let mut gains = vec![Vec::new(); names.len()];
    while run.grow(&mut gains) {}
    let trees = run.best_trees();
    Ok(Boosted {
        gains: gains
            .iter()
            .map(|by_tree| total_of(by_tree, trees.len()))
            .collect(),
        losses: run.losses,
        forest: Forest::new(names.to_vec(), run.base, trees)?,
    })
}

/// Gains of (tree, gain) of the trees that were kept.
fn total_of(by_tree: &[(usize, f64)], kept: usize) -> f64 {
    let kept = by_tree.iter().filter(|(tree, _)| *tree < kept);
    kept.map(|(_, gain)| gain).sum()
}

struct Run<'a> {
    settings: &'a Settings,
    train: &'a Examples,
    held_out: Option<&'a Examples>,
    columns: usize,
    bins: Bins,
    sampler: Sampler,
    base: f64,
    scores: Vec<f64>,
    held_out_scores: Vec<f64>,
    trees: Vec<Tree>,
    losses: Vec<f64>,
}

impl<'a> Run<'a> {
    fn new(
        columns: usize,
        train: &'a Examples,
        held_out: Option<&'a Examples>,
        settings: &'a Settings,
    ) -> Self {
        let base = loss::base(settings.objective, &train.labels);
        let held_out_scores = vec![base; held_out.map_or(0, |examples| examples.labels.len())];
        let mut run = Self {
            settings,
            train,
            held_out,
            columns,
            bins: Bins::new(&train.values, columns, settings.bins),
            sampler: Sampler::new(settings, train, columns, SplitMix64::new(settings.seed)),
            base,
            scores: vec![base; train.labels.len()],
            held_out_scores,
            trees: Vec::new(),
            losses: Vec::new(),
        };
        run.judge();
        run
    }

    /// Adds a tree, if there is one worth adding.
    fn grow(&mut self, gains: &mut [Vec<(usize, f64)>]) -> bool {
        if self.trees.len() >= self.settings.trees || self.is_past_best() {
            return false;
        }
        let slopes = loss::slopes(self.settings.objective, self.train, &self.scores);
        let (rows, columns) = self.sampler.next();
        let grown = grow::grow(&self.bins, &slopes, rows, &columns, self.settings);
        if grown.tree.nodes.len() < 2 {
            return false;
        }
        for (column, gain) in grown.gains {
            gains[column].push((self.trees.len(), gain));
        }
        add(
            &grown.tree,
            &self.train.values,
            self.columns,
            &mut self.scores,
        );
        if let Some(examples) = self.held_out {
            add(
                &grown.tree,
                &examples.values,
                self.columns,
                &mut self.held_out_scores,
            );
        }
        self.trees.push(grown.tree);
        self.judge();
        true
    }

    fn judge(&mut self) {
        if let Some(examples) = self.held_out {
            let objective = self.settings.objective;
            self.losses
                .push(loss::loss(objective, examples, &self.held_out_scores));
        }
    }

    fn is_past_best(&self) -> bool {
        self.losses.len() > self.best() + self.settings.patience
    }

    /// The first place of the least held-out loss.
    fn best(&self) -> usize {
        let places = self.losses.iter().enumerate();
        let least = places.min_by(|a, b| a.1.total_cmp(b.1).then(a.0.cmp(&b.0)));
        least.map_or(0, |(place, _)| place)
    }

    fn best_trees(&mut self) -> Vec<Tree> {
        if self.held_out.is_some() {
            let best = self.best();
            self.trees.truncate(best);
        }
        std::mem::take(&mut self.trees)
    }
}

/// Adds the tree's answer for each row.
fn add(tree: &Tree, values: &[f32], columns: usize, scores: &mut [f64]) {
    use rayon::prelude::*;
    scores
        .par_iter_mut()
        .enumerate()
        .with_min_len(1_024)
        .for_each(|(row, score)| {
            *score += answer(tree, &values[row * columns..(row + 1) * columns]);
        });
}

fn answer(tree: &Tree, row: &[f32]) -> f64 {
    let mut at = 0_u32;
    loop {
        match &tree.nodes[at as usize] {
            Node::Leaf(value) => return *value,
            Node::Split(split) => {
                let value = row[split.feature as usize];
                let is_left = value < split.below || value.is_nan() && split.missing == Side::Left;
                at = if is_left { split.left } else { split.right };
            }
        }
    }
}

impl Examples {
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    fn validate(&self, columns: usize, settings: &Settings) -> Result<(), Error> {
        let wrong = |problem: String| Err(Error::Examples { problem });
        if columns == 0 || self.labels.is_empty() {
            return wrong(format!(
                "{} rows of {columns} columns, at least one of each is needed",
                self.labels.len()
            ));
        }
        if self.values.len() != columns * self.labels.len() {
            return wrong(format!(
                "{} values for {} rows of {columns} columns",
                self.values.len(),
                self.labels.len()
            ));
        }
        let rows = self.groups.iter().sum::<usize>();
        if settings.objective.is_order() && rows != self.labels.len() {
            return wrong(format!(
                "groups of {rows} rows in all for {} rows",
                self.labels.len()
            ));
        }
        let allowed = settings.objective.labels();
        match self.labels.iter().find(|label| !allowed.0.contains(label)) {
            Some(label) => wrong(format!("a label is {label}, {} is allowed", allowed.1)),
            None => Ok(()),
        }
    }
}

impl Objective {
    pub(crate) fn is_order(self) -> bool {
        match self {
            Self::ListNet | Self::LambdaRank => true,
            Self::Logistic | Self::Squared => false,
        }
    }

    fn labels(self) -> (std::ops::RangeInclusive<f64>, &'static str) {
        match self {
            Self::Logistic => (0.0..=1.0, "0 to 1"),
            Self::Squared => (-1e12..=1e12, "-1e12 to 1e12"),
            Self::ListNet | Self::LambdaRank => (0.0..=1e6, "0 to 1e6"),
        }
    }
}

impl Settings {
    fn validate(&self) -> Result<(), Error> {
        let whole = |field, value: usize, range: std::ops::RangeInclusive<usize>, allowed| {
            check(field, range.contains(&value), value.to_string(), allowed)
        };
        whole("trees", self.trees, 1..=5_000, "1 to 5000")?;
        whole("depth", self.depth, 1..=32, "1 to 32")?;
        whole("leaves", self.leaves, 2..=4_096, "2 to 4096")?;
        whole("bins", self.bins, 2..=254, "2 to 254")?;
        whole("leaf_rows", self.leaf_rows, 1..=1 << 31, "1 to 2147483648")?;
        let share = |field, value: f64| {
            let holds = value > 0.0 && value <= 1.0;
            check(field, holds, value.to_string(), "above 0 up to 1")
        };
        share("rate", self.rate)?;
        share("row_share", self.row_share)?;
        share("column_share", self.column_share)?;
        let penalty = (0.0..=1e9).contains(&self.penalty);
        check("penalty", penalty, self.penalty.to_string(), "0 to 1e9")
    }
}

fn check(
    field: &'static str,
    holds: bool,
    value: String,
    allowed: &'static str,
) -> Result<(), Error> {
    if holds {
        return Ok(());
    }
    Err(Error::Option {
        field,
        value,
        allowed,
    })
}

/// A share of `count`, at least one.
fn share_of(count: usize, share: f64) -> f64 {
    (real(count) * share).max(1.0)
}
