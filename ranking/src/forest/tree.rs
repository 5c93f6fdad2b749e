//! One tree, and what makes it whole.

use serde::{Deserialize, Serialize};

use crate::error::{Error, is_sane};
use crate::trees::{self, Gaps, Question, Way, grow, key};

/// More trees than any ensemble that answers in time.
const MOST_TREES: usize = 20_000;
/// Nodes of all trees together.
const MOST_NODES: usize = 8_000_000;

/// Nodes by number; node 0 is the root.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tree {
    pub nodes: Vec<Node>,
}

/// A question or an answer. Other kinds of questions may follow in later versions of the format.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Node {
    Split(Split),
    /// What the tree adds to the score.
    Leaf(f64),
}

/// A value below `below` goes left, a missing one to the side that `missing` names, any other
/// right. As numbers compare: −0 is 0.
#[derive(Copy, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Split {
    /// Place of the feature in the forest's list.
    pub feature: u32,
    pub below: f32,
    pub missing: Side,
    /// Numbers of the nodes to go on with.
    pub left: u32,
    pub right: u32,
}

#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    Left,
    Right,
}

impl Tree {
    /// A tree of one leaf.
    pub fn leaf(value: f64) -> Self {
        Self {
            nodes: vec![Node::Leaf(value)],
        }
    }

    /// The same tree for the evaluator. The tree must be whole.
    pub(super) fn grown(&self) -> Vec<trees::Node> {
        let node = |at: usize| match self.nodes.get(at) {
            Some(Node::Split(split)) => Ok(trees::Node::Ask {
                question: split.question(),
                left: split.left,
                right: split.right,
            }),
            Some(Node::Leaf(value)) => Ok(trees::Node::Leaf(*value)),
            None => Err((at, String::new())),
        };
        grow(self.nodes.len(), usize::MAX, node).unwrap_or_default()
    }

    fn children(&self, at: u32) -> impl Iterator<Item = u32> + use<> {
        let split = match self.node(at) {
            Some(Node::Split(split)) => Some(*split),
            Some(Node::Leaf(_)) | None => None,
        };
        split
            .into_iter()
            .flat_map(|split| [split.left, split.right])
    }

    pub(super) fn node(&self, at: u32) -> Option<&Node> {
        self.nodes.get(usize::try_from(at).ok()?)
    }
}

impl Split {
    fn question(&self) -> Question {
        Question::Number {
            feature: self.feature,
            // The key of a finite number is above 0. A value goes right when it is not below.
            limit: key(self.below) - 1,
            gaps: Gaps {
                nan: Way::left_if(self.missing == Side::Left),
                zero: None,
            },
        }
    }
}

pub(super) fn check_trees(trees: &[Tree], features: usize) -> Result<(), Error> {
    check_most("trees", trees.len(), MOST_TREES)?;
    let nodes = trees.iter().map(|tree| tree.nodes.len()).sum();
    check_most("nodes of all trees", nodes, MOST_NODES)?;
    for (at, tree) in trees.iter().enumerate() {
        check_tree(tree, features).map_err(|(node, problem)| Error::Tree {
            tree: at,
            node,
            problem,
        })?;
    }
    Ok(())
}

pub(crate) fn check_most(field: &'static str, got: usize, most: usize) -> Result<(), Error> {
    if got <= most {
        Ok(())
    } else {
        Err(Error::TooMany { field, got, most })
    }
}

pub(super) fn check_value(field: &'static str, value: f64) -> Result<(), Error> {
    if is_sane(value) {
        return Ok(());
    }
    Err(Error::Value {
        field,
        value,
        allowed: "a finite number up to 1e15 in size is",
    })
}

/// Whether every node is sound and reached from the root on exactly one way. The first node that
/// is not, and why.
fn check_tree(tree: &Tree, features: usize) -> Result<(), (usize, String)> {
    if tree.nodes.is_empty() {
        return Err((0, "is missing: a tree has at least a leaf".to_owned()));
    }
    for (at, node) in tree.nodes.iter().enumerate() {
        check_node(node, features, tree.nodes.len()).map_err(|problem| (at, problem))?;
    }
    let mut is_reached = vec![false; tree.nodes.len()];
    let mut open = vec![0_u32];
    while let Some(at) = open.pop() {
        // In range, as was checked above.
        let at_index = usize::try_from(at).unwrap_or(usize::MAX);
        let Some(seen) = is_reached.get_mut(at_index) else {
            continue;
        };
        if std::mem::replace(seen, true) {
            return Err((at_index, "is reached on two ways".to_owned()));
        }
        open.extend(tree.children(at));
    }
    match is_reached.iter().position(|reached| !reached) {
        Some(at) => Err((at, "is not reached from the root".to_owned())),
        None => Ok(()),
    }
}

fn check_node(node: &Node, features: usize, nodes: usize) -> Result<(), String> {
    let split = match node {
        Node::Leaf(value) if is_sane(*value) => return Ok(()),
        Node::Leaf(value) => {
            return Err(format!(
                "is a leaf of {value}, a finite number up to 1e15 in size is allowed"
            ));
        }
        Node::Split(split) => split,
    };
    if !is_below(split.feature, features) {
        return Err(format!(
            "asks for feature {}, the forest has {features}",
            split.feature
        ));
    }
    if !split.below.is_finite() {
        return Err(format!(
            "splits below {}, a finite number is allowed",
            split.below
        ));
    }
    let children = [split.left, split.right];
    match children.into_iter().find(|child| !is_below(*child, nodes)) {
        Some(child) => Err(format!("leads to node {child}, the tree has {nodes}")),
        None => Ok(()),
    }
}

fn is_below(index: u32, length: usize) -> bool {
    usize::try_from(index).is_ok_and(|index| index < length)
}
