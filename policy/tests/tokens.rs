//! Codes and links: what was signed comes back, and nothing else does.
#![allow(clippy::unwrap_used, reason = "helpers of tests unwrap like tests do")]

use std::collections::{BTreeMap, BTreeSet};

use policy::coupon::{self, Issue};
use policy::restore::{self, Change, ItemToday, Link, StoredLine};
use policy::token::{KeyError, Keyring, TokenError};
use proptest::prelude::*;

const HOUR: i64 = 3_600_000;
/// 26 November 2026, 10:30 UTC.
const NOW: i64 = 1_795_689_000_000;

fn keys(numbers: &[u8], current: u8) -> Keyring {
    let key = |number: &u8| (*number, [number.wrapping_mul(7); 32]);
    Keyring::new(numbers.iter().map(key).collect(), current).unwrap()
}

fn sample<'a>(person: &'a str, decision_id: &'a str) -> Issue<'a> {
    Issue {
        shop: "alba",
        person,
        cart_version: 7,
        decision_id,
        expires_at_ms: NOW + 72 * HOUR,
    }
}

fn link<'a>(person: &'a str, decision_id: &'a str) -> Link<'a> {
    Link {
        shop: "alba",
        person,
        cart_version: 7,
        decision_id,
        expires_at_ms: NOW + 72 * HOUR,
    }
}

#[test]
fn the_first_versions_are_readable_for_ever() {
    let keys = keys(&[1, 2], 2);
    let code = coupon::issue(&keys, sample("p1", "d1"));
    let (token, reference) = restore::issue(&keys, link("p1", "d1"));
    assert_eq!(
        format!("{code}\n{token}"),
        include_str!("goldens/tokens-v1.txt").trim()
    );
    let read = coupon::verify(&keys, "alba", &code, NOW).unwrap();
    assert_eq!(
        read.expires_at_ms,
        NOW + 72 * HOUR + HOUR / 2,
        "rounded up to the hour"
    );
    let read = restore::verify(&keys, "alba", &token, NOW).unwrap();
    assert_eq!(read.reference, reference);
    assert_eq!(read.expires_at_ms, NOW + 72 * HOUR);
}

#[test]
fn a_code_is_typed_as_people_type() {
    let keys = keys(&[1], 1);
    let code = coupon::issue(&keys, sample("p1", "d1"));
    let typed = code.to_lowercase().replace('0', "o").replace('1', "l");
    let (left, right) = typed.split_at(9);
    let typed = format!(" {left}-{right} ");
    assert_eq!(
        coupon::verify(&keys, "alba", &typed, NOW),
        coupon::verify(&keys, "alba", &code, NOW)
    );
    assert!(coupon::verify(&keys, "alba", &code, NOW).is_ok());
}

#[test]
fn expires_at_redemption_and_holds_for_one_shop_and_one_kind() {
    let keys = keys(&[1], 1);
    let code = coupon::issue(&keys, sample("p1", "d1"));
    let verify = |shop, now| coupon::verify(&keys, shop, &code, now);
    assert_eq!(verify("alba", NOW + 73 * HOUR), Err(TokenError::Expired));
    assert_eq!(verify("other", NOW), Err(TokenError::Invalid));
    let (token, _) = restore::issue(&keys, link("p1", "d1"));
    let open = |now| restore::verify(&keys, "alba", &token, now);
    assert!(open(NOW + 72 * HOUR - 1).is_ok());
    assert_eq!(open(NOW + 72 * HOUR), Err(TokenError::Expired));
    assert_eq!(
        restore::verify(&keys, "other", &token, NOW),
        Err(TokenError::Invalid)
    );
    assert_eq!(
        restore::verify(&keys, "alba", &code, NOW),
        Err(TokenError::Invalid)
    );
}

#[test]
fn a_key_is_rotated_in_and_taken_out() {
    let code = coupon::issue(&keys(&[1], 1), sample("p1", "d1"));
    let verify = |keys: &Keyring| coupon::verify(keys, "alba", &code, NOW);
    assert!(
        verify(&keys(&[1, 2], 2)).is_ok(),
        "old codes hold while the key is there"
    );
    assert_eq!(verify(&keys(&[2], 2)), Err(TokenError::Invalid));
    assert_ne!(coupon::issue(&keys(&[1, 2], 2), sample("p1", "d1")), code);
    assert_eq!(
        Keyring::new(BTreeMap::new(), 1),
        Err(KeyError::NoCurrent(1))
    );
    assert_eq!(
        format!("{:?}", keys(&[1, 2], 2)),
        "Keyring { numbers: [1, 2], current: 2, .. }"
    );
}

#[test]
fn every_person_cart_and_decision_has_a_code_of_its_own_and_a_repeat_has_the_same() {
    let keys = keys(&[1], 1);
    let mut serials = BTreeSet::new();
    for number in 0..20_000_u64 {
        let (person, decision) = (format!("p{}", number % 200), format!("d{}", number / 2_000));
        let issue = Issue {
            cart_version: (number / 200) % 10,
            ..sample(&person, &decision)
        };
        let code = coupon::issue(&keys, issue);
        assert_eq!(code, coupon::issue(&keys, issue));
        serials.insert(coupon::verify(&keys, "alba", &code, NOW).unwrap().serial);
    }
    assert_eq!(serials.len(), 20_000);
    // Fields do not run into each other.
    assert_ne!(
        coupon::issue(&keys, sample("p1", "1d")),
        coupon::issue(&keys, sample("p11", "d"))
    );
}

#[test]
fn a_cart_comes_back_at_todays_prices_with_what_differs() {
    let line = |item: &str, quantity, price_minor| StoredLine {
        item_id: item.to_owned(),
        quantity,
        price_minor,
    };
    let item = |sellable, price_minor, stock| ItemToday {
        sellable,
        price_minor,
        stock,
    };
    let today = [
        ("same", item(true, 100, None)),
        ("dearer", item(true, 150, Some(9))),
        ("few", item(true, 100, Some(2))),
        ("sold", item(true, 100, Some(0))),
        ("off", item(false, 100, Some(5))),
    ];
    let today = today.map(|(name, item)| (name.to_owned(), item)).into();
    let stored = ["same", "dearer", "few", "sold", "off", "gone"].map(|name| line(name, 3, 100));
    let back = restore::reprice(&stored, &today);
    let changes: Vec<_> = back.lines.iter().map(|line| line.changes.clone()).collect();
    assert_eq!(
        changes,
        [
            vec![],
            vec![Change::Price {
                then_minor: 100,
                now_minor: 150
            }],
            vec![Change::FewerInStock { wanted: 3, left: 2 }],
            vec![Change::Unavailable],
            vec![Change::Unavailable],
            vec![Change::Unavailable],
        ]
    );
    assert_eq!(back.value_minor, 300 + 450 + 200);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_typed_is_refused_and_never_panics(text in ".{0,80}", letters in "[0-9A-Za-z -]{0,70}", now: i64) {
        let keys = keys(&[0, 1], 1);
        for text in [&text, &letters] {
            prop_assert_eq!(coupon::verify(&keys, "alba", text, now), Err(TokenError::Invalid));
            prop_assert_eq!(restore::verify(&keys, "alba", text, now), Err(TokenError::Invalid));
        }
    }

    #[test]
    fn one_letter_changed_makes_it_invalid(place in 0..64_usize, letter in 0..32_usize) {
        let keys = keys(&[0, 1, 2, 3], 1);
        let code = coupon::issue(&keys, sample("p1", "d1"));
        let (token, _) = restore::issue(&keys, link("p1", "d1"));
        let changed = |text: &str| {
            let mut bytes = text.as_bytes().to_vec();
            let place = place % bytes.len();
            bytes[place] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ"[letter];
            String::from_utf8(bytes).unwrap()
        };
        if changed(&code) != code {
            prop_assert_eq!(coupon::verify(&keys, "alba", &changed(&code), NOW), Err(TokenError::Invalid));
        }
        if changed(&token) != token {
            prop_assert_eq!(restore::verify(&keys, "alba", &changed(&token), NOW), Err(TokenError::Invalid));
        }
    }

    #[test]
    fn any_expiry_can_be_asked_for(expires_at_ms: i64, person in ".{0,9}", cart_version: u64) {
        let keys = keys(&[1], 1);
        let code = coupon::issue(&keys, Issue { expires_at_ms, cart_version, ..sample(&person, "d") });
        let (token, _) = restore::issue(&keys, Link { expires_at_ms, cart_version, ..link(&person, "d") });
        prop_assert_eq!((code.len(), token.len()), (32, 64));
        let read = coupon::verify(&keys, "alba", &code, i64::MIN).unwrap();
        prop_assert!(restore::verify(&keys, "alba", &token, i64::MIN).is_ok());
        let far = 0x00ff_ffff * HOUR;
        prop_assert!(read.expires_at_ms >= expires_at_ms.clamp(0, far) && read.expires_at_ms <= far);
    }
}
