use bytemuck::{Pod, Zeroable};

use crate::image::{ALIGN, Image, Section};
use crate::simd::{BLOCK, CodeQuery, CodeRows, GROUP};

pub(super) const MAGIC: [u8; 8] = *b"CWCODES1";

/// The first bytes of the file, little-endian as everything behind them.
#[derive(Copy, Clone, Debug, Pod, Zeroable)]
#[repr(C)]
pub(super) struct Header {
    pub(super) magic: [u8; 8],
    pub(super) rows: u64,
    /// Blocks of rows; lists begin at a block, so there may be more than the rows fill.
    pub(super) blocks: u64,
    /// Xxh3 of the vectors that were coded.
    pub(super) vectors: u64,
    pub(super) dimension: u32,
    /// 0 when all rows lie in one sequence, in order of id.
    pub(super) lists: u32,
    /// Standard deviations of a list that count for its rank.
    pub(super) reach: f32,
    pub(super) reserved: [u32; 5],
}

/// Where a table of codes lies.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) struct Table {
    pub(super) blocks: usize,
    pub(super) codes: Section,
    pub(super) steps: Section,
    pub(super) errors: Section,
    pub(super) lengths: Section,
}

/// Where everything lies; it follows from the header alone.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    /// First block of each list and the end of the last.
    pub(super) starts: Section,
    /// Rows of each list.
    pub(super) sizes: Section,
    /// The id of each row, by list, then id; `u32::MAX` where a list's last block has none.
    pub(super) ids: Section,
    pub(super) rows: Table,
    /// The mean of each list.
    pub(super) means: Table,
    /// How far the rows of each list lie from its mean: standard deviation of one dimension.
    pub(super) spreads: Section,
    pub(super) len: usize,
}

impl Layout {
    /// `None` when no memory could hold it.
    pub(super) fn of(header: &Header) -> Option<Self> {
        let lists = usize::try_from(header.lists).ok()?;
        let blocks = usize::try_from(header.blocks).ok()?;
        let groups = usize::try_from(header.dimension).ok()?.div_ceil(GROUP);
        let ids = if lists > 0 {
            blocks.checked_mul(BLOCK)?
        } else {
            0
        };
        let first = Section {
            from: 0,
            len: ALIGN,
        };
        let starts = first.then::<u32>(lists + 1)?;
        let sizes = starts.then::<u32>(lists)?;
        let ids = sizes.then::<u32>(ids)?;
        let rows = Table::after(ids, blocks, groups)?;
        let means = Table::after(rows.lengths, lists.div_ceil(BLOCK), groups)?;
        let spreads = means.lengths.then::<f32>(lists)?;
        Some(Self {
            starts,
            sizes,
            ids,
            rows,
            means,
            spreads,
            len: spreads.from.checked_add(spreads.len)?,
        })
    }
}

impl Table {
    fn after(before: Section, blocks: usize, groups: usize) -> Option<Self> {
        let rows = blocks.checked_mul(BLOCK)?;
        let codes = before.then::<u8>(rows.checked_mul(groups.checked_mul(GROUP)?)?)?;
        let steps = codes.then::<f32>(rows)?;
        let errors = steps.then::<f32>(blocks)?;
        let lengths = errors.then::<f32>(blocks)?;
        Some(Self {
            blocks,
            codes,
            steps,
            errors,
            lengths,
        })
    }

    pub(super) fn rows(self, image: &Image) -> CodeRows<'_> {
        CodeRows {
            codes: image.section(self.codes),
            steps: image.section(self.steps),
            errors: image.section(self.errors),
            lengths: image.section(self.lengths),
        }
    }
}

/// Blocks `from..to` of a table; fewer when it ends before.
pub(super) fn blocks<'a>(
    rows: &CodeRows<'a>,
    query: &CodeQuery,
    from: usize,
    to: usize,
) -> CodeRows<'a> {
    let stride = query.groups.len() * BLOCK * GROUP;
    CodeRows {
        codes: rows.codes.get(from * stride..to * stride).unwrap_or(&[]),
        steps: rows.steps.get(from * BLOCK..to * BLOCK).unwrap_or(&[]),
        errors: rows.errors.get(from..to).unwrap_or(&[]),
        lengths: rows.lengths.get(from..to).unwrap_or(&[]),
    }
}
