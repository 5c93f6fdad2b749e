//! Decimal text to integers, exactly: money never passes through a float.

/// Reads a decimal such as `35.79` as an integer of `10^-digits` units. Further digits round half
/// up, away from zero.
pub(crate) fn scaled(text: &str, digits: usize) -> Option<i64> {
    let (negative, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if (whole.is_empty() && fraction.is_empty()) || !all_digits(whole) || !all_digits(fraction) {
        return None;
    }
    let mut value: i64 = 0;
    let padded = fraction.bytes().chain(std::iter::repeat(b'0')).take(digits);
    for byte in whole.bytes().chain(padded) {
        value = value.checked_mul(10)?.checked_add(i64::from(byte - b'0'))?;
    }
    if fraction
        .as_bytes()
        .get(digits)
        .is_some_and(|byte| *byte >= b'5')
    {
        value = value.checked_add(1)?;
    }
    Some(if negative { -value } else { value })
}

/// A price of one unit in minor units. What costs something never rounds to nothing, because 0
/// means unknown.
pub(crate) fn price_minor(text: &str) -> Option<i64> {
    let price = scaled(text, 2)?;
    let is_positive =
        !text.starts_with('-') && text.bytes().any(|byte| (b'1'..=b'9').contains(&byte));
    Some(if is_positive { price.max(1) } else { price })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_decimals_exactly() {
        let cases = [
            ("35.79", Some(3579)),
            ("0.29", Some(29)),
            ("1.1", Some(110)),
            ("543", Some(54_300)),
            (".5", Some(50)),
            ("5.", Some(500)),
            ("-11062.06", Some(-1_106_206)),
            ("1.005", Some(101)),
            ("0.001", Some(0)),
            ("90071992547409.93", Some(9_007_199_254_740_993)),
            ("", None),
            (".", None),
            ("1e3", None),
            ("1,5", None),
            ("12 ", None),
            ("99999999999999999999", None),
        ];
        for (text, expected) in cases {
            assert_eq!(scaled(text, 2), expected, "{text:?}");
        }
    }

    #[test]
    fn a_small_price_is_not_no_price() {
        assert_eq!(price_minor("0.001"), Some(1));
        assert_eq!(price_minor("0.00"), Some(0));
        assert_eq!(price_minor("-0.01"), Some(-1));
    }
}
