//! A model's names of its features, and those that the system computes.

use std::collections::BTreeMap;

use feature_store::{EntityKind, Registry};
use ranking::model::Format;
use ranking::{Column, Standing};
use serde_json::Value;

use crate::Error;

/// Names that are near enough to be meant.
const NEAR: usize = 3;

/// A model's file, and the names in it that were others: theirs, ours.
pub(super) type Renamed = (Vec<u8>, Vec<(String, String)>);

/// The names that a model may read.
#[derive(Clone, Debug)]
pub struct Names(Vec<String>);

impl Names {
    /// What a ranker may read: columns of a candidate, and features of shopper and item.
    #[must_use]
    pub fn of_ranker() -> Self {
        let features = Registry::standard().features().iter();
        let features = features.map(|feature| feature.name.to_owned());
        Self(Column::names().into_iter().chain(features).collect())
    }

    /// What a risk model may read: features of the shopper, and what the recommender says of the cart.
    #[must_use]
    pub fn of_risk() -> Self {
        let features = Registry::standard().features().iter();
        let features = features.filter(|feature| feature.entity == EntityKind::Shopper);
        let features = features.map(|feature| feature.name.to_owned());
        Self(features.chain(Standing::NAMES.map(str::to_owned)).collect())
    }

    /// The file with known names in place of the model's: those given, those equal, and those equal
    /// but for case and signs, such as `Shopper_Cart_Units` for `shopper.cart_units`. Also what was
    /// renamed.
    pub(super) fn rename(
        &self,
        bytes: &[u8],
        given: &BTreeMap<String, String>,
        what: &str,
    ) -> Result<Renamed, Error> {
        let Some(theirs) = features(bytes) else {
            // Without names in the file, it is for its own reader to complain.
            return Ok((bytes.to_vec(), Vec::new()));
        };
        let mut ours = Vec::with_capacity(theirs.len());
        let mut missed = Vec::new();
        for name in &theirs {
            match self.find(given.get(name).unwrap_or(name)) {
                Some(known) => ours.push(known.to_owned()),
                None => missed.push(self.miss(name)),
            }
        }
        if !missed.is_empty() {
            return Err(Error::Names {
                what: what.to_owned(),
                missed: missed.join("; "),
            });
        }
        let pairs = theirs.iter().cloned().zip(ours.iter().cloned());
        let renamed: Vec<(String, String)> = pairs.filter(|(a, b)| a != b).collect();
        if renamed.is_empty() {
            return Ok((bytes.to_vec(), renamed));
        }
        Ok((with_features(bytes, &ours), renamed))
    }

    fn find(&self, name: &str) -> Option<&str> {
        let exact = self.0.iter().find(|known| *known == name);
        let plain = || {
            let mut like = self.0.iter().filter(|known| bare(known) == bare(name));
            // Two that differ by signs alone leave it open which is meant.
            like.next().filter(|_| like.next().is_none())
        };
        exact.or_else(plain).map(String::as_str)
    }

    fn miss(&self, name: &str) -> String {
        let distance =
            |known: &&String| strsim::normalized_damerau_levenshtein(&bare(known), &bare(name));
        let mut near: Vec<&String> = self
            .0
            .iter()
            .filter(|known| distance(known) >= 0.5)
            .collect();
        near.sort_by(|a, b| distance(b).total_cmp(&distance(a)).then_with(|| a.cmp(b)));
        near.truncate(NEAR);
        if near.is_empty() {
            return format!("{name}: nothing is called like that");
        }
        let near: Vec<&str> = near.into_iter().map(String::as_str).collect();
        format!("{name}: near are {}", near.join(", "))
    }
}

/// Lower-case letters and digits alone.
fn bare(name: &str) -> String {
    let kept = name.chars().filter(char::is_ascii_alphanumeric);
    kept.map(|c| c.to_ascii_lowercase()).collect()
}

const LIGHTGBM: &str = "feature_names=";

/// The names in a file of LightGBM, XGBoost or ONNX; `None` in any other.
fn features(bytes: &[u8]) -> Option<Vec<String>> {
    if is_onnx(bytes) {
        let model = ranking::model::load(bytes, Some(Format::Onnx)).ok()?;
        return Some(model.features().to_vec());
    }
    let text = std::str::from_utf8(bytes).ok()?;
    if text.trim_start().starts_with("tree") {
        let line = text.lines().find_map(|line| line.strip_prefix(LIGHTGBM))?;
        return Some(line.split_whitespace().map(str::to_owned).collect());
    }
    let json: Value = serde_json::from_str(text).ok()?;
    let names = json.pointer("/learner/feature_names")?.as_array()?;
    let names = names.iter().map(|name| name.as_str().map(str::to_owned));
    names
        .collect::<Option<Vec<String>>>()
        .filter(|names| !names.is_empty())
}

fn is_onnx(bytes: &[u8]) -> bool {
    matches!(Format::sniff(bytes), Ok(Format::Onnx))
}

/// The same file with other names.
fn with_features(bytes: &[u8], names: &[String]) -> Vec<u8> {
    if is_onnx(bytes) {
        return ranking::model::network_with_features(bytes, names);
    }
    let text = String::from_utf8_lossy(bytes);
    if text.trim_start().starts_with("tree") {
        let lines = text.split('\n').map(|line| {
            if line.starts_with(LIGHTGBM) {
                format!("{LIGHTGBM}{}", names.join(" "))
            } else {
                line.to_owned()
            }
        });
        return lines.collect::<Vec<_>>().join("\n").into_bytes();
    }
    let Ok(mut json) = serde_json::from_str::<Value>(&text) else {
        return bytes.to_vec();
    };
    if let Some(place) = json.pointer_mut("/learner/feature_names") {
        *place = names.iter().cloned().map(Value::String).collect();
    }
    json.to_string().into_bytes()
}

/// The name of a model's file in a snapshot, by what it is.
pub(super) fn file(stem: &str, bytes: &[u8]) -> String {
    let end = match bytes.trim_ascii_start().first() {
        Some(b'{') => "json",
        Some(b't') => "txt",
        Some(_) | None => "onnx",
    };
    format!("{stem}.{end}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODEL: &str =
        "tree\nversion=v4\nfeature_names=Shopper_Cart_Units fused my_price\nfeature_infos=none\n";

    #[test]
    fn names_are_found_but_for_case_and_signs_and_by_the_map() {
        let names = Names::of_ranker();
        let map = [("my_price".to_owned(), "log_price".to_owned())].into();
        let (bytes, renamed) = names.rename(MODEL.as_bytes(), &map, "the ranker").unwrap();
        let text = String::from_utf8(bytes).unwrap();
        assert!(
            text.contains("feature_names=shopper.cart_units fused log_price\n"),
            "{text}"
        );
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        let expected = [
            pair("Shopper_Cart_Units", "shopper.cart_units"),
            pair("my_price", "log_price"),
        ];
        assert_eq!(renamed, expected);
    }

    #[test]
    fn every_miss_is_named_with_what_is_near() {
        let names = Names::of_ranker();
        let model = MODEL.replace("my_price", "log_prise zzzzqqqq");
        let error = names.rename(model.as_bytes(), &BTreeMap::new(), "the ranker");
        let error = error.unwrap_err().to_string();
        assert!(error.contains("log_prise: near are log_price"), "{error}");
        assert!(
            error.contains("zzzzqqqq: nothing is called like that"),
            "{error}"
        );
    }

    #[test]
    fn xgboost_s_names_are_renamed_in_place() {
        let names = Names::of_risk();
        let model =
            r#"{"learner":{"feature_names":["SHOPPER.CART_UNITS"],"x":[1e-3]},"version":[3,0,0]}"#;
        let (bytes, _) = names
            .rename(model.as_bytes(), &BTreeMap::new(), "risk")
            .unwrap();
        let json: Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(json["learner"]["feature_names"][0], "shopper.cart_units");
    }
}
