/// Why a model was not loaded or a query not answered.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{field} is {value}, {allowed}")]
    Invalid {
        field: &'static str,
        value: String,
        allowed: String,
    },
    #[error("item {item_id:?} is not in this generation")]
    UnknownItem { item_id: String },
    #[error("file {file} does not fit the catalogue: {detail}")]
    Misfit { file: &'static str, detail: String },
    #[error("space {name} does not fit the catalogue: {detail}")]
    Space { name: String, detail: String },
    #[error("the user tower of space {space}: {detail}")]
    Tower { space: String, detail: String },
    #[error(transparent)]
    Snapshot(#[from] snapshot::Error),
    #[error(transparent)]
    Index(#[from] ann_index::Error),
}
