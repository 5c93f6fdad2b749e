//! Texts as numbers: a value holds each of its texts once.

use prost::encoding::decode_varint;

use crate::Text;
use crate::state::DecodeError;

/// The texts of a value to be encoded, sorted; the empty one is number 0 and is not stored.
#[derive(Debug)]
pub(crate) struct Symbols<'a>(Vec<&'a str>);

impl<'a> Symbols<'a> {
    pub(crate) fn new(texts: impl Iterator<Item = &'a Text>) -> Self {
        let mut symbols: Vec<&str> = texts
            .map(Text::as_str)
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

/// Texts of a value that need no more room than was made for them.
const USUAL: usize = 64;

/// The texts of a decoded value, by number.
#[derive(Debug)]
pub(crate) struct Texts(Vec<Text>);

impl Texts {
    pub(crate) fn new() -> Self {
        let mut texts = Vec::with_capacity(USUAL);
        texts.push(Text::default());
        Self(texts)
    }

    /// Takes the next symbol in, whose length comes first, and moves `bytes` behind it.
    pub(crate) fn read(&mut self, bytes: &mut &[u8]) -> Result<(), DecodeError> {
        let length = decode_varint(bytes)?;
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let (text, rest) = bytes
            .split_at_checked(length)
            .ok_or(DecodeError::Corrupt("a text is cut off"))?;
        let text = std::str::from_utf8(text);
        let text = text.map_err(|_| DecodeError::Corrupt("a text is not UTF-8"))?;
        self.0.push(Text::new(text));
        *bytes = rest;
        Ok(())
    }

    pub(crate) fn get(&self, number: u32) -> Result<Text, DecodeError> {
        let text = usize::try_from(number)
            .ok()
            .and_then(|number| self.0.get(number));
        text.cloned()
            .ok_or(DecodeError::Corrupt("a text has no symbol"))
    }
}
