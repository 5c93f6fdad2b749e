//! Bands of prices.

/// Lower ends of the price bands in whole currency units.
const BANDS: [i64; 19] = [
    0,
    10,
    20,
    50,
    100,
    200,
    500,
    1_000,
    2_000,
    5_000,
    10_000,
    20_000,
    50_000,
    100_000,
    200_000,
    500_000,
    1_000_000,
    10_000_000,
    100_000_000,
];

/// Number of the band that holds a price; minor units are taken as hundredths.
pub(super) fn of(price_minor: i64) -> u8 {
    let above = BANDS.partition_point(|low| low.saturating_mul(100) <= price_minor);
    u8::try_from(above.saturating_sub(1)).unwrap_or(0)
}

/// `20-50`; the last band is `100000000+`.
pub(super) fn name(band: u8) -> String {
    let index = usize::from(band);
    match (BANDS.get(index), BANDS.get(index + 1)) {
        (Some(low), Some(high)) => format!("{low}-{high}"),
        (Some(low), None) => format!("{low}+"),
        (None, _) => "unknown".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_falls_into_the_band_that_begins_at_or_below_it() {
        let name = |price| super::name(of(price));
        assert_eq!(name(1), "0-10");
        assert_eq!(name(999), "0-10");
        assert_eq!(name(1_000), "10-20");
        assert_eq!(name(1_000_000_000_000), "100000000+");
    }
}
