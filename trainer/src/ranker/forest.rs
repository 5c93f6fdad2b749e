//! Trees that learn the order of each moment's candidates.

use ranking::forest::{Node, Split, Tree};
use ranking::{Columns, Forest, Ranker};

use super::asked::Shown;
use crate::Error;
use crate::boost::{Boosted, Examples, Objective, Settings, boost};

/// Share of the moments, the earliest, that trees are grown on while the rest says when to stop.
const GROWN: f64 = 0.8;

pub(super) fn settings(seed: u64) -> Settings {
    Settings {
        objective: Objective::LambdaRank,
        trees: 200,
        depth: 6,
        leaves: 24,
        rate: 0.08,
        leaf_rows: 50,
        penalty: 2.0,
        bins: 128,
        row_share: 0.8,
        column_share: 0.6,
        patience: 25,
        seed,
    }
}

/// Grows on the earlier moments and keeps as many trees as are best on the later ones.
pub(super) fn fit(columns: &Columns, shown: &[Shown<'_>], seed: u64) -> Result<Boosted, Error> {
    let (early, late) = crate::parts::share(shown, GROWN);
    let held_out = examples(late);
    let held_out = (!held_out.is_empty()).then_some(held_out);
    boost(
        columns.names(),
        &examples(early),
        held_out.as_ref(),
        &settings(seed),
    )
}

/// Grows on all moments, as many trees as were best before.
pub(super) fn refit(
    columns: &Columns,
    shown: &[Shown<'_>],
    trees: usize,
    seed: u64,
) -> Result<Boosted, Error> {
    let settings = Settings {
        trees: trees.max(1),
        ..settings(seed)
    };
    boost(columns.names(), &examples(shown), None, &settings)
}

fn examples(shown: &[Shown<'_>]) -> Examples {
    let mut examples = Examples::default();
    // Without anything worth showing there is no order to learn.
    let told = |one: &&Shown<'_>| one.worth.iter().any(|worth| *worth > 0.0);
    for one in shown.iter().filter(told) {
        examples.values.extend_from_slice(one.rows.values());
        examples.labels.extend_from_slice(&one.worth);
        examples.groups.push(one.worth.len());
    }
    examples
}

/// The ranker of a forest, without the columns that it never asks for: serving need not compute
/// them.
pub(super) fn ranker(forest: &Forest, note: &str) -> Result<Ranker, Error> {
    let mut is_asked = vec![false; forest.features().len()];
    for split in forest.trees().iter().flat_map(splits) {
        is_asked[split.feature as usize] = true;
    }
    let mut places = vec![0; is_asked.len()];
    let mut names = Vec::new();
    for (at, name) in forest.features().iter().enumerate() {
        if is_asked[at] {
            places[at] = u32::try_from(names.len()).unwrap_or(u32::MAX);
            names.push(name.clone());
        }
    }
    let moved = |node: &Node| match node {
        Node::Split(split) => Node::Split(Split {
            feature: places[split.feature as usize],
            ..*split
        }),
        Node::Leaf(value) => Node::Leaf(*value),
    };
    let trees = forest.trees().iter().map(|tree| Tree {
        nodes: tree.nodes.iter().map(moved).collect(),
    });
    let forest = Forest::new(names, forest.base_score(), trees.collect())?;
    Ok(Ranker::forest(forest, note)?)
}

fn splits(tree: &Tree) -> impl Iterator<Item = &Split> {
    tree.nodes.iter().filter_map(|node| match node {
        Node::Split(split) => Some(split),
        Node::Leaf(_) => None,
    })
}
