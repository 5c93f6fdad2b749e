//! Needs AVX-512 F, BW and VNNI.

use std::arch::x86_64::{
    __m512i, _CMP_GE_OQ, _mm512_add_ps, _mm512_and_si512, _mm512_cmp_ps_mask,
    _mm512_cmplt_epu32_mask, _mm512_cvtepi32_ps, _mm512_dpbusd_epi32, _mm512_loadu_ps,
    _mm512_loadu_si512, _mm512_mask_i32gather_epi32, _mm512_mul_ps, _mm512_set1_epi32,
    _mm512_set1_ps, _mm512_setzero_si512, _mm512_sllv_epi32, _mm512_srli_epi32, _mm512_storeu_ps,
    _mm512_sub_epi32, _mm512_test_epi32_mask,
};

use super::codes::{BLOCK, CodeQuery, CodeRows, GROUP};

const BYTES: usize = BLOCK * GROUP;

/// See [`super::bounds`].
///
/// # Safety
/// The codes must hold as many blocks as `wanted`.
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
pub(super) unsafe fn bounds(
    query: &CodeQuery,
    rows: &CodeRows<'_>,
    bar: f32,
    wanted: &mut [u16],
    bounds: &mut [f32],
) {
    let stride = query.groups.len() * BYTES;
    let mut at = 0;
    while at < wanted.len() {
        let four = wanted.len() - at >= 4 && wanted[at..at + 4].iter().all(|&bits| bits != 0);
        // SAFETY: the codes hold all blocks that are wanted, so this one and the next three when
        // there are as many.
        let codes = unsafe { rows.codes.as_ptr().add(at * stride) };
        if four {
            // SAFETY: as above.
            let sums = unsafe { sums::<4>(&query.groups, codes, stride) };
            for (next, sums) in (at..).zip(sums) {
                finish(query, rows, bar, next, sums, wanted, bounds);
            }
            at += 4;
            continue;
        }
        if wanted[at] != 0 {
            // SAFETY: as above.
            let [sums] = unsafe { sums::<1>(&query.groups, codes, stride) };
            finish(query, rows, bar, at, sums, wanted, bounds);
        }
        at += 1;
    }
}

/// Several blocks at once, so that one word of the query serves all.
///
/// # Safety
/// `codes` must point to `N` blocks of `stride` bytes, each as many groups as the query has.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
unsafe fn sums<const N: usize>(
    query: &[[i8; GROUP]],
    codes: *const u8,
    stride: usize,
) -> [__m512i; N] {
    let mut sums = [_mm512_setzero_si512(); N];
    for (at, four) in query.iter().enumerate() {
        let four = _mm512_set1_epi32(i32::from_le_bytes(four.map(i8::cast_unsigned)));
        for (block, sum) in sums.iter_mut().enumerate() {
            // SAFETY: inside block `block`, whose group `at` is 64 bytes; the load may be
            // unaligned.
            let codes =
                unsafe { _mm512_loadu_si512(codes.add(block * stride + at * BYTES).cast()) };
            *sum = _mm512_dpbusd_epi32(*sum, codes, four);
        }
    }
    sums
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
fn finish(
    query: &CodeQuery,
    rows: &CodeRows<'_>,
    bar: f32,
    block: usize,
    sums: __m512i,
    wanted: &mut [u16],
    bounds: &mut [f32],
) {
    let place = block * BLOCK..(block + 1) * BLOCK;
    let (steps, out) = (&rows.steps[place.clone()], &mut bounds[place]);
    let sums = _mm512_sub_epi32(sums, _mm512_set1_epi32(query.excess));
    let product = _mm512_mul_ps(_mm512_cvtepi32_ps(sums), _mm512_set1_ps(query.step));
    let sum = _mm512_add_ps(product, _mm512_set1_ps(rows.slack(query, block)));
    // SAFETY: both slices are sixteen numbers long.
    let bound = unsafe {
        let bound = _mm512_mul_ps(sum, _mm512_loadu_ps(steps.as_ptr()));
        _mm512_storeu_ps(out.as_mut_ptr(), bound);
        bound
    };
    wanted[block] &= _mm512_cmp_ps_mask::<_CMP_GE_OQ>(bound, _mm512_set1_ps(bar));
}

/// See [`super::members`].
///
/// # Safety
/// `words` must not hold more than 2²⁶ words, and `ids` sixteen for each of `out`.
#[target_feature(enable = "avx512f,avx512bw")]
pub(super) unsafe fn members(ids: &[u32], words: &[u64], out: &mut [u16]) {
    let count = u32::try_from(words.len() * 64).unwrap_or(0);
    let limit = _mm512_set1_epi32(count.cast_signed());
    let low = _mm512_set1_epi32(31);
    for (at, out) in out.iter_mut().enumerate() {
        // SAFETY: there are sixteen ids for each of `out`. The gather reads only lanes whose id
        // is below the number of bits, so inside the words, and the index of a 32-bit half of a
        // word fits 31 bits.
        *out = unsafe {
            let ids = _mm512_loadu_si512(ids.as_ptr().add(at * BLOCK).cast());
            let inside = _mm512_cmplt_epu32_mask(ids, limit);
            let halves = _mm512_mask_i32gather_epi32::<4>(
                _mm512_setzero_si512(),
                inside,
                _mm512_srli_epi32::<5>(ids),
                words.as_ptr().cast(),
            );
            let bit = _mm512_sllv_epi32(_mm512_set1_epi32(1), _mm512_and_si512(ids, low));
            _mm512_test_epi32_mask(halves, bit)
        };
    }
}
