//! Why training stopped.

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{field} is {value}, {allowed} is allowed")]
    Option {
        field: &'static str,
        value: String,
        allowed: &'static str,
    },
    #[error("none of {events} events can be trained on: {refused}")]
    NoEvents { events: usize, refused: String },
    #[error("the policy is refused: {problems}")]
    Policy { problems: String },
    #[error("line {line} of {file} is answered otherwise than recorded, or cannot be read")]
    Golden { file: &'static str, line: usize },
    #[error("building the snapshot")]
    Snapshot(#[from] snapshot::Error),
    #[error("building the index")]
    Index(#[from] ann_index::Error),
    #[error("retrieving from the new snapshot")]
    Retrieval(#[from] retrieval::Error),
    #[error("building a model")]
    Ranking(#[from] ranking::Error),
    #[error("a feature of the risk model is unknown: {name}")]
    Feature { name: String },
    #[error("the examples to learn from do not fit: {problem}")]
    Examples { problem: String },
    #[error("vectors of the space {space}: {detail}")]
    Vectors { space: String, detail: String },
    #[error("{file}: {detail}")]
    Given { file: String, detail: String },
    #[error("{what} reads what nobody computes: {missed}")]
    Names { what: String, missed: String },
    #[error("making a folder for drafts")]
    Draft { source: std::io::Error },
    #[error("writing {what} as JSON")]
    Json {
        what: &'static str,
        source: serde_json::Error,
    },
}
