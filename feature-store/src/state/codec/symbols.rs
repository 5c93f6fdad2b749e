//! Texts as numbers: a value holds each of its texts once.

use std::sync::Arc;

use crate::state::DecodeError;

/// The texts of a value to be encoded, sorted; the empty one is number 0 and is not stored.
#[derive(Debug)]
pub(crate) struct Symbols<'a>(Vec<&'a str>);

impl<'a> Symbols<'a> {
    pub(crate) fn new(texts: impl Iterator<Item = &'a Arc<str>>) -> Self {
        let mut symbols: Vec<&str> = texts
            .map(AsRef::as_ref)
            .filter(|text: &&str| !text.is_empty())
            .collect();
        symbols.sort_unstable();
        symbols.dedup();
        Self(symbols)
    }

    pub(crate) fn number(&self, text: &str) -> u32 {
        let place = self.0.binary_search(&text).ok();
        place
            .and_then(|place| u32::try_from(place + 1).ok())
            .unwrap_or(0)
    }

    pub(crate) fn into_wire(self) -> Vec<String> {
        self.0.into_iter().map(str::to_owned).collect()
    }
}

/// The texts of a decoded value, by number.
#[derive(Debug)]
pub(crate) struct Texts(Vec<Arc<str>>);

impl Texts {
    pub(crate) fn new(symbols: &[String]) -> Self {
        let empty = std::iter::once("");
        Self(
            empty
                .chain(symbols.iter().map(String::as_str))
                .map(Arc::from)
                .collect(),
        )
    }

    pub(crate) fn get(&self, number: u32) -> Result<Arc<str>, DecodeError> {
        let text = usize::try_from(number)
            .ok()
            .and_then(|number| self.0.get(number));
        text.cloned()
            .ok_or(DecodeError::Corrupt("a text has no symbol"))
    }
}
