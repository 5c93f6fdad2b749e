//! XGBoost's JSON, as `Booster.save_model("model.json")` writes it, versions 1 to 3.
//!
//! What a score is follows `Booster.predict`: values are compared and leaves added in single
//! precision in the order of the trees, starting from the base score, and the objective's function
//! is applied.

mod json;
mod objective;
mod tree;

use super::limits::{MOST_NODES, MOST_TREES};
use super::tree_model::{Read, TreeModel};
use crate::error::Error;
use crate::trees::{Node, Sets, Sum};
use json::{Booster, File, Forest, Parameters};
use objective::Objective;

const MAJORS: std::ops::RangeInclusive<u32> = 1..=3;

/// Reads a model.
///
/// # Errors
/// A damaged file, with the field, its value and what is allowed; linear boosters and models of
/// several classes or targets, which are not supported.
pub fn parse(text: &str) -> Result<TreeModel, Error> {
    let file = File::parse(text)?;
    let version = check_version(file.version.as_deref())?;
    let learner = file.learner;
    let parameters = learner.learner_model_param;
    refuse_outputs(&parameters)?;
    let objective = Objective::named(&learner.objective.name)?;
    let base = objective.margin(base_score(&parameters.base_score)?)?;
    let features = features(learner.feature_names, parameters.num_feature)?;
    let (forest, weights) = trees_of(learner.gradient_booster)?;
    let mut sets = Sets::default();
    let trees = read_trees(&forest, weights.as_deref(), features.len(), &mut sets)?;
    Ok(TreeModel::new(Read {
        from: version.map_or_else(
            || "xgboost".to_owned(),
            |version| format!("xgboost {version}"),
        ),
        objective: learner.objective.name,
        features,
        base: f64::from(base),
        sum: Sum::Single,
        sets,
        trees,
        divisor: 1.0,
        output: objective.output(),
    }))
}

fn read_trees(
    forest: &Forest,
    weights: Option<&[f32]>,
    features: usize,
    sets: &mut Sets,
) -> Result<Vec<Vec<Node>>, Error> {
    let trees = &forest.trees;
    crate::forest::check_most("trees", trees.len(), MOST_TREES)?;
    let nodes = trees.iter().map(|tree| tree.left_children.len()).sum();
    crate::forest::check_most("nodes of all trees", nodes, MOST_NODES)?;
    if let Some((at, class)) = (forest.tree_info.iter().enumerate()).find(|(_, class)| **class != 0)
    {
        return Err(Error::field(
            &format!("learner.gradient_booster.model.tree_info[{at}]"),
            &class.to_string(),
            "0 is: one score a row is supported",
        ));
    }
    let weight = |at: usize| weights.map_or(1.0, |weights| weights[at]);
    let read = trees.iter().enumerate().map(|(at, tree)| {
        let read = tree::read(tree, weight(at), features, sets);
        read.map_err(|problem| problem.at(at))
    });
    read.collect()
}

fn check_version(version: Option<&[u32]>) -> Result<Option<String>, Error> {
    let Some(version) = version else {
        return Ok(None);
    };
    let words: Vec<String> = version.iter().map(u32::to_string).collect();
    let words = words.join(".");
    match version.first() {
        Some(major) if MAJORS.contains(major) => Ok(Some(words)),
        Some(_) | None => Err(Error::field("version", &words, "1 to 3 is")),
    }
}

fn refuse_outputs(parameters: &Parameters) -> Result<(), Error> {
    let counts = [
        ("num_class", parameters.num_class),
        ("num_target", parameters.num_target),
    ];
    match counts.into_iter().find(|(_, count)| *count > 1) {
        None => Ok(()),
        Some((name, count)) => Err(Error::Refused {
            what: format!("a model of several outputs ({name}={count})"),
            instead: "one score a row is supported: train with binary:logistic, a regression or \
                      a ranking objective",
        }),
    }
}

/// A number, from version 3 on in a list of one.
fn base_score(text: &str) -> Result<f32, Error> {
    let inner = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let number = inner.unwrap_or(text).trim().parse();
    number
        .ok()
        .filter(|score: &f32| score.is_finite())
        .ok_or_else(|| {
            let place = "learner.learner_model_param.base_score";
            Error::field(place, text, "one finite number is")
        })
}

/// Names of the file, else XGBoost's own: f0, f1, …
fn features(names: Vec<String>, count: u32) -> Result<Vec<String>, Error> {
    let count = count as usize;
    crate::forest::check_most("learner.learner_model_param.num_feature", count, 4_096)?;
    let names = if names.is_empty() {
        (0..count).map(|at| format!("f{at}")).collect()
    } else {
        names
    };
    if names.len() != count {
        return Err(Error::field(
            "learner.feature_names",
            &format!("{} names", names.len()),
            &format!("num_feature = {count} are"),
        ));
    }
    crate::forest::check_features(&names)?;
    Ok(names)
}

/// The trees, and for a dart booster the weight of each.
fn trees_of(booster: Booster) -> Result<(Forest, Option<Vec<f32>>), Error> {
    let place = |name: &str| format!("learner.gradient_booster.{name}");
    let missing = |name: &str| Error::field(&place(name), "missing", "trees are");
    match booster.name.as_str() {
        "gbtree" => Ok((booster.model.ok_or_else(|| missing("model"))?, None)),
        "dart" => {
            let inner = booster.gbtree.ok_or_else(|| missing("gbtree"))?.model;
            let weights = booster.weight_drop.unwrap_or_default();
            let is_whole = weights.len() == inner.trees.len();
            if is_whole && weights.iter().all(|weight| weight.is_finite()) {
                return Ok((inner, Some(weights)));
            }
            let found = format!("{} values", weights.len());
            let allowed = format!("{} finite numbers, one a tree, are", inner.trees.len());
            Err(Error::field(&place("weight_drop"), &found, &allowed))
        }
        "gblinear" => Err(Error::Refused {
            what: "the booster gblinear".to_owned(),
            instead: "boosters of trees are supported: gbtree and dart",
        }),
        other => Err(Error::field(&place("name"), other, "gbtree or dart is")),
    }
}
