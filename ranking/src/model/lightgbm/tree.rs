//! One tree of LightGBM.

use super::text::Fields;
use crate::error::{Error, is_sane};
use crate::model::limits::{DEEPEST, MOST_NODES, MOST_TREES};
use crate::trees::{Gaps, NEARLY_ZERO, Node, Question, Set, Sets, Way, grow, key};

/// Bits of a `decision_type`; two more say what is missing.
const IS_CATEGORY: u8 = 1;
const DEFAULT_LEFT: u8 = 2;

/// Trees in the making, with what is counted over all of them.
pub(super) struct Growing<'a> {
    features: usize,
    sets: &'a mut Sets,
    trees: usize,
    nodes: usize,
}

struct Splits {
    features: Vec<u32>,
    thresholds: Vec<f64>,
    kinds: Vec<u8>,
    left: Vec<i64>,
    right: Vec<i64>,
    leaves: Vec<f64>,
    boundaries: Vec<usize>,
    words: Vec<u32>,
}

impl<'a> Growing<'a> {
    pub(super) fn new(features: usize, sets: &'a mut Sets) -> Self {
        Self {
            features,
            sets,
            trees: 0,
            nodes: 0,
        }
    }

    pub(super) fn tree(&mut self, fields: &Fields<'_>) -> Result<Vec<Node>, Error> {
        refuse_linear(fields)?;
        let leaves: usize = fields.number("num_leaves", "a whole number from 1 is")?;
        fields.check("num_leaves", leaves >= 1, || {
            "a whole number from 1 is".to_owned()
        })?;
        self.trees += 1;
        self.nodes = self.nodes.saturating_add(leaves.saturating_mul(2));
        crate::forest::check_most("trees", self.trees, MOST_TREES)?;
        crate::forest::check_most("nodes of all trees", self.nodes, MOST_NODES)?;
        let splits = Splits::read(fields, leaves)?;
        let questions = (0..leaves - 1).map(|at| self.question(&splits, at, fields));
        let questions = questions.collect::<Result<Vec<_>, Error>>()?;
        let nodes = 2 * leaves - 1;
        let tree = grow(nodes, DEEPEST, |at| splits.node(at, &questions));
        let tree = tree.map_err(|(node, problem)| Error::Tree {
            tree: fields.tree(),
            node,
            problem,
        })?;
        if tree.len() == nodes {
            return Ok(tree);
        }
        Err(Error::Tree {
            tree: fields.tree(),
            node: 0,
            problem: format!("leads to {} of {nodes} nodes", tree.len()),
        })
    }

    fn question(
        &mut self,
        splits: &Splits,
        at: usize,
        fields: &Fields<'_>,
    ) -> Result<Question, Error> {
        let feature = splits.features[at];
        if feature as usize >= self.features {
            let allowed = format!("a number below {} is", self.features);
            return Err(fields.refuse("split_feature", at, &feature, &allowed));
        }
        let (threshold, kind) = (splits.thresholds[at], splits.kinds[at]);
        if kind & IS_CATEGORY == 0 {
            let gaps = gaps(threshold, kind).ok_or_else(|| {
                let allowed = "a sum of 1, 2 and one of 0, 4, 8 is";
                fields.refuse("decision_type", at, &kind, allowed)
            })?;
            // Infinity parts numbers from what is missing.
            if threshold.is_nan() {
                let allowed = "a number is";
                return Err(fields.refuse("threshold", at, &threshold, allowed));
            }
            return Ok(Question::Number {
                feature,
                limit: limit(threshold),
                gaps,
            });
        }
        let words = splits.words_of(threshold).ok_or_else(|| {
            let allowed = "the number of a set in cat_boundaries is";
            fields.refuse("threshold", at, &threshold, allowed)
        })?;
        let set = self.sets.number(Set {
            feature,
            words: words.into(),
            inside: Way::Left,
            nan: Way::Right,
            cuts_negatives: true,
        })?;
        Ok(Question::Category { set })
    }
}

fn refuse_linear(fields: &Fields<'_>) -> Result<(), Error> {
    match fields.get("is_linear") {
        None | Some("0") => Ok(()),
        Some(_) => Err(Error::Refused {
            what: format!("tree {} with linear models in its leaves", fields.tree()),
            instead: "train with linear_tree=false",
        }),
    }
}

impl Splits {
    fn read(fields: &Fields<'_>, leaves: usize) -> Result<Self, Error> {
        let whole = "whole numbers are";
        let values: Vec<f64> = fields.numbers("leaf_value", leaves, "numbers are")?;
        if let Some(at) = values.iter().position(|value| !is_sane(*value)) {
            let allowed = "a finite number up to 1e15 in size is";
            return Err(fields.refuse("leaf_value", at, &values[at], allowed));
        }
        let count = leaves - 1;
        let mut splits = Self {
            features: Vec::new(),
            thresholds: Vec::new(),
            kinds: Vec::new(),
            left: Vec::new(),
            right: Vec::new(),
            leaves: values,
            boundaries: vec![0],
            words: Vec::new(),
        };
        if count == 0 {
            return Ok(splits);
        }
        splits.features = fields.numbers("split_feature", count, whole)?;
        splits.thresholds = fields.numbers("threshold", count, "numbers are")?;
        splits.kinds = fields.numbers("decision_type", count, "0 to 255 is")?;
        splits.left = fields.numbers("left_child", count, whole)?;
        splits.right = fields.numbers("right_child", count, whole)?;
        let sets: usize = match fields.get("num_cat") {
            None => 0,
            Some(_) => fields.number("num_cat", "a whole number is")?,
        };
        if sets > 0 {
            splits.boundaries = fields.numbers("cat_boundaries", sets.saturating_add(1), whole)?;
            let words = splits.boundaries.last().copied().unwrap_or_default();
            splits.words = fields.numbers("cat_threshold", words, "0 to 4294967295 is")?;
        }
        Ok(splits)
    }

    /// Splits by their number, then leaves.
    fn node(&self, at: usize, questions: &[Question]) -> Result<Node, (usize, String)> {
        let Some(question) = questions.get(at) else {
            let leaf = self.leaves.get(at - questions.len());
            return Ok(Node::Leaf(leaf.copied().unwrap_or_default()));
        };
        let child = |to: i64| {
            let number = if to < 0 {
                u32::try_from(!to).ok().and_then(|leaf| {
                    let is_leaf = (leaf as usize) < self.leaves.len();
                    let before = u32::try_from(questions.len()).ok()?;
                    is_leaf.then(|| leaf.checked_add(before))?
                })
            } else {
                let is_split = usize::try_from(to).is_ok_and(|to| to < questions.len());
                is_split.then(|| u32::try_from(to).ok()).flatten()
            };
            number.ok_or_else(|| {
                let (splits, leaves) = (questions.len(), self.leaves.len());
                (
                    at,
                    format!("leads to {to}, the tree has {splits} splits and {leaves} leaves"),
                )
            })
        };
        Ok(Node::Ask {
            question: *question,
            left: child(self.left[at])?,
            right: child(self.right[at])?,
        })
    }

    /// The words of the set that a threshold of a categorical split names.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "checked to be a whole number from 0 first; what is too large is out of range"
    )]
    fn words_of(&self, threshold: f64) -> Option<&[u32]> {
        let is_number = threshold >= 0.0 && threshold.fract().abs() <= 0.0;
        let set = is_number.then_some(threshold as usize)?;
        let end = *self.boundaries.get(set.checked_add(1)?)?;
        self.words.get(*self.boundaries.get(set)?..end)
    }
}

/// Where what is missing goes; nothing for bits that have no meaning.
fn gaps(threshold: f64, kind: u8) -> Option<Gaps> {
    let default = Way::left_if(kind & DEFAULT_LEFT != 0);
    match kind >> 2 {
        // Nothing is missing: NaN is read as 0.
        0 => Some(Gaps {
            nan: Way::left_if(0.0 <= threshold),
            zero: None,
        }),
        1 => Some(Gaps {
            nan: default,
            zero: Some(default),
        }),
        2 => Some(Gaps {
            nan: default,
            zero: None,
        }),
        _ => None,
    }
}

/// The key of the greatest single that goes left. What is nearly 0 goes the way of 0.
fn limit(threshold: f64) -> u32 {
    let near = f64::from(NEARLY_ZERO);
    if (0.0..near).contains(&threshold) {
        return key(NEARLY_ZERO);
    }
    if threshold < 0.0 && threshold >= -near {
        return key((-NEARLY_ZERO).next_down());
    }
    key(round_down(threshold))
}

#[expect(clippy::cast_possible_truncation, reason = "rounding is what is meant")]
fn round_down(value: f64) -> f32 {
    let nearest = value as f32;
    if f64::from(nearest) > value {
        nearest.next_down()
    } else {
        nearest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_threshold_parts_singles_as_it_parts_doubles() {
        let thresholds = [
            0.1,
            -0.1,
            1e300,
            -1e300,
            0.0,
            1e-35,
            -1e-35,
            1e-40,
            -1e-40,
            3.4e38,
            1.0,
            16_777_217.0,
            f64::INFINITY,
            f64::NEG_INFINITY,
        ];
        let values = [
            0.1,
            -0.1,
            0.0,
            -0.0,
            1e-35,
            -1e-35,
            2e-35,
            -2e-35,
            1e-45,
            f32::MAX,
            f32::MIN,
            1.0,
            f32::INFINITY,
            f32::NEG_INFINITY,
            16_777_216.0,
            16_777_218.0,
        ];
        for threshold in thresholds {
            for value in values {
                let read = if value.abs() <= NEARLY_ZERO {
                    0.0
                } else {
                    f64::from(value)
                };
                let is_left = key(value) <= limit(threshold);
                assert_eq!(is_left, read <= threshold, "{value} {threshold}");
            }
        }
    }
}
