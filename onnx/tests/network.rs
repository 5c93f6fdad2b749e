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
    scores: Vec<f64>,
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "written from single precision"
)]
fn single(value: &serde_json::Value) -> f32 {
    value.as_f64().map_or(f32::NAN, |value| value as f32)
}

fn bytes(name: &str) -> Vec<u8> {
    std::fs::read(format!("{FOLDER}/{name}.onnx")).unwrap()
}

fn golden(name: &str) -> Golden {
    let text = std::fs::read(format!("{FOLDER}/{name}.golden.json")).unwrap();
    serde_json::from_slice(&text).unwrap()
}

#[test]
fn answers_as_onnx_runtime_does_whatever_the_number_of_rows() {
    for (name, width) in [("onnx_mlp", 1), ("onnx_user_tower", 8), ("onnx_columns", 1)] {
        let network = Network::parse(&bytes(name)).unwrap();
        let golden = golden(name);
        assert_eq!(network.width(), width);
        let rows: Vec<f32> = golden.rows.iter().flatten().map(single).collect();
        let columns = network.features().len();
        let mut one_by_one = Vec::new();
        for row in rows.chunks(columns) {
            one_by_one.extend(network.run(row).unwrap());
        }
        for found in [network.run(&rows).unwrap(), one_by_one] {
            assert_eq!(found.len(), golden.scores.len());
            for (found, expected) in found.iter().zip(&golden.scores) {
                let apart = (f64::from(*found) - expected).abs();
                assert!(apart < 1e-5, "{name}: {found} {expected}");
            }
        }
    }
}

#[test]
fn features_are_named_by_metadata_by_inputs_or_by_their_place() {
    let features = |name: &str| Network::parse(&bytes(name)).unwrap().features().to_vec();
    assert_eq!(features("onnx_mlp")[..2], ["log_price", "log_price_ratio"]);
    assert_eq!(features("onnx_columns"), ["price", "age", "views"]);
    assert_eq!(features("onnx_user_tower")[11], "x11");
}

fn with(name: &str, from: &[u8], to: &[u8]) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut bytes = bytes(name);
    let at = bytes.windows(from.len()).position(|window| window == from);
    let at = at.unwrap();
    bytes[at..at + from.len()].copy_from_slice(to);
    bytes
}

#[test]
fn an_operator_that_is_not_supported_is_named() {
    let problem = Network::parse(&with("onnx_mlp", b"Sigmoid", b"Magic77")).unwrap_err();
    assert_eq!(
        problem.to_string(),
        "node score is the operator Magic77, which is not supported; export the model without it"
    );
}

#[test]
fn damaged_files_and_rows_of_another_length_are_refused() {
    let whole = bytes("onnx_user_tower");
    for length in (0..whole.len()).step_by(37) {
        // Cut between two fields, what is left may be a smaller model, and then it runs.
        if let Ok(network) = Network::parse(&whole[..length]) {
            assert!(network.width() > 0);
        }
    }
    for at in (0..whole.len()).step_by(11) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x15;
        if let Ok(network) = Network::parse(&bytes) {
            let _ = network.run(&vec![0.5; network.features().len()]);
        }
    }
    let network = Network::parse(&whole).unwrap();
    assert_eq!(
        network.run(&[0.0; 13]).unwrap_err().to_string(),
        "the number of values is 13, a multiple of 12 is allowed"
    );
    assert!(network.run(&[]).unwrap().is_empty());
}
