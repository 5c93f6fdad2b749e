//! Packed columns of a table: on the wire `repeated` numbers, here the bytes that they are. They are
//! read one row at a time, without a list for each column.

use prost::encoding::{decode_varint, encode_varint};

use crate::state::DecodeError;

const UNEQUAL: DecodeError = DecodeError::Corrupt("columns of one table differ in length");

/// Numbers as varints.
pub(super) fn varints(values: impl IntoIterator<Item = u64>) -> Vec<u8> {
    let mut column = Vec::new();
    for value in values {
        encode_varint(value, &mut column);
    }
    column
}

/// Numbers of eight bytes each.
pub(super) fn fixed(values: impl IntoIterator<Item = u64>) -> Vec<u8> {
    values.into_iter().flat_map(u64::to_le_bytes).collect()
}

/// The rest of a column of varints.
#[derive(Clone, Debug)]
pub(super) struct Varints<'a> {
    left: &'a [u8],
    /// What every row holds, where the column is left out.
    usual: Option<u32>,
}

impl<'a> Varints<'a> {
    pub(super) fn new(column: &'a [u8]) -> Self {
        Self {
            left: column,
            usual: None,
        }
    }

    /// A column that is left out when it holds nothing but `usual`.
    pub(super) fn or(usual: u32, column: &'a [u8]) -> Self {
        Self {
            left: column,
            usual: column.is_empty().then_some(usual),
        }
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.left.is_empty()
    }

    pub(super) fn next_u64(&mut self) -> Result<u64, DecodeError> {
        if self.left.is_empty() {
            return self.usual.map(u64::from).ok_or(UNEQUAL);
        }
        Ok(decode_varint(&mut self.left)?)
    }

    pub(super) fn next_u32(&mut self) -> Result<u32, DecodeError> {
        let value = self.next_u64()?;
        u32::try_from(value).map_err(|_| DecodeError::Corrupt("a number is too large"))
    }
}

/// The columns of a table end together, when each of them has.
pub(super) fn end_together(at_end: &[bool]) -> Result<(), DecodeError> {
    at_end.iter().all(|end| *end).then_some(()).ok_or(UNEQUAL)
}

/// The rest of a column of [`fixed`] numbers.
pub(super) fn next_fixed(column: &mut &[u8]) -> Result<u64, DecodeError> {
    let (first, rest) = column.split_first_chunk().ok_or(UNEQUAL)?;
    *column = rest;
    Ok(u64::from_le_bytes(*first))
}
