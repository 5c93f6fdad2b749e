//! Needs AVX2.

use std::arch::x86_64::{
    __m256i, _CMP_GE_OQ, _mm256_add_epi32, _mm256_add_ps, _mm256_and_si256, _mm256_cmp_ps,
    _mm256_cvtepi32_ps, _mm256_loadu_ps, _mm256_loadu_si256, _mm256_madd_epi16, _mm256_movemask_ps,
    _mm256_mul_ps, _mm256_set1_epi16, _mm256_set1_epi32, _mm256_set1_ps, _mm256_setzero_si256,
    _mm256_srli_epi16, _mm256_storeu_ps, _mm256_sub_epi32,
};

use super::codes::{BLOCK, CodeQuery, CodeRows, GROUP};

const BYTES: usize = BLOCK * GROUP;
const HALF: usize = BLOCK / 2;

/// See [`super::bounds`].
///
/// # Safety
/// The codes must hold as many blocks as `wanted`.
#[target_feature(enable = "avx2")]
pub(super) unsafe fn bounds(
    query: &CodeQuery,
    rows: &CodeRows<'_>,
    bar: f32,
    wanted: &mut [u16],
    bounds: &mut [f32],
) {
    let stride = query.groups.len() * BYTES;
    for (at, block) in wanted.iter_mut().enumerate() {
        if *block == 0 {
            continue;
        }
        // SAFETY: the codes hold all blocks that are wanted.
        let halves = unsafe { sums(&query.groups, rows.codes.as_ptr().add(at * stride)) };
        let slack = rows.slack(query, at);
        let mut over = 0;
        for (half, sums) in halves.into_iter().enumerate() {
            let from = at * BLOCK + half * HALF;
            let steps = &rows.steps[from..from + HALF];
            let found = &mut bounds[from..from + HALF];
            over |= finish(query, sums, slack, steps, bar, found) << (half * HALF);
        }
        *block &= over;
    }
}

/// Byte products with one signed side saturate here, so the codes are widened to 16 bits first:
/// the even ones by a mask, the odd ones by a shift.
///
/// # Safety
/// `codes` must point to a block of as many groups as the query has.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn sums(query: &[[i8; GROUP]], codes: *const u8) -> [__m256i; 2] {
    let low = _mm256_set1_epi16(0xff);
    let mut sums = [_mm256_setzero_si256(); 2];
    for (at, four) in query.iter().enumerate() {
        let [a, b, c, d] = four.map(i16::from);
        let (even, odd) = (pair(a, c), pair(b, d));
        for (half, sum) in sums.iter_mut().enumerate() {
            // SAFETY: inside group `at` of the block, which is 64 bytes; the load may be
            // unaligned.
            let codes =
                unsafe { _mm256_loadu_si256(codes.add(at * BYTES + half * (BYTES / 2)).cast()) };
            let evens = _mm256_madd_epi16(_mm256_and_si256(codes, low), even);
            let odds = _mm256_madd_epi16(_mm256_srli_epi16::<8>(codes), odd);
            *sum = _mm256_add_epi32(*sum, _mm256_add_epi32(evens, odds));
        }
    }
    sums
}

#[inline]
#[target_feature(enable = "avx2")]
fn pair(low: i16, high: i16) -> __m256i {
    let word = i32::from(low.cast_unsigned()) | i32::from(high) << 16;
    _mm256_set1_epi32(word)
}

/// Eight rows; `steps` and `out` are as many. Returns a bit for each that is not below the bar.
#[inline]
#[target_feature(enable = "avx2")]
fn finish(
    query: &CodeQuery,
    sums: __m256i,
    slack: f32,
    steps: &[f32],
    bar: f32,
    out: &mut [f32],
) -> u16 {
    let (steps, out) = (&steps[..HALF], &mut out[..HALF]);
    let sums = _mm256_sub_epi32(sums, _mm256_set1_epi32(query.excess));
    let product = _mm256_mul_ps(_mm256_cvtepi32_ps(sums), _mm256_set1_ps(query.step));
    let sum = _mm256_add_ps(product, _mm256_set1_ps(slack));
    // SAFETY: both slices are eight numbers long.
    let bound = unsafe {
        let bound = _mm256_mul_ps(sum, _mm256_loadu_ps(steps.as_ptr()));
        _mm256_storeu_ps(out.as_mut_ptr(), bound);
        bound
    };
    let over = _mm256_movemask_ps(_mm256_cmp_ps::<_CMP_GE_OQ>(bound, _mm256_set1_ps(bar)));
    u16::try_from(over).unwrap_or(0)
}
