//! Trees of another library, and what it makes of their sum.

use super::{Model, check_rows};
use crate::error::Error;
use crate::risk::sigmoid;
use crate::trees::{Node, Sets, Sum, Trees};

/// The function that turns a sum of leaves into a score.
#[derive(Copy, Clone, Debug, PartialEq)]
pub enum Output {
    Identity,
    /// 1 / (1 + e^−kx)
    Sigmoid {
        k: f64,
    },
    /// e^x
    Exp,
    /// ln(1 + e^x)
    LogOnePlusExp,
    /// x · |x|
    SignedSquare,
    /// 1 above 0, else 0
    Step,
}

impl Output {
    fn of(self, x: f64) -> f64 {
        match self {
            Self::Identity => x,
            Self::Sigmoid { k } => sigmoid(k * x),
            Self::Exp => x.exp(),
            Self::LogOnePlusExp => x.exp().ln_1p(),
            Self::SignedSquare => x * x.abs(),
            Self::Step => f64::from(u8::from(x > 0.0)),
        }
    }

    fn describe(self) -> String {
        match self {
            Self::Identity => "the sum".to_owned(),
            Self::Sigmoid { k } => format!("1 / (1 + exp(-{k} * sum))"),
            Self::Exp => "exp(sum)".to_owned(),
            Self::LogOnePlusExp => "ln(1 + exp(sum))".to_owned(),
            Self::SignedSquare => "sum * |sum|".to_owned(),
            Self::Step => "1 when the sum is above 0, else 0".to_owned(),
        }
    }
}

/// A model of boosted or averaged trees.
#[derive(Clone, Debug)]
pub struct TreeModel {
    features: Vec<String>,
    trees: Trees,
    /// The sum is divided by it before the output's function is applied.
    divisor: f64,
    output: Output,
    about: Vec<(&'static str, String)>,
}

/// What a reader of a format found.
pub(super) struct Read {
    /// The format and its version.
    pub(super) from: String,
    pub(super) objective: String,
    pub(super) features: Vec<String>,
    pub(super) base: f64,
    pub(super) sum: Sum,
    pub(super) sets: Sets,
    pub(super) trees: Vec<Vec<Node>>,
    pub(super) divisor: f64,
    pub(super) output: Output,
}

impl TreeModel {
    pub(super) fn new(read: Read) -> Self {
        let about = describe(&read);
        Self {
            trees: Trees::new(
                read.features.len(),
                read.base,
                read.sum,
                read.sets,
                &read.trees,
            ),
            features: read.features,
            divisor: read.divisor,
            output: read.output,
            about,
        }
    }

    pub fn output(&self) -> Output {
        self.output
    }

    fn each(&self, rows: &[f32], out: &mut [f64], last: impl Fn(f64) -> f64) -> Result<(), Error> {
        check_rows(self.features.len(), rows, out)?;
        self.trees.score(rows, out);
        out.iter_mut().for_each(|score| *score = last(*score));
        Ok(())
    }
}

impl Model for TreeModel {
    fn features(&self) -> &[String] {
        &self.features
    }

    fn score(&self, rows: &[f32], out: &mut [f64]) -> Result<(), Error> {
        self.each(rows, out, |sum| self.output.of(sum / self.divisor))
    }

    fn raw(&self, rows: &[f32], out: &mut [f64]) -> Result<(), Error> {
        self.each(rows, out, |sum| sum)
    }

    fn is_probability(&self) -> bool {
        match self.output {
            Output::Sigmoid { .. } => true,
            Output::Identity
            | Output::Exp
            | Output::LogOnePlusExp
            | Output::SignedSquare
            | Output::Step => false,
        }
    }

    fn describe(&self) -> Vec<(&'static str, String)> {
        self.about.clone()
    }
}

fn describe(read: &Read) -> Vec<(&'static str, String)> {
    let leaves = |tree: &Vec<Node>| tree.len() / 2 + 1;
    let most = read.trees.iter().map(leaves).max().unwrap_or(0);
    let all: usize = read.trees.iter().map(leaves).sum();
    let deepest = read.trees.iter().map(|tree| Trees::depth(tree)).max();
    let mut about = vec![
        ("format", read.from.clone()),
        ("objective", read.objective.clone()),
        ("score", read.output.describe()),
        ("trees", read.trees.len().to_string()),
        ("leaves", format!("{all}, at most {most} in a tree")),
        ("deepest tree", deepest.unwrap_or(0).to_string()),
        ("base", read.base.to_string()),
    ];
    if read.sets.len() > 0 {
        about.push(("sets of categories", read.sets.len().to_string()));
    }
    if read.divisor > 1.0 {
        about.push(("divided by", read.divisor.to_string()));
    }
    about
}
