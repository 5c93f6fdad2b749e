//! Arithmetic in the widest code that the machine has: inner products of full vectors, of 8-bit
//! codes, and the test of many ids against a filter. Beside `ffi`, the only unsafe code of the
//! workspace: instructions that not every machine has are unsafe to call, and they read through
//! pointers. Everything that leaves this module is safe: it checks each length itself and trusts
//! no caller, and every path gives the same bits.
#![allow(
    unsafe_code,
    reason = "instructions beyond the baseline are chosen at run time"
)]

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod codes;
mod floats;
mod members;

pub(crate) use codes::{BLOCK, CodeQuery, CodeRows, GROUP, bounds};
pub(crate) use floats::{dot, score_ids, score_rows};
pub(crate) use members::members;

/// Asks for bytes that will be read soon. It never changes an answer.
#[inline(always)]
pub(crate) fn prefetch<T>(values: &[T]) {
    #[cfg(target_arch = "x86_64")]
    for line in (0..size_of_val(values)).step_by(64) {
        // SAFETY: a prefetch reads nothing and cannot fault, and the address is inside the slice.
        unsafe {
            use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
            _mm_prefetch::<_MM_HINT_T0>(values.as_ptr().cast::<i8>().add(line));
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = values;
}

/// Which instructions the integer code uses.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    /// AVX-512 with the byte products of VNNI.
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    Plain,
}

impl Level {
    /// The best that this machine has.
    pub(crate) fn best() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512vnni")
            {
                return Self::Avx512;
            }
            if is_x86_feature_detected!("avx2") {
                return Self::Avx2;
            }
        }
        Self::Plain
    }

    /// All that this machine has, for tests that compare them.
    #[cfg(test)]
    fn all() -> Vec<Self> {
        let mut levels = vec![Self::Plain];
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx2") {
                levels.push(Self::Avx2);
            }
            if Self::best() == Self::Avx512 {
                levels.push(Self::Avx512);
            }
        }
        levels
    }
}
