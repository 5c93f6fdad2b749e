//! One tree of XGBoost.

use std::collections::BTreeMap;

use super::json::Tree;
use crate::error::{Error, is_sane};
use crate::model::limits::DEEPEST;
use crate::trees::{Gaps, Node, Question, Set, Sets, Way, grow, key};

/// The first category that single precision cannot tell from the next.
const MOST_CATEGORIES: u32 = 1 << 24;

/// What is wrong with a tree whose number is not known here.
pub(super) enum Problem {
    Node((usize, String)),
    Field {
        name: String,
        value: String,
        allowed: String,
    },
    Whole(Error),
}

impl Problem {
    pub(super) fn at(self, tree: usize) -> Error {
        match self {
            Self::Whole(error) => error,
            Self::Node((node, problem)) => Error::Tree {
                tree,
                node,
                problem,
            },
            Self::Field {
                name,
                value,
                allowed,
            } => Error::field(&format!("tree {tree}: {name}"), &value, &allowed),
        }
    }
}

fn field(
    name: &str,
    value: &(impl ToString + ?Sized),
    allowed: &(impl ToString + ?Sized),
) -> Problem {
    Problem::Field {
        name: name.to_owned(),
        value: value.to_string(),
        allowed: allowed.to_string(),
    }
}

/// Nodes that were cut off in pruning are in the file and on no way.
pub(super) fn read(
    tree: &Tree,
    weight: f32,
    features: usize,
    sets: &mut Sets,
) -> Result<Vec<Node>, Problem> {
    check_lengths(tree)?;
    if tree.tree_param.size_leaf_vector > 1 {
        return Err(Problem::Whole(Error::Refused {
            what: format!(
                "a tree of several outputs (size_leaf_vector={})",
                tree.tree_param.size_leaf_vector
            ),
            instead: "one score a row is supported: train with multi_strategy=one_output_per_tree",
        }));
    }
    let sets = categories(tree, features, sets)?;
    let reader = Reader {
        tree,
        weight,
        features,
        sets,
    };
    let nodes = tree.left_children.len();
    grow(nodes, DEEPEST, |at| reader.node(at)).map_err(Problem::Node)
}

fn check_lengths(tree: &Tree) -> Result<(), Problem> {
    let nodes = tree.left_children.len();
    if nodes == 0 {
        return Err(field("left_children", "empty", "at least one node is"));
    }
    let lengths = [
        ("right_children", tree.right_children.len()),
        ("split_indices", tree.split_indices.len()),
        ("split_conditions", tree.split_conditions.len()),
        ("default_left", tree.default_left.len()),
    ];
    let kinds = (!tree.split_type.is_empty()).then_some(("split_type", tree.split_type.len()));
    let mut lengths = lengths.into_iter().chain(kinds);
    match lengths.find(|(_, length)| *length != nodes) {
        None => Ok(()),
        Some((name, length)) => {
            let allowed = format!("{nodes}, as many as left_children, are");
            Err(field(name, &format!("{length} values"), &allowed))
        }
    }
}

/// By node, the set that it asks for.
fn categories(
    tree: &Tree,
    features: usize,
    sets: &mut Sets,
) -> Result<BTreeMap<usize, u32>, Problem> {
    let nodes = &tree.categories_nodes;
    for (name, list) in [
        ("categories_segments", &tree.categories_segments),
        ("categories_sizes", &tree.categories_sizes),
    ] {
        if list.len() != nodes.len() {
            let allowed = format!("{}, as many as categories_nodes, are", nodes.len());
            return Err(field(name, &format!("{} values", list.len()), &allowed));
        }
    }
    let mut found = BTreeMap::new();
    let segments = tree.categories_segments.iter().zip(&tree.categories_sizes);
    for (at, (node, (from, size))) in nodes.iter().zip(segments).enumerate() {
        let is_node = |node: &usize| *node < tree.left_children.len();
        let node = usize::try_from(*node).ok().filter(is_node);
        let node = node.ok_or_else(|| {
            let name = format!("categories_nodes[{at}]");
            field(&name, &nodes[at], "the number of a node is")
        })?;
        let range = usize::try_from(*from).ok().zip(usize::try_from(*size).ok());
        let range = range.and_then(|(from, size)| Some(from..from.checked_add(size)?));
        let members = range.and_then(|range| tree.categories.get(range));
        let members = members.ok_or_else(|| {
            let name = format!("categories_segments[{at}]");
            let allowed = format!("a place in {} categories is", tree.categories.len());
            field(&name, &format!("{from} and {size} more"), &allowed)
        })?;
        let feature = feature(tree, node, features).map_err(Problem::Node)?;
        let is_left = tree.default_left[node].0;
        let set = Set {
            feature,
            words: words(members)?,
            inside: Way::Right,
            nan: Way::left_if(is_left),
            cuts_negatives: false,
        };
        found.insert(node, sets.number(set).map_err(Problem::Whole)?);
    }
    Ok(found)
}

fn words(members: &[i64]) -> Result<Box<[u32]>, Problem> {
    let mut words = Vec::new();
    for member in members {
        let member = u32::try_from(*member)
            .ok()
            .filter(|one| *one < MOST_CATEGORIES);
        let Some(member) = member else {
            return Err(field(
                "categories",
                &format!("{members:?}"),
                "0 to 16777215 are",
            ));
        };
        let word = (member / 32) as usize;
        if words.len() <= word {
            words.resize(word + 1, 0);
        }
        words[word] |= 1 << (member % 32);
    }
    Ok(words.into_boxed_slice())
}

fn feature(tree: &Tree, at: usize, features: usize) -> Result<u32, (usize, String)> {
    let index = tree.split_indices[at];
    let known = |feature: &u32| (*feature as usize) < features;
    let feature = u32::try_from(index).ok().filter(known);
    feature.ok_or_else(|| {
        let problem = format!("asks for feature {index}, the model has {features}");
        (at, problem)
    })
}

struct Reader<'a> {
    tree: &'a Tree,
    weight: f32,
    features: usize,
    sets: BTreeMap<usize, u32>,
}

impl Reader<'_> {
    fn node(&self, at: usize) -> Result<Node, (usize, String)> {
        let (tree, condition) = (self.tree, self.tree.split_conditions[at]);
        if tree.left_children[at] == -1 {
            let leaf = f64::from(condition * self.weight);
            return if is_sane(leaf) {
                Ok(Node::Leaf(leaf))
            } else {
                let problem = format!("is a leaf of {leaf}, a finite number up to 1e15 is allowed");
                Err((at, problem))
            };
        }
        let nodes = tree.left_children.len();
        let child = |to: i64| {
            let is_node = |to: &u32| (*to as usize) < nodes;
            let child = u32::try_from(to).ok().filter(is_node);
            child.ok_or_else(|| (at, format!("leads to node {to}, the tree has {nodes}")))
        };
        Ok(Node::Ask {
            question: self.question(at, condition)?,
            left: child(tree.left_children[at])?,
            right: child(tree.right_children[at])?,
        })
    }

    fn question(&self, at: usize, condition: f32) -> Result<Question, (usize, String)> {
        match self.tree.split_type.get(at) {
            None | Some(0) => {}
            Some(1) => {
                let set = self.sets.get(&at).copied();
                let set = set.ok_or_else(|| {
                    let problem = "splits by categories, categories_nodes does not name it";
                    (at, problem.to_owned())
                })?;
                return Ok(Question::Category { set });
            }
            Some(other) => {
                let problem = format!("has split_type {other}, 0 and 1 are allowed");
                return Err((at, problem));
            }
        }
        if !condition.is_finite() {
            let problem = format!("splits below {condition}, a finite number is allowed");
            return Err((at, problem));
        }
        Ok(Question::Number {
            feature: feature(self.tree, at, self.features)?,
            // The key of a finite number is above 0. A value goes left when it is below.
            limit: key(condition) - 1,
            gaps: Gaps {
                nan: Way::left_if(self.tree.default_left[at].0),
                zero: None,
            },
        })
    }
}
