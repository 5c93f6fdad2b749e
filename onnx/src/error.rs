//! Why a network was refused, or could not be run.

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the file is not a whole ONNX model: {detail}")]
    Parse { detail: String },
    #[error("node {node} is the operator {operator}, which is not supported{hint}")]
    Operator {
        operator: String,
        node: String,
        hint: &'static str,
    },
    #[error("{place} is {found}, {allowed} allowed")]
    Shape {
        place: String,
        found: String,
        allowed: String,
    },
    #[error("the network cannot be built: {detail}")]
    Build { detail: String },
    #[error("the network failed: {detail}")]
    Run { detail: String },
}

pub(crate) fn shape(place: impl Into<String>, found: impl Into<String>, allowed: &str) -> Error {
    Error::Shape {
        place: place.into(),
        found: found.into(),
        allowed: allowed.to_owned(),
    }
}
