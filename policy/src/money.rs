//! Integer money, and how it is written for people.

/// A share in parts per million, so that a percentage of an amount is integer arithmetic: the same
/// on every machine, and 29 % of 1.00 is 0.29, not 0.28.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Share(u32);

const WHOLE: u32 = 1_000_000;

impl Share {
    /// The nearest share; anything outside 0 to 1 is moved to the nearer end, NaN to 0.
    pub(crate) fn nearest(share: f64) -> Self {
        let parts = round_half_away(share.clamp(0.0, 1.0) * f64::from(WHOLE));
        Self(u32::try_from(parts).unwrap_or(0))
    }

    pub(crate) fn as_f64(self) -> f64 {
        f64::from(self.0) / f64::from(WHOLE)
    }

    /// That share of an amount, rounded down. Amounts below zero have none.
    pub(crate) fn of(self, amount: i64) -> i64 {
        let part = i128::from(amount.max(0)) * i128::from(self.0) / i128::from(WHOLE);
        i64::try_from(part).unwrap_or(i64::MAX)
    }
}

/// The nearest integer, halves away from zero; NaN is 0 and what is out of range saturates.
#[expect(
    clippy::cast_possible_truncation,
    reason = "a float cast saturates and maps NaN to 0"
)]
pub(crate) fn round_half_away(value: f64) -> i64 {
    value.round() as i64
}

/// An amount as a float. Exact up to 2^53 minor units.
#[expect(
    clippy::cast_precision_loss,
    reason = "an expected value needs no more digits"
)]
pub(crate) fn as_f64(amount: i64) -> f64 {
    amount as f64
}

/// `1240` in `EUR` as `12.40 EUR`.
pub(crate) fn format(amount: i64, currency: &str) -> String {
    let digits = minor_digits(currency);
    let unit = 10_u64.pow(digits);
    let sign = if amount < 0 { "-" } else { "" };
    let (major, minor) = (amount.unsigned_abs() / unit, amount.unsigned_abs() % unit);
    let number = match digits {
        0 => format!("{sign}{major}"),
        width => format!("{sign}{major}.{minor:0width$}", width = width as usize),
    };
    if currency.is_empty() {
        number
    } else {
        format!("{number} {currency}")
    }
}

/// Digits of the minor unit after ISO 4217; two unless listed.
fn minor_digits(currency: &str) -> u32 {
    match currency {
        "BIF" | "CLP" | "DJF" | "GNF" | "ISK" | "JPY" | "KMF" | "KRW" | "PYG" | "RWF" | "UGX"
        | "VND" | "VUV" | "XAF" | "XOF" | "XPF" => 0,
        "BHD" | "IQD" | "JOD" | "KWD" | "LYD" | "OMR" | "TND" => 3,
        _ => 2,
    }
}

/// A share as people say it: `64 %`, `under 1 %`, `4.5 %`.
pub(crate) fn percent(share: f64) -> String {
    let tenths = round_half_away(share * 1000.0);
    match tenths {
        i64::MIN..=0 if share <= 0.0 => "0 %".to_owned(),
        i64::MIN..10 => "under 1 %".to_owned(),
        991..1000 => "over 99 %".to_owned(),
        10..100 if tenths % 10 != 0 => format!("{}.{} %", tenths / 10, tenths % 10),
        _ => format!("{} %", round_half_away(share * 100.0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_by_the_digits_of_the_currency() {
        assert_eq!(format(1240, "EUR"), "12.40 EUR");
        assert_eq!(format(-5, "EUR"), "-0.05 EUR");
        assert_eq!(format(1240, "JPY"), "1240 JPY");
        assert_eq!(format(1240, "KWD"), "1.240 KWD");
        assert_eq!(format(i64::MIN, ""), "-92233720368547758.08");
    }

    #[test]
    fn takes_a_percentage_without_binary_rounding() {
        assert_eq!(Share::nearest(0.29).of(100), 29);
        assert_eq!(Share::nearest(0.1).of(999), 99);
        assert_eq!(Share::nearest(f64::NAN).of(100), 0);
        assert_eq!(Share::nearest(7.0).of(i64::MAX), i64::MAX);
        assert_eq!(Share::nearest(0.5).of(-100), 0);
    }

    #[test]
    fn rounds_halves_away_from_zero() {
        assert_eq!((round_half_away(2.5), round_half_away(-2.5)), (3, -3));
        assert_eq!(round_half_away(f64::NAN), 0);
        assert_eq!(round_half_away(f64::INFINITY), i64::MAX);
    }

    #[test]
    fn says_shares_in_words_at_the_ends() {
        let said: Vec<_> = [0.0, 0.004, 0.045, 0.64, 0.997, 1.0]
            .into_iter()
            .map(percent)
            .collect();
        assert_eq!(
            said,
            ["0 %", "under 1 %", "4.5 %", "64 %", "over 99 %", "100 %"]
        );
    }
}
