//! Numbers drawn from a seed: the same on every machine, for ever, as decisions are replayed.

/// From 0 to below 1, with 53 bits, as a function of the seed and of what is drawn. SplitMix64
/// (Steele, Lea, Flood, *Fast splittable pseudorandom number generators*, OOPSLA 2014).
pub(crate) fn unit(seed: u64, stream: u64) -> f64 {
    let state = seed.wrapping_add(stream.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    fraction(z ^ (z >> 31))
}

/// The top 53 bits as a fraction.
#[expect(
    clippy::cast_precision_loss,
    reason = "53 bits are what a float holds exactly"
)]
pub(crate) fn fraction(bits: u64) -> f64 {
    const STEPS: f64 = 9_007_199_254_740_992.0;
    (bits >> 11) as f64 / STEPS
}
