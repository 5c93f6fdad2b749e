//! Networks answer as ONNX Runtime does; what cannot be run is refused with a name.
//! Goldens are made by `scripts/model-goldens.sh`.

#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use onnx::Network;
use serde::Deserialize;

const FOLDER: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../ranking/tests/golden/models"
);

#[derive(Deserialize)]
struct Golden {
    rows: Vec<Vec<serde_json::Value>>,
    scores: Vec<serde_json::Value>,
}

/// What is not finite is written as a word.
#[expect(
    clippy::cast_possible_truncation,
    reason = "written from single precision"
)]
fn single(value: &serde_json::Value) -> f32 {
    let word = || value.as_str().unwrap().parse().unwrap();
    value.as_f64().unwrap_or_else(word) as f32
}

fn bytes(name: &str) -> Vec<u8> {
    std::fs::read(format!("{FOLDER}/{name}.onnx")).unwrap()
}

fn golden(name: &str) -> Golden {
    let text = std::fs::read(format!("{FOLDER}/{name}.golden.json")).unwrap();
    serde_json::from_slice(&text).unwrap()
}

/// 1e-5, of the value where that is above 1; what is not finite is the same.
fn is_near(found: f32, expected: f32) -> bool {
    let same = found.total_cmp(&expected).is_eq() || found.is_nan() && expected.is_nan();
    same || (found - expected).abs() <= 1e-5 * expected.abs().max(1.0)
}

const NETWORKS: [(&str, usize, usize); 7] = [
    ("onnx_mlp", 5, 1),
    ("onnx_user_tower", 12, 8),
    ("onnx_columns", 3, 1),
    ("onnx_hard_rows", 7, 1),
    ("onnx_torch_tower", 10, 6),
    ("onnx_named_tower", 8, 6),
    ("onnx_ranker", 5, 1),
];

#[test]
fn answers_as_onnx_runtime_does_whatever_the_number_of_rows() {
    for (name, columns, width) in NETWORKS {
        let network = Network::parse(&bytes(name)).unwrap();
        let golden = golden(name);
        assert_eq!(
            (network.features().len(), network.width()),
            (columns, width)
        );
        let rows: Vec<f32> = golden.rows.iter().flatten().map(single).collect();
        for size in [1, 2, 7, golden.rows.len()] {
            let mut found = Vec::new();
            for rows in rows.chunks(size * columns) {
                found.extend(network.run(rows).unwrap());
            }
            assert_eq!(found.len(), golden.scores.len());
            for (at, (found, expected)) in found.iter().zip(&golden.scores).enumerate() {
                let expected = single(expected);
                assert!(is_near(*found, expected), "{name} {at}: {found} {expected}");
            }
        }
    }
}

#[test]
fn more_rows_than_go_through_together_answer_as_few_do() {
    let network = Network::parse(&bytes("onnx_user_tower")).unwrap();
    let row: Vec<f32> = golden("onnx_user_tower").rows[3]
        .iter()
        .map(single)
        .collect();
    let one = network.run(&row).unwrap();
    let many = network.run(&row.repeat(1_000)).unwrap();
    assert_eq!(many.len(), 1_000 * one.len());
    let near = |row: &[f32]| row.iter().zip(&one).all(|(a, b)| is_near(*a, *b));
    assert!(many.chunks(one.len()).all(near));
}

#[test]
fn features_are_named_by_metadata_by_inputs_or_by_their_place() {
    let features = |name: &str| Network::parse(&bytes(name)).unwrap().features().to_vec();
    assert_eq!(features("onnx_mlp")[..2], ["log_price", "log_price_ratio"]);
    assert_eq!(features("onnx_columns"), ["price", "age", "views"]);
    assert_eq!(features("onnx_user_tower")[11], "x11");
}
