//! Models of other libraries score as the libraries do, and a damaged file is refused with a reason.
//! Goldens are made by `scripts/model-goldens.sh`.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail loudly")]

use std::path::{Path, PathBuf};

use proptest::prelude::*;
use ranking::model::{Format, Model, load};
use serde::Deserialize;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/models");

#[derive(Deserialize)]
struct Golden {
    library: String,
    rows: Vec<Vec<Number>>,
    raw: Vec<Number>,
    scores: Vec<Number>,
}

/// What is not finite is written as a word.
#[derive(Deserialize)]
#[serde(untagged)]
enum Number {
    Finite(f64),
    Word(String),
}

impl Number {
    fn value(&self) -> f64 {
        match self {
            Self::Finite(value) => *value,
            Self::Word(word) => word.parse().unwrap(),
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "written from single precision"
)]
fn single(number: &Number) -> f32 {
    number.value() as f32
}

struct Case {
    name: String,
    bytes: Vec<u8>,
    golden: Golden,
}

fn cases(ending: &str, prefix: &str) -> Vec<Case> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(FOLDER)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let name = |file: &Path| file.file_name().unwrap().to_str().unwrap().to_owned();
    let models = files.iter().filter(|file| {
        let name = name(file);
        name.starts_with(prefix) && name.ends_with(ending) && !name.ends_with(".golden.json")
    });
    models
        .map(|file| Case {
            name: name(file),
            bytes: std::fs::read(file).unwrap(),
            golden: serde_json::from_slice(
                &std::fs::read(file.with_extension("golden.json")).unwrap(),
            )
            .unwrap(),
        })
        .collect()
}

impl Case {
    fn rows(&self) -> Vec<f32> {
        let rows = self.golden.rows.iter().flatten();
        rows.map(single).collect()
    }

    fn scores(&self, model: &dyn Model) -> Vec<f64> {
        let mut out = vec![0.0; self.golden.rows.len()];
        model.score(&self.rows(), &mut out).unwrap();
        out
    }

    fn raw(&self, model: &dyn Model) -> Vec<f64> {
        let mut out = vec![0.0; self.golden.rows.len()];
        model.raw(&self.rows(), &mut out).unwrap();
        out
    }
}

fn values(numbers: &[Number]) -> Vec<f64> {
    numbers.iter().map(Number::value).collect()
}

/// 1e-5, of the score where that is above 1.
fn assert_near(case: &Case, found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len(), "{}", case.name);
    for (row, (found, expected)) in found.iter().zip(expected).enumerate() {
        // What is not finite is the same.
        if found.is_nan() && expected.is_nan() || found.total_cmp(expected).is_eq() {
            continue;
        }
        let apart = (found - expected).abs() / expected.abs().max(1.0);
        assert!(
            apart <= 1e-5,
            "{} row {row}: {found}, {} says {expected}",
            case.name,
            case.golden.library
        );
    }
}

fn bits(values: &[f64]) -> Vec<u64> {
    // −0 and 0 are the same sum.
    values.iter().map(|value| (value + 0.0).to_bits()).collect()
}

#[test]
fn sums_of_lightgbm_are_the_librarys_to_the_bit_and_scores_within_1e_5() {
    let cases = cases(".txt", "lightgbm");
    assert!(cases.len() >= 12);
    for case in cases {
        let model = load(&case.bytes, None).unwrap();
        let raw = values(&case.golden.raw);
        assert!(bits(&case.raw(&*model)) == bits(&raw), "{}", case.name);
        assert_near(&case, &case.scores(&*model), &values(&case.golden.scores));
    }
}

#[test]
fn sums_of_xgboost_are_the_librarys_to_the_bit_and_scores_within_1e_5() {
    let cases = cases(".json", "xgboost");
    assert!(cases.len() >= 11);
    for case in cases {
        let model = load(&case.bytes, None).unwrap();
        let raw = values(&case.golden.raw);
        assert_near(&case, &case.raw(&*model), &raw);
        assert_near(&case, &case.scores(&*model), &values(&case.golden.scores));
        // The base score is a logarithm, in which C libraries differ by a bit.
        if !case.name.contains("poisson") && !case.name.contains("gamma") {
            assert!(bits(&case.raw(&*model)) == bits(&raw), "{}", case.name);
        }
    }
}

#[test]
fn networks_score_as_onnx_runtime_does() {
    let rankers = ["mlp", "columns", "hard_rows", "classifier", "ranker"];
    for name in rankers {
        let cases = cases(".onnx", &format!("onnx_{name}.onnx"));
        let case = cases.first().unwrap();
        let model = load(&case.bytes, None).unwrap();
        assert_near(case, &case.scores(&*model), &values(&case.golden.scores));
        let columns = model.features().len();
        let mut apart = vec![0.0; case.golden.rows.len()];
        for (row, score) in case.rows().chunks(columns).zip(&mut apart) {
            model.score(row, std::slice::from_mut(score)).unwrap();
        }
        assert_near(case, &apart, &values(&case.golden.scores));
    }
    let tower = std::fs::read(format!("{FOLDER}/onnx_user_tower.onnx")).unwrap();
    assert_eq!(
        problem(&tower),
        "the output vector is 8 values a row, one, or two chances named probabilities, are allowed"
    );
}

#[test]
fn a_score_does_not_depend_on_what_is_scored_with_it() {
    for case in cases(".txt", "lightgbm")
        .iter()
        .chain(&cases(".json", "xgboost"))
    {
        let model = load(&case.bytes, None).unwrap();
        let together = case.scores(&*model);
        let (rows, columns) = (case.rows(), model.features().len());
        for size in [1, 7, 40] {
            let mut apart = Vec::new();
            for rows in rows.chunks(size * columns) {
                let mut out = vec![0.0; rows.len() / columns];
                model.score(rows, &mut out).unwrap();
                apart.extend(out);
            }
            assert_eq!(bits(&apart), bits(&together), "{}", case.name);
        }
    }
}

fn lightgbm() -> Vec<u8> {
    std::fs::read(format!("{FOLDER}/lightgbm_binary_categories.txt")).unwrap()
}

fn xgboost() -> Vec<u8> {
    std::fs::read(format!("{FOLDER}/xgboost_binary_categories.json")).unwrap()
}

fn problem(bytes: &[u8]) -> String {
    load(bytes, None).unwrap_err().to_string()
}

/// The model with the first of one text replaced by another.
fn with(model: &[u8], from: &str, to: &str) -> Vec<u8> {
    let text = std::str::from_utf8(model).unwrap();
    assert!(text.contains(from), "{from}");
    text.replacen(from, to, 1).into_bytes()
}

#[test]
fn tells_formats_apart_and_names_those_that_it_does_not_read() {
    assert_eq!(Format::sniff(&lightgbm()).unwrap(), Format::LightGbm);
    assert_eq!(Format::sniff(&xgboost()).unwrap(), Format::XgBoost);
    let own = include_bytes!("golden/forest-v1.json");
    assert_eq!(Format::sniff(own).unwrap(), Format::Cartwright);
    assert_eq!(load(own, None).unwrap().features().len(), 3);
    let ubj = b"{L\0\0\0\0\0\0\0\x07learner{";
    assert_eq!(
        problem(ubj),
        "a model in XGBoost's binary UBJ format is not supported; save it as JSON: \
         booster.save_model(\"model.json\")"
    );
    assert!(problem(b"PK\x03\x04").starts_with("a file of an unknown format is not supported"));
    assert!(problem(b"").starts_with("a file of an unknown format"));
}

#[test]
fn what_lightgbm_can_and_we_cannot_is_refused_by_name() {
    let model = lightgbm();
    let cases = [
        (
            "num_class=1",
            "num_class=3",
            "a model of several classes (num_class=3) is not supported; one score a row",
        ),
        (
            "is_linear=0",
            "is_linear=1",
            "tree 0 with linear models in its leaves is not supported; train with linear_tree=false",
        ),
        (
            "objective=binary sigmoid:0.7",
            "objective=multiclass num_class:3",
            "the objective multiclass is not supported",
        ),
        (
            "objective=binary",
            "objective=magic",
            "objective is magic sigmoid:0.7, LightGBM's objectives of one output are allowed",
        ),
        (
            "sigmoid:0.7",
            "sigmoid:-1",
            "objective is binary sigmoid:-1, sigmoid: a number above 0 is allowed",
        ),
        (
            "version=v4",
            "version=v9",
            "version is v9, v2 or v3 or v4 is allowed",
        ),
        (
            "end of trees",
            "",
            "the file is cut off: its line \"end of trees\" is missing",
        ),
        (
            "max_feature_idx=5",
            "max_feature_idx=6",
            "feature_names is Column_0 Column_1",
        ),
        ("num_leaves=", "num_leaves=-", "tree 0: num_leaves is -"),
        ("num_leaves=", "leaves=", "tree 0: num_leaves is missing"),
        (
            "split_feature=",
            "split_feature=77 ",
            "tree 0: split_feature[",
        ),
        (
            "decision_type=",
            "decision_type=300 ",
            "tree 0: decision_type[0] is 300",
        ),
        ("leaf_value=", "leaf_value=1e300 ", "tree 0: leaf_value["),
    ];
    for (from, to, expected) in cases {
        let problem = problem(&with(&model, from, to));
        assert!(problem.starts_with(expected), "{problem}");
    }
}

#[test]
fn what_xgboost_can_and_we_cannot_is_refused_by_name() {
    let model = xgboost();
    let cases = [
        (
            "\"num_class\":\"0\"",
            "\"num_class\":\"4\"",
            "a model of several outputs (num_class=4) is not supported",
        ),
        (
            "\"name\":\"gbtree\"",
            "\"name\":\"gblinear\"",
            "the booster gblinear is not supported",
        ),
        (
            "binary:logistic",
            "multi:softprob",
            "the objective multi:softprob is not supported",
        ),
        (
            "binary:logistic",
            "magic",
            "learner.objective.name is magic, XGBoost's objectives of one output are allowed",
        ),
        (
            "\"version\":[3",
            "\"version\":[9",
            "version is 9.2.0, 1 to 3 is allowed",
        ),
        (
            "\"base_score\":\"[",
            "\"base_score\":\"[2,",
            "learner.learner_model_param.base_score is [2,",
        ),
    ];
    for (from, to, expected) in cases {
        let problem = problem(&with(&model, from, to));
        assert!(problem.starts_with(expected), "{problem}");
    }
}

#[test]
fn a_damaged_tree_of_xgboost_is_named_with_its_fault() {
    let model = xgboost();
    let cases = [
        (
            "\"left_children\":[",
            "\"left_children\":[1.5,",
            "learner.gradient_booster.model.trees[0].left_children[0]: invalid type",
        ),
        (
            "\"left_children\":[",
            "\"left_children\":[1,",
            "tree 0: right_children is ",
        ),
        (
            "\"split_indices\":[",
            "\"split_indices\":[6,",
            "tree 0: split_indices is ",
        ),
        (
            "\"trees\"",
            "\"woods\"",
            "learner.gradient_booster.model: missing field `trees`",
        ),
        (
            "\"categories\":[",
            "\"categories\":[-3,",
            "tree 0: categories is [-3,",
        ),
    ];
    for (from, to, expected) in cases {
        let problem = problem(&with(&model, from, to));
        assert!(problem.starts_with(expected), "{problem}");
    }
}

#[test]
fn a_tree_that_bites_its_tail_is_refused() {
    let model = with(&lightgbm(), "left_child=3", "left_child=0");
    let problem = problem(&model);
    assert_eq!(problem, "tree 0: node 0 is reached on two ways");
}

#[test]
fn rows_of_another_shape_are_refused() {
    let model = load(&lightgbm(), None).unwrap();
    let problem = model.score(&[0.0; 7], &mut [0.0; 2]).unwrap_err();
    assert_eq!(
        problem.to_string(),
        "rows has 7 values, 12 expected: one per name"
    );
}

/// What may happen to a file on its way.
#[derive(Clone, Debug)]
enum Damage {
    Byte(u8),
    Cut,
    Repeat(u8),
    Digit(u8),
}

fn damage() -> impl Strategy<Value = (prop::sample::Index, Damage)> {
    let kinds = prop_oneof![
        any::<u8>().prop_map(Damage::Byte),
        Just(Damage::Cut),
        any::<u8>().prop_map(Damage::Repeat),
        (b'0'..=b'9').prop_map(Damage::Digit),
    ];
    (any::<prop::sample::Index>(), kinds)
}

fn damaged(mut model: Vec<u8>, wounds: Vec<(prop::sample::Index, Damage)>) -> Vec<u8> {
    for (at, damage) in wounds {
        let at = at.index(model.len().max(1)).min(model.len());
        match damage {
            Damage::Byte(byte) => model[at..].iter_mut().take(1).for_each(|old| *old = byte),
            Damage::Cut => model.truncate(at),
            Damage::Repeat(count) => {
                let piece = model[at..]
                    .iter()
                    .copied()
                    .take(usize::from(count))
                    .collect::<Vec<_>>();
                model.splice(at..at, piece);
            }
            Damage::Digit(digit) => {
                let next = model[at..].iter_mut().find(|byte| byte.is_ascii_digit());
                next.into_iter().for_each(|old| *old = digit);
            }
        }
    }
    model
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_damaged_file_is_read_or_refused_and_never_ends_the_process(
        is_text in any::<bool>(), wounds in prop::collection::vec(damage(), 1..4),
    ) {
        let (model, format) = if is_text {
            (lightgbm(), Format::LightGbm)
        } else {
            (xgboost(), Format::XgBoost)
        };
        if let Ok(model) = load(&damaged(model, wounds), Some(format)) {
            let rows = vec![1.5; 100 * model.features().len()];
            let mut out = vec![0.0; 100];
            model.raw(&rows, &mut out).unwrap();
            prop_assert!(out.iter().all(|score| score.is_finite()));
        }
    }
}
