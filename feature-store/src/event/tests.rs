use super::*;

fn purchase() -> Event {
    Event {
        event_id: "e1".into(),
        shopper_id: "s1".into(),
        kind: EventKind::Purchase,
        item_id: "i1".into(),
        price_minor: 1_999,
        currency: "EUR".into(),
        occurred_at: Millis(1),
        ..Event::default()
    }
}

fn refused(change: impl FnOnce(&mut Event)) -> Rejection {
    let mut event = purchase();
    change(&mut event);
    event.validate().expect_err("the event breaks a limit")
}

#[test]
fn takes_an_event_at_its_limits() {
    let mut event = purchase();
    event.event_id = "e".repeat(128);
    event.category = "c".repeat(256);
    event.quantity = 10_000;
    event.price_minor = 1_000_000_000_000;
    assert_eq!(event.validate(), Ok(()));
}

#[test]
fn names_the_field_that_breaks_a_limit() {
    type Change = fn(&mut Event);
    let cases: [(&str, Change); 16] = [
        ("event_id", |e| e.event_id.clear()),
        ("event_id", |e| e.event_id = "e".repeat(129)),
        ("shopper_id", |e| e.shopper_id.clear()),
        ("shopper_id", |e| e.shopper_id = "s\u{0}".into()),
        ("device_id", |e| e.device_id = "d".repeat(129)),
        ("item_id", |e| e.item_id.clear()),
        ("item_id", |e| e.item_id = "a\nb".into()),
        ("quantity", |e| e.quantity = 10_001),
        ("price_minor", |e| e.price_minor = -1),
        ("price_minor", |e| e.price_minor = 1_000_000_000_001),
        ("currency", |e| e.currency.clear()),
        ("currency", |e| e.currency = "eur".into()),
        ("occurred_at", |e| e.occurred_at = Millis(0)),
        ("session_id", |e| e.session_id = "s".repeat(129)),
        ("category", |e| e.category = "c".repeat(257)),
        ("brand", |e| e.brand = "b\u{7f}".into()),
    ];
    for (field, change) in cases {
        let rejection = refused(change);
        assert_eq!(
            (rejection.code, rejection.field),
            (RejectCode::Invalid, field)
        );
    }
}

#[test]
fn a_price_of_zero_is_unknown_on_a_view_and_wrong_on_a_purchase() {
    let mut view = purchase();
    view.kind = EventKind::View;
    view.price_minor = 0;
    view.currency.clear();
    assert_eq!(view.validate(), Ok(()));
    assert_eq!(
        refused(|e| e.price_minor = 0).to_string(),
        "invalid: price_minor is 0, a purchase needs a price above 0"
    );
}

#[test]
fn codes_name_kinds_both_ways() {
    for kind in EventKind::ALL {
        assert_eq!(EventKind::from_code(kind.code()), Some(kind));
    }
    assert_eq!(EventKind::from_code(0), None);
    assert_eq!(EventKind::from_code(11), None);
}
