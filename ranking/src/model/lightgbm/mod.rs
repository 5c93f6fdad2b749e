//! LightGBM's text format, as `Booster.save_model` writes it, versions 2 to 4.
//!
//! What a score is follows `Booster.predict`: leaves are added in double precision in the order of
//! the trees, and the objective's function is applied. Values are read in double precision from
//! rows of single precision, and what is within 1e-35 of 0 is 0, as LightGBM reads dense rows.

mod text;
mod tree;

use super::tree_model::{Output, Read, TreeModel};
use crate::error::Error;
use crate::trees::{Sets, Sum};
use text::{Fields, split};
use tree::Growing;

const VERSIONS: [&str; 3] = ["v2", "v3", "v4"];

/// Reads a model.
///
/// # Errors
/// A damaged file, with the field, its value and what is allowed; models of several classes and
/// linear trees, which are not supported.
pub fn parse(text: &str) -> Result<TreeModel, Error> {
    let (header, trees) = split(text)?;
    let version = header.one_of("version", &VERSIONS)?;
    refuse_classes(&header)?;
    let features = features(&header)?;
    let objective = header.get("objective").unwrap_or("none").to_owned();
    let output = output(&objective)?;
    let mut sets = Sets::default();
    let mut growing = Growing::new(features.len(), &mut sets);
    let trees = trees.iter().map(|fields| growing.tree(fields));
    let trees = trees.collect::<Result<Vec<_>, Error>>()?;
    if let Some(sizes) = header.get("tree_sizes") {
        let stated = sizes.split_ascii_whitespace().count();
        header.check("tree_sizes", stated == trees.len(), || {
            format!("one size for each of {} trees is", trees.len())
        })?;
    }
    Ok(TreeModel::new(Read {
        from: format!("lightgbm {version}"),
        objective,
        features,
        base: 0.0,
        sum: Sum::Double,
        sets,
        divisor: divisor(header.has("average_output"), trees.len()),
        trees,
        output,
    }))
}

#[expect(
    clippy::cast_precision_loss,
    reason = "there are far fewer than 2^53 trees"
)]
fn divisor(averages: bool, trees: usize) -> f64 {
    if averages { trees.max(1) as f64 } else { 1.0 }
}

fn refuse_classes(header: &Fields<'_>) -> Result<(), Error> {
    for field in ["num_class", "num_tree_per_iteration"] {
        let count: u32 = header.number(field, "a whole number is")?;
        if count != 1 {
            return Err(Error::Refused {
                what: format!("a model of several classes ({field}={count})"),
                instead: "one score a row is supported: train with objective=binary, a regression \
                          or lambdarank",
            });
        }
    }
    Ok(())
}

fn features(header: &Fields<'_>) -> Result<Vec<String>, Error> {
    let last: usize = header.number("max_feature_idx", "a whole number is")?;
    let names: Vec<String> = (header.require("feature_names")?.split_ascii_whitespace())
        .map(str::to_owned)
        .collect();
    header.check(
        "feature_names",
        names.len() == last.saturating_add(1),
        || {
            format!(
                "one name for each of max_feature_idx + 1 = {} is",
                last.saturating_add(1)
            )
        },
    )?;
    crate::forest::check_features(&names)?;
    Ok(names)
}

/// The objective's name comes first, then its parameters.
fn output(objective: &str) -> Result<Output, Error> {
    let mut words = objective.split_ascii_whitespace();
    let name = words.next().unwrap_or("none");
    let parameters: Vec<&str> = words.collect();
    let is_sqrt = parameters.contains(&"sqrt");
    Ok(match name {
        "regression" if is_sqrt => Output::SignedSquare,
        "regression" | "regression_l1" | "huber" | "fair" | "quantile" | "mape" | "lambdarank"
        | "rank_xendcg" | "none" | "custom" => Output::Identity,
        "poisson" | "gamma" | "tweedie" => Output::Exp,
        "binary" => Output::Sigmoid {
            k: slope(objective, &parameters)?,
        },
        "cross_entropy" => Output::Sigmoid { k: 1.0 },
        "cross_entropy_lambda" => Output::LogOnePlusExp,
        "multiclass" | "multiclassova" => {
            return Err(Error::Refused {
                what: format!("the objective {name}"),
                instead: "one score a row is supported",
            });
        }
        _ => {
            let allowed = "LightGBM's objectives of one output are";
            return Err(Error::field("objective", objective, allowed));
        }
    })
}

fn slope(objective: &str, parameters: &[&str]) -> Result<f64, Error> {
    let given = parameters
        .iter()
        .find_map(|word| word.strip_prefix("sigmoid:"));
    let slope = given.map_or(Some(1.0), |text| text.parse().ok());
    slope
        .filter(|k: &f64| k.is_finite() && *k > 0.0)
        .ok_or_else(|| Error::field("objective", objective, "sigmoid: a number above 0 is"))
}
