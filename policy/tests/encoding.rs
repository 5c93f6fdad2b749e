//! The form of inputs in the decision log.

use std::collections::BTreeMap;
use std::time::Duration;

use policy::sequence::Kind;
use policy::{DecodeError, Inputs, Line};

/// Ten lines with ids and categories as long as real ones, and what a real request adds.
fn usual_cart() -> Inputs {
    let line = |number: u32| Line {
        item_id: format!("1003461-{number:05}"),
        quantity: 1 + number % 3,
        price_minor: 4_990 + i64::from(number),
        cost_minor: number.is_multiple_of(2).then_some(2_500),
        margin_rate: (!number.is_multiple_of(2)).then_some(0.35),
        category: "electronics.audio.headphones".to_owned(),
        brand: "Sennheiser".to_owned(),
    };
    Inputs {
        lines: (0..10).map(line).collect(),
        currency: "EUR".to_owned(),
        risk: 0.731_234_567,
        channel: "email".to_owned(),
        channels: vec!["email".to_owned(), "push".to_owned()],
        consented_channels: vec!["email".to_owned()],
        messages_7d: 2,
        jurisdiction: "DE-BE".to_owned(),
        idle: Duration::from_secs(1_834),
        shopper: BTreeMap::from([
            ("purchases_30d".to_owned(), 3.0),
            ("views_24h".to_owned(), 17.0),
            ("add_to_cart_interval_mean_s".to_owned(), 43.7),
        ]),
        attributes: BTreeMap::from([("campaign".to_owned(), "spring".to_owned())]),
        now_ms: 1_740_960_000_000,
        ..Inputs::default()
    }
}

#[test]
fn a_cart_of_ten_lines_fits_into_a_kibibyte() {
    let inputs = usual_cart();
    let bytes = inputs.encode();
    println!("{} bytes", bytes.len());
    assert!(bytes.len() <= 1024);
    assert_eq!(Inputs::decode(&bytes), Ok(inputs));
}

#[test]
fn survives_json_too() {
    let inputs = usual_cart();
    let text = serde_json::to_string(&inputs).unwrap();
    assert_eq!(serde_json::from_str::<Inputs>(&text).unwrap(), inputs);
    assert!(serde_json::from_str::<Inputs>("{\"rsk\": 1}").is_err());
}

#[test]
fn keeps_every_bit_of_odd_numbers() {
    for risk in [f64::NAN, -0.0, f64::MIN_POSITIVE, f64::INFINITY] {
        let inputs = Inputs {
            risk,
            ..usual_cart()
        };
        assert_eq!(
            Inputs::decode(&inputs.encode()).unwrap().risk.to_bits(),
            risk.to_bits()
        );
    }
}

#[test]
fn refuses_what_it_cannot_read() {
    assert_eq!(Inputs::decode(&[]), Err(DecodeError::Version(0)));
    assert_eq!(Inputs::decode(&[0x08, 0x07]), Err(DecodeError::Version(7)));
    assert!(matches!(
        Inputs::decode(b"\xff\xff"),
        Err(DecodeError::Malformed(_))
    ));
    let mut idle = Inputs {
        idle: Duration::MAX,
        ..Inputs::default()
    }
    .encode();
    assert!(Inputs::decode(&idle).is_ok());
    idle.truncate(idle.len() - 1);
    assert!(matches!(
        Inputs::decode(&idle),
        Err(DecodeError::Malformed(_))
    ));
}

/// What the loop adds, and the version of the log that tells it.
fn in_the_loop() -> Inputs {
    Inputs {
        lambda: 0.25,
        budget_free_minor: Some(49_999),
        held_out: true,
        left: Kind::Browse,
        ..usual_cart()
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn the_second_version_of_the_log_is_readable_for_ever() {
    let golden = include_str!("goldens/inputs-v2.hex").trim();
    assert_eq!(hex(&in_the_loop().encode()), golden);
    assert_eq!(Inputs::decode(&in_the_loop().encode()), Ok(in_the_loop()));
    for alone in [
        Inputs {
            lambda: 0.1,
            ..usual_cart()
        },
        Inputs {
            budget_free_minor: Some(0),
            ..usual_cart()
        },
        Inputs {
            held_out: true,
            ..usual_cart()
        },
        Inputs {
            left: Kind::Lapsed,
            ..usual_cart()
        },
    ] {
        let bytes = alone.encode();
        assert_eq!(bytes[..2], [8, 2], "an older reader must refuse it");
        assert_eq!(Inputs::decode(&bytes), Ok(alone));
    }
}

#[test]
fn an_older_reader_refuses_what_a_cap_decided() {
    for inputs in [usual_cart(), in_the_loop()] {
        let capped = Inputs {
            capped: true,
            ..inputs
        };
        let bytes = capped.encode();
        assert_eq!(bytes[..2], [8, 3]);
        assert_eq!(Inputs::decode(&bytes), Ok(capped));
    }
}

#[test]
fn the_first_version_of_the_log_is_readable_for_ever() {
    let golden = include_str!("goldens/inputs-v1.hex").trim();
    let now: String = usual_cart()
        .encode()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(now, golden);
    let pairs = golden
        .as_bytes()
        .chunks(2)
        .map(|pair| std::str::from_utf8(pair).unwrap());
    let bytes: Vec<u8> = pairs
        .map(|pair| u8::from_str_radix(pair, 16).unwrap())
        .collect();
    assert_eq!(Inputs::decode(&bytes), Ok(usual_cart()));
}
