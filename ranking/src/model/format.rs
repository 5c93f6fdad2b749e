//! Which format a file is of.

use std::fmt;

use super::network::NetworkModel;
use super::{Model, lightgbm, own, xgboost};
use crate::error::Error;

/// Files larger than this are refused before they are read as anything.
const MOST_BYTES: usize = 1 << 30;

/// A format that models are read from.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Format {
    LightGbm,
    XgBoost,
    Onnx,
    Cartwright,
}

impl Format {
    pub const ALL: [Self; 4] = [Self::LightGbm, Self::XgBoost, Self::Onnx, Self::Cartwright];

    pub fn name(self) -> &'static str {
        match self {
            Self::LightGbm => "lightgbm",
            Self::XgBoost => "xgboost",
            Self::Onnx => "onnx",
            Self::Cartwright => "cartwright",
        }
    }

    /// Tells by the first bytes, and for JSON by a name that only XGBoost writes.
    ///
    /// # Errors
    /// A file that is of none, or of one of XGBoost's binary formats.
    pub fn sniff(bytes: &[u8]) -> Result<Self, Error> {
        let text = bytes.trim_ascii_start();
        if text.starts_with(b"tree\n") || text.starts_with(b"tree\r\n") {
            return Ok(Self::LightGbm);
        }
        match text {
            [b'{', b'i' | b'U' | b'I' | b'l' | b'L' | b'$' | b'#', ..] => Err(Error::Refused {
                what: "a model in XGBoost's binary UBJ format".to_owned(),
                instead: "save it as JSON: booster.save_model(\"model.json\")",
            }),
            [b'{', ..] => Ok(if holds(text, b"\"gradient_booster\"") {
                Self::XgBoost
            } else {
                Self::Cartwright
            }),
            // The number of the format's version comes first, as a field of protobuf.
            [0x08, 1..=64, ..] => Ok(Self::Onnx),
            _ => Err(Error::Refused {
                what: "a file of an unknown format".to_owned(),
                instead: "LightGBM's text (model.save_model), XGBoost's JSON, ONNX and Cartwright's \
                          JSON are read",
            }),
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

fn holds(text: &[u8], name: &[u8]) -> bool {
    text.windows(name.len()).any(|window| window == name)
}

/// Reads a model; without a format, of the one that the file looks like.
///
/// # Errors
/// A file that is not of the format, or holds what is not supported; the message says where.
pub fn load(bytes: &[u8], format: Option<Format>) -> Result<Box<dyn Model>, Error> {
    if bytes.len() > MOST_BYTES {
        return Err(Error::TooMany {
            field: "bytes of the file",
            got: bytes.len(),
            most: MOST_BYTES,
        });
    }
    let format = match format {
        Some(format) => format,
        None => Format::sniff(bytes)?,
    };
    Ok(match format {
        Format::LightGbm => Box::new(lightgbm::parse(text(bytes)?)?),
        Format::XgBoost => {
            // Whoever names the format still learns which of its files is meant.
            Format::sniff(bytes)?;
            Box::new(xgboost::parse(text(bytes)?)?)
        }
        Format::Cartwright => own::parse(text(bytes)?)?,
        Format::Onnx => Box::new(NetworkModel::parse(bytes)?),
    })
}

fn text(bytes: &[u8]) -> Result<&str, Error> {
    std::str::from_utf8(bytes).map_err(|error| Error::Field {
        place: "the file".to_owned(),
        value: format!("not text at byte {}", error.valid_up_to()),
        allowed: "UTF-8 is".to_owned(),
    })
}
