//! Inner products of 8-bit codes, sixteen rows at a time.
//!
//! Rows are stored in blocks of [`BLOCK`]; a block holds the first [`GROUP`] numbers of each of
//! its rows, then the next of each, and so on, so that one register holds the same four
//! dimensions of sixteen rows. A row's code is its number plus 128, because the byte product of
//! AVX-512 takes one side without a sign; the excess is the same for all rows and is taken off.

use super::Level;

/// Rows of one block.
pub(crate) const BLOCK: usize = 16;
/// Numbers of a row that lie together.
pub(crate) const GROUP: usize = 4;
const BLOCK_OF_GROUP: usize = BLOCK * GROUP;

/// A query as codes from -127 to 127.
#[derive(Clone, Debug, Default)]
pub(crate) struct CodeQuery {
    /// Four codes a word, lowest dimension in the lowest byte, padded with zeros.
    pub(crate) groups: Vec<[i8; GROUP]>,
    /// 128 times the sum of the codes.
    pub(crate) excess: i32,
    /// What one step of the codes is worth.
    pub(crate) step: f32,
    /// Weight of a block's `errors` in a bound.
    pub(crate) norm: f32,
    /// Weight of a block's `lengths` in a bound.
    pub(crate) slip: f32,
}

/// Whole blocks of rows.
#[derive(Copy, Clone, Debug)]
pub(crate) struct CodeRows<'a> {
    pub(crate) codes: &'a [u8],
    /// What one step of each row's codes is worth.
    pub(crate) steps: &'a [f32],
    /// For each block, the most that rounding moved one of its rows, in steps of that row.
    pub(crate) errors: &'a [f32],
    /// For each block, the greatest length of one of its rows, in steps of that row.
    pub(crate) lengths: &'a [f32],
}

impl CodeRows<'_> {
    /// Half the width of the bounds of a block's rows, in steps of the row.
    #[inline(always)]
    pub(crate) fn slack(&self, query: &CodeQuery, block: usize) -> f32 {
        self.errors[block] * query.norm + self.lengths[block] * query.slip
    }
}

/// For each wanted row (bit r of `wanted[b]` for row r of block b) writes the most that its inner
/// product with the query can be into `bounds`, and replaces the block's bits with those of the
/// wanted rows whose bound is not below `bar`. Blocks of which nothing is wanted are left out.
///
/// Does as many blocks as all slices hold.
pub(crate) fn bounds(
    level: Level,
    query: &CodeQuery,
    rows: &CodeRows<'_>,
    bar: f32,
    wanted: &mut [u16],
    bounds: &mut [f32],
) {
    let block_bytes = query.groups.len() * BLOCK_OF_GROUP;
    let held = [
        rows.codes.len() / block_bytes.max(1),
        rows.steps.len() / BLOCK,
        bounds.len() / BLOCK,
        rows.errors.len(),
        rows.lengths.len(),
        wanted.len(),
    ];
    let blocks = held.into_iter().min().unwrap_or(0);
    let (wanted, bounds) = (&mut wanted[..blocks], &mut bounds[..blocks * BLOCK]);
    match level {
        // SAFETY: `Level::best` and `Level::all` name a level only when the machine has it, and
        // all slices hold `blocks` blocks, as was just computed.
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 => unsafe { super::avx512::bounds(query, rows, bar, wanted, bounds) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => unsafe { super::avx2::bounds(query, rows, bar, wanted, bounds) },
        Level::Plain => plain(query, rows, bar, wanted, bounds),
    }
}

fn plain(query: &CodeQuery, rows: &CodeRows<'_>, bar: f32, wanted: &mut [u16], bounds: &mut [f32]) {
    let codes = rows.codes.chunks_exact(query.groups.len() * BLOCK_OF_GROUP);
    for (at, (block, codes)) in wanted.iter_mut().zip(codes).enumerate() {
        if *block == 0 {
            continue;
        }
        let sums = sums(&query.groups, codes);
        let slack = rows.slack(query, at);
        let mut over = 0;
        for (lane, sum) in sums.into_iter().enumerate() {
            let row = at * BLOCK + lane;
            let product = to_float(sum - query.excess) * query.step;
            bounds[row] = (product + slack) * rows.steps[row];
            over |= u16::from(bounds[row] >= bar) << lane;
        }
        *block &= over;
    }
}

fn sums(query: &[[i8; GROUP]], codes: &[u8]) -> [i32; BLOCK] {
    let mut sums = [0; BLOCK];
    let (groups, _) = codes.as_chunks::<BLOCK_OF_GROUP>();
    for (four, group) in query.iter().zip(groups) {
        let (rows, _) = group.as_chunks::<GROUP>();
        for (sum, row) in sums.iter_mut().zip(rows) {
            for (a, b) in row.iter().zip(four) {
                *sum += i32::from(*a) * i32::from(*b);
            }
        }
    }
    sums
}

#[expect(
    clippy::cast_precision_loss,
    reason = "rounds as the vector conversion does, and the bound allows for it"
)]
fn to_float(sum: i32) -> f32 {
    sum as f32
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Debug)]
    struct Case {
        query: CodeQuery,
        codes: Vec<u8>,
        steps: Vec<f32>,
        blocks: Vec<f32>,
        wanted: Vec<u16>,
    }

    impl Case {
        fn rows(&self) -> CodeRows<'_> {
            CodeRows {
                codes: &self.codes,
                steps: &self.steps,
                errors: &self.blocks,
                lengths: &self.blocks,
            }
        }

        fn run(&self, level: Level, bar: f32) -> (Vec<u16>, Vec<u32>) {
            let mut wanted = self.wanted.clone();
            let mut found = vec![0.0; self.steps.len()];
            bounds(
                level,
                &self.query,
                &self.rows(),
                bar,
                &mut wanted,
                &mut found,
            );
            (wanted, found.into_iter().map(f32::to_bits).collect())
        }
    }

    /// Codes over their whole range, so that a product that saturates would show.
    fn case() -> impl Strategy<Value = (Case, f32)> {
        let extreme = prop_oneof![Just(0u8), Just(1), Just(255), any::<u8>()];
        let code = prop_oneof![Just(-127i8), Just(127), -127i8..=127];
        (1usize..70, 0usize..9).prop_flat_map(move |(groups, blocks)| {
            (
                prop::collection::vec(
                    [code.clone(), code.clone(), code.clone(), code.clone()],
                    groups,
                ),
                prop::collection::vec(extreme.clone(), groups * blocks * BLOCK_OF_GROUP),
                prop::collection::vec(0.0f32..2.0, blocks * BLOCK),
                prop::collection::vec(0.0f32..9.0, blocks),
                prop::collection::vec(
                    prop_oneof![Just(0u16), Just(u16::MAX), any::<u16>()],
                    blocks,
                ),
                -1e4f32..1e4,
            )
                .prop_map(|(groups, codes, steps, blocks, wanted, bar)| {
                    let sum: i32 = groups.as_flattened().iter().map(|x| i32::from(*x)).sum();
                    let query = CodeQuery {
                        groups,
                        excess: 128 * sum,
                        step: 0.013,
                        norm: 1.7,
                        slip: 0.3,
                    };
                    (
                        Case {
                            query,
                            codes,
                            steps,
                            blocks,
                            wanted,
                        },
                        bar,
                    )
                })
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(96))]

        #[test]
        fn every_path_gives_the_same_bits((case, bar) in case()) {
            let expected = case.run(Level::Plain, bar);
            for level in Level::all() {
                prop_assert_eq!(&case.run(level, bar), &expected, "{:?}", level);
            }
        }

        #[test]
        fn a_bound_is_the_plain_sum_with_its_slack((case, bar) in case()) {
            let (over, found) = case.run(Level::best(), bar);
            let stride = case.query.groups.len() * BLOCK_OF_GROUP;
            for (row, bits) in found.into_iter().enumerate() {
                let (block, lane) = (row / BLOCK, row % BLOCK);
                if case.wanted[block] == 0 {
                    continue;
                }
                let code = |i: usize| {
                    case.codes[block * stride + i / GROUP * BLOCK_OF_GROUP + lane * GROUP + i % GROUP]
                };
                let query = case.query.groups.as_flattened();
                let sum: i64 = (0..query.len())
                    .map(|i| (i64::from(code(i)) - 128) * i64::from(query[i]))
                    .sum();
                let slack = case.blocks[block] * 1.7 + case.blocks[block] * 0.3;
                let bound = (sum as f32 * 0.013 + slack) * case.steps[row];
                prop_assert_eq!(bits, bound.to_bits());
                let bit = case.wanted[block] & (u16::from(bound >= bar) << lane);
                prop_assert_eq!(over[block] & (1 << lane), bit);
            }
        }
    }
}
