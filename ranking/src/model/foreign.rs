//! A model of another library in the place of one of ours.

use std::sync::Arc;

use super::{Format, Model, load};
use crate::error::Error;

/// Shared by whoever holds a copy. Equal is only what is the same.
#[derive(Clone, Debug)]
pub struct Foreign {
    model: Arc<dyn Model>,
    format: Format,
}

impl Foreign {
    /// # Errors
    /// As [`load`].
    pub(crate) fn read(bytes: &[u8], format: Format) -> Result<Self, Error> {
        Ok(Self {
            model: load(bytes, Some(format))?.into(),
            format,
        })
    }

    pub fn model(&self) -> &dyn Model {
        &*self.model
    }

    pub fn format(&self) -> Format {
        self.format
    }

    /// One finite score a row.
    pub(crate) fn score(&self, rows: &[f32], out: &mut [f64]) -> Result<(), Error> {
        self.model.score(rows, out)?;
        match out.iter().find(|score| !score.is_finite()) {
            None => Ok(()),
            Some(score) => Err(Error::Value {
                field: "a score of the model",
                value: *score,
                allowed: "a finite number is",
            }),
        }
    }

    pub(crate) fn describe(&self) -> String {
        let about = self.model.describe().into_iter();
        let about: Vec<String> = about
            .filter(|(name, _)| ["format", "objective", "trees", "parameters"].contains(name))
            .map(|(name, value)| format!("{name} {value}"))
            .collect();
        about.join(", ")
    }

    /// No file of ours holds it.
    pub(crate) fn refuse_writing(&self) -> Error {
        Error::Refused {
            what: format!("writing a {} model as one of ours", self.format),
            instead: "keep the file that it came in",
        }
    }
}

impl PartialEq for Foreign {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.model, &other.model)
    }
}
