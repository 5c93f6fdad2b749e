//! Values written by the first version load for ever.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::wildcard_enum_match_arm,
    reason = "a test fails by panicking, and its numbers are small"
)]

use std::time::Duration;

use feature_store::view::Window;
use feature_store::{
    ConsentRecord, Event, EventKind, LoggedEvent, Millis, Outcome, ProfileUpdate, Shopper,
    ShopperView,
};

const GOLDEN: &str = include_str!("goldens/shopper-v1.hex");
const WITH_RECOVERY: &str = include_str!("goldens/shopper-v2.hex");
/// As written since a cart tells what was taken out of it.
const WITH_TAKES: &str = include_str!("goldens/shopper-v1-takes.hex");
const WITH_TAKES_AND_RECOVERY: &str = include_str!("goldens/shopper-v2-takes.hex");
const LOGGED: &str = include_str!("goldens/event-v1.hex");
const START: i64 = 1_700_000_000_000;
/// When the last event happened.
const NOW: Millis = Millis(START + 2 * Millis::DAY + 3 * Millis::MINUTE);

fn bytes(golden: &str) -> Vec<u8> {
    let digits: String = golden.split_whitespace().collect();
    let byte = |at| u8::from_str_radix(&digits[at..at + 2], 16).expect("hexadecimal");
    (0..digits.len()).step_by(2).map(byte).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn event(id: usize, kind: EventKind, item: &str, offset: i64, price_minor: i64) -> Event {
    Event {
        event_id: format!("event-{id}"),
        shopper_id: "shopper".into(),
        device_id: "phone".into(),
        kind,
        item_id: item.into(),
        quantity: 2,
        price_minor,
        currency: if price_minor > 0 {
            "EUR".into()
        } else {
            String::new()
        },
        occurred_at: Millis(START + offset),
        category: if item.is_empty() {
            String::new()
        } else {
            format!("home.{item}")
        },
        brand: if item == "pan" {
            "Ferro".into()
        } else {
            String::new()
        },
        ..Event::default()
    }
}

/// The shopper whose bytes the golden holds: two days of folded events, and a tail.
fn shopper() -> Shopper {
    let (minute, day) = (Millis::MINUTE, Millis::DAY);
    let rows = [
        (EventKind::View, "pan", 0, 0),
        (EventKind::AddToCart, "pan", minute, 2_499),
        (EventKind::AddToCart, "lamp", 2 * minute, 8_900),
        (EventKind::Purchase, "lamp", 3 * minute, 8_900),
        (EventKind::MessageSent, "", 20 * minute, 0),
        (EventKind::MessageOpened, "", 21 * minute, 0),
        (EventKind::View, "rug", 2 * day, 15_000),
        (EventKind::AddToCart, "rug", 2 * day + minute, 15_000),
        (EventKind::RemoveFromCart, "pan", 2 * day + 2 * minute, 0),
        (EventKind::CheckoutStart, "", 2 * day + 3 * minute, 0),
    ];
    let mut shopper = Shopper::empty();
    for (id, (kind, item, offset, price)) in rows.into_iter().enumerate() {
        let event = event(id, kind, item, offset, price);
        assert_eq!(shopper.apply(&event, NOW), Outcome::Accepted);
    }
    shopper.set_profile(ProfileUpdate {
        time_zone: Some("Europe/Berlin".into()),
        channels: Some(vec!["push".into(), "email".into()]),
        jurisdiction: Some("DE".into()),
    });
    shopper.set_consent(ConsentRecord {
        purpose: "marketing".into(),
        channel: "email".into(),
        granted: true,
        wording: "2023-11".into(),
        at: Millis(START),
        jurisdiction: String::new(),
    });
    shopper
}

fn check(view: &ShopperView) {
    let lines: Vec<_> = view
        .cart
        .lines
        .iter()
        .map(|l| (l.item_id.as_str(), l.quantity))
        .collect();
    assert_eq!(lines, [("rug", 2)]);
    assert_eq!(
        (view.cart.value_minor(), view.cart.currency()),
        (30_000, "EUR")
    );
    assert_eq!(view.cart.version, 5);
    assert_eq!(view.cart.updated_at, Some(Millis(NOW.0 - Millis::MINUTE)));
    assert_eq!(view.first_seen_at, Some(Millis(START)));
    assert_eq!(view.last_active_at, Some(NOW));
    assert_eq!(view.counts.get(EventKind::AddToCart, Window::Minutes5), 1);
    assert_eq!(view.counts.get(EventKind::AddToCart, Window::Days7), 3);
    assert_eq!(view.portrait.spent_30d_minor, 17_800);
    assert_eq!(view.portrait.mean_purchase_minor, Some(8_900));
    let categories: Vec<_> = view
        .portrait
        .categories
        .iter()
        .map(|(name, _)| name)
        .collect();
    assert_eq!(categories, ["home.lamp", "home.rug", "home.pan"]);
    assert_eq!(
        view.recent.first().map(|known| known.item_id.as_str()),
        Some("pan")
    );
    assert_eq!(
        (view.messages_7d(), view.device_count, view.session.visits),
        (1, 1, 2)
    );
    assert_eq!(view.profile.channels, ["email", "push"]);
    assert_eq!(view.profile.time_zone, "Europe/Berlin");
    assert_eq!(view.consented_channels(), ["email"]);
    assert_eq!(view.consents[0].jurisdiction, "DE");
}

#[test]
fn a_value_of_the_first_format_loads() {
    let shopper = Shopper::decode(&bytes(GOLDEN)).expect("the golden loads");
    check(&shopper.view(NOW));
    let idle = Duration::from_secs(1_800);
    assert_eq!(shopper.cart_deadline(idle), Some(NOW.saturating_add(idle)));
}

#[test]
fn a_recovery_section_makes_it_the_second_format_and_is_kept_whole() {
    let mut shopper = shopper();
    let section: Vec<u8> = (0..=255).collect();
    shopper.set_recovery(section.clone()).expect("fits");
    assert_eq!(hex(&shopper.encode()), hex(&bytes(WITH_TAKES_AND_RECOVERY)));
    let mut loaded = Shopper::decode(&bytes(WITH_RECOVERY)).expect("the golden loads");
    check(&loaded.view(NOW));
    let later = event(99, EventKind::View, "pan", 2 * Millis::DAY + 1, 0);
    assert_eq!(loaded.apply(&later, NOW), Outcome::Accepted);
    loaded.set_profile(ProfileUpdate::default());
    let loaded = Shopper::decode(&loaded.encode()).expect("loads");
    assert_eq!(loaded.recovery(), section);
    shopper.set_recovery(Vec::new()).expect("fits");
    assert_eq!(hex(&shopper.encode()), hex(&bytes(WITH_TAKES)));
    let error = shopper.set_recovery(vec![0; 2_049]).expect_err("too large");
    assert_eq!(
        error.to_string(),
        "the recovery section has 2049 bytes, at most 2048 are kept"
    );
}

#[test]
fn where_a_shopper_stands_needs_no_clock() {
    let standing = Shopper::decode(&bytes(GOLDEN))
        .expect("the golden loads")
        .standing();
    assert_eq!((standing.cart.version, standing.bought_units), (5, 2));
    assert_eq!(standing.last_active_at, Some(NOW));
    assert_eq!(standing.last_checkout_at, Some(NOW));
    assert_eq!(standing.consents[0].jurisdiction, "DE");
    assert!(standing.is_recoverable());
}

/// When the format changes, this test goes with the old one, and the golden stays.
#[test]
fn this_version_writes_the_first_format_with_what_was_taken() {
    assert_eq!(hex(&shopper().encode()), hex(&bytes(WITH_TAKES)));
    for golden in [GOLDEN, WITH_TAKES] {
        let loaded = Shopper::decode(&bytes(golden)).expect("the golden loads");
        check(&loaded.view(NOW));
        assert_eq!(hex(&loaded.encode()), hex(&bytes(golden)));
    }
}

#[test]
fn a_value_of_a_later_format_is_refused() {
    let mut later = bytes(GOLDEN);
    assert_eq!(later[..2], [0x08, 0x01], "the format comes first");
    later[1] = 5;
    let error = Shopper::decode(&later).expect_err("the format is unknown");
    assert_eq!(
        error.to_string(),
        "the format is 5, 4 is the newest one known"
    );
}

#[test]
fn a_logged_event_of_the_first_format_loads() {
    let mut event = event(7, EventKind::Purchase, "pan", 5, 2_499);
    event.session_id = "session".into();
    event.order_id = "order".into();
    let logged = LoggedEvent {
        accepted_at: NOW,
        partition: 255,
        sequence: 42,
        event,
    };
    assert_eq!(hex(&logged.encode()), hex(&bytes(LOGGED)));
    let loaded = LoggedEvent::decode(&bytes(LOGGED)).expect("the golden loads");
    assert_eq!(loaded, logged);
}
