//! `model inspect|score|bench` on a file of each library, against what the library said.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::support::{root, run, succeed, text};

/// Format, the golden's name, the file's ending.
const MODELS: [(&str, &str, &str); 4] = [
    ("lightgbm", "lightgbm_binary_categories", "txt"),
    ("xgboost", "xgboost_binary_categories", "json"),
    ("onnx", "onnx_mlp", "onnx"),
    ("onnx", "onnx_classifier", "onnx"),
];

fn folder() -> PathBuf {
    root().join("ranking/tests/golden/models")
}

fn model(name: &str, ending: &str) -> String {
    let file = folder().join(format!("{name}.{ending}"));
    file.to_str().unwrap().to_owned()
}

fn golden(name: &str) -> Value {
    let file = folder().join(format!("{name}.golden.json"));
    serde_json::from_slice(&fs::read(file).unwrap()).unwrap()
}

fn cell(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

/// The golden's rows as a file with a header.
fn csv(golden: &Value, features: &[String], file: &Path) {
    let mut lines = vec![features.join(",")];
    for row in golden["rows"].as_array().unwrap() {
        let cells: Vec<String> = row.as_array().unwrap().iter().map(cell).collect();
        lines.push(cells.join(","));
    }
    fs::write(file, lines.join("\n") + "\n").unwrap();
}

fn features(model: &str, format: &str) -> Vec<String> {
    let said = succeed(&[
        "model", "inspect", "--model", model, "--format", format, "--json",
    ]);
    let said: Value = serde_json::from_str(&said).unwrap();
    let told = said["about"]["format"].as_str().unwrap();
    assert!(told.starts_with(format), "{told}");
    let features = said["features"].as_array().unwrap().iter();
    features
        .map(|one| one["name"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn a_file_of_each_library_is_inspected_scored_and_timed() {
    let dir = tempfile::tempdir().unwrap();
    for (format, name, ending) in MODELS {
        let (model, golden) = (model(name, ending), golden(name));
        let rows = dir.path().join(format!("{name}.csv"));
        csv(&golden, &features(&model, format), &rows);
        let file = ["--model", &model, "--format", format];
        let score: Vec<&str> = (["model", "score"].into_iter()).chain(file).collect();
        let said = succeed(&[&score[..], &["--csv", text(&rows)]].concat());
        let found: Vec<f64> = said.lines().map(|line| line.parse().unwrap()).collect();
        let expected = golden["scores"].as_array().unwrap();
        assert_eq!(found.len(), expected.len(), "{name}: one score a row");
        for (found, expected) in found.iter().zip(expected) {
            let expected: f64 = cell(expected).parse().unwrap();
            assert!(
                (found - expected).abs() < 1e-5,
                "{name}: {found} {expected}"
            );
        }
        let bench: Vec<&str> = (["model", "bench"].into_iter()).chain(file).collect();
        let said = succeed(&[&bench[..], &["--millis", "5", "--json"]].concat());
        let timings: Value = serde_json::from_str(&said).unwrap();
        let sizes = timings.as_array().unwrap().iter();
        let sizes: Vec<u64> = sizes.map(|one| one["rows"].as_u64().unwrap()).collect();
        assert_eq!(sizes, [1, 100, 500], "{name}");
    }
}

#[test]
fn what_cannot_be_read_is_refused_with_its_reason() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("model.onnx");
    let mut bytes = fs::read(model("onnx_mlp", "onnx")).unwrap();
    let refused = |bytes: &[u8], format: &[&str]| {
        fs::write(&file, bytes).unwrap();
        let output = run(&[&["model", "inspect", "--model", text(&file)], format].concat());
        assert_eq!(output.status.code(), Some(64));
        String::from_utf8(output.stderr).unwrap()
    };
    let cut = refused(&bytes[..300], &["--format", "onnx"]);
    assert!(cut.contains("not a whole ONNX model"), "{cut}");
    let noise = refused(&[0x5a; 4_000], &["--format", "onnx"]);
    assert!(noise.contains("not a whole ONNX model"), "{noise}");
    let noise = refused(&[0x5a; 4_000], &[]);
    assert!(noise.contains("a file of an unknown format"), "{noise}");
    let at = bytes.windows(4).position(|four| four == b"Tanh").unwrap();
    bytes[at..at + 4].copy_from_slice(b"Zany");
    let operator = refused(&bytes, &["--format", "onnx"]);
    assert!(
        operator.contains("the operator Zany, which is not supported"),
        "{operator}"
    );
}
