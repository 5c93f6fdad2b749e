use super::*;
use crate::event::EventKind;
use crate::view::Window;

const START: Millis = Millis(1_700_000_000_000);
const LATE: Millis = Millis(i64::MAX);

fn event(id: &str, kind: EventKind, item: &str, offset_ms: i64) -> Event {
    Event {
        event_id: id.into(),
        shopper_id: "s".into(),
        kind,
        item_id: item.into(),
        price_minor: 1_250,
        currency: "EUR".into(),
        occurred_at: Millis(START.0 + offset_ms),
        category: "home.kitchen".into(),
        brand: format!("brand-{}", xxhash_rust::xxh3::xxh3_64(item.as_bytes()) % 40),
        ..Event::default()
    }
}

fn view_of(id: usize, offset_ms: i64) -> Event {
    event(
        &format!("e{id}"),
        EventKind::View,
        &format!("item-{}", id % 300),
        offset_ms,
    )
}

fn take(shopper: &mut Shopper, event: &Event) {
    assert_eq!(shopper.apply(event, LATE), Outcome::Accepted, "{event:?}");
}

fn refusal(shopper: &mut Shopper, event: &Event, now: Millis) -> RejectCode {
    let before = shopper.encode();
    match shopper.apply(event, now) {
        Outcome::Rejected(rejection) => {
            assert_eq!(shopper.encode(), before, "a refused event changes nothing");
            rejection.code
        }
        other @ (Outcome::Accepted | Outcome::Duplicate) => panic!("{other:?}"),
    }
}

#[test]
fn lateness_is_measured_against_the_shoppers_own_newest_event() {
    let mut shopper = Shopper::empty();
    take(&mut shopper, &view_of(0, Millis::DAY));
    take(&mut shopper, &view_of(1, 0));
    assert_eq!(
        refusal(&mut shopper, &view_of(2, -1), LATE),
        RejectCode::TooLate
    );
}

#[test]
fn the_tail_holds_exactly_a_day() {
    let mut shopper = Shopper::empty();
    take(&mut shopper, &view_of(0, 0));
    take(&mut shopper, &view_of(1, Millis::DAY));
    assert_eq!(shopper.tail.len(), 2);
    take(&mut shopper, &view_of(2, Millis::DAY + 1));
    assert_eq!(shopper.tail.len(), 2);
}

#[test]
fn an_event_may_be_five_minutes_ahead_of_the_clock() {
    let mut shopper = Shopper::empty();
    let (ahead, limit) = (
        view_of(0, 5 * Millis::MINUTE + 1),
        view_of(1, 5 * Millis::MINUTE),
    );
    assert_eq!(refusal(&mut shopper, &ahead, START), RejectCode::TooEarly);
    assert_eq!(shopper.apply(&limit, START), Outcome::Accepted);
}

#[test]
fn an_event_beyond_what_a_person_does_in_a_day_is_refused() {
    let mut shopper = Shopper::empty();
    for id in 0..MAX_TAIL {
        take(&mut shopper, &view_of(id, id as i64));
    }
    let one_more = view_of(MAX_TAIL, Millis::HOUR);
    assert_eq!(refusal(&mut shopper, &one_more, LATE), RejectCode::BotRate);
    take(&mut shopper, &view_of(MAX_TAIL, 2 * Millis::DAY));
    assert_eq!(shopper.tail.len(), 1);
    let counts = shopper.view(Millis(START.0 + 2 * Millis::DAY)).counts;
    assert_eq!(counts.get(EventKind::View, Window::Days7), 2_049);
}

#[test]
fn a_value_never_outgrows_its_limit_and_never_gets_stuck() {
    let mut shopper = Shopper::empty();
    let mut refused = 0;
    for id in 0..1_000_usize {
        let mut long = event(
            &id.to_string(),
            EventKind::AddToCart,
            "",
            id as i64 * Millis::SECOND,
        );
        long.item_id = format!("{id:0>128}");
        long.category = format!("{id:0>256}");
        long.brand = format!("{id:0>128}");
        match shopper.apply(&long, LATE) {
            Outcome::Accepted => {}
            Outcome::Rejected(why) => {
                assert_eq!(why.code, RejectCode::BotRate);
                refused += 1;
            }
            Outcome::Duplicate => panic!("every id is new"),
        }
        assert!(shopper.encode().len() <= MAX_BYTES);
    }
    assert!(refused > 0);
    take(&mut shopper, &view_of(0, 3 * Millis::DAY));
    assert!(
        shopper.encode().len() <= MAX_BYTES - 8 * 1_024,
        "{}",
        shopper.encode().len()
    );
}

#[test]
fn a_bound_on_the_size_is_kept_without_encoding() {
    let mut shopper = Shopper::empty();
    for id in 0..400_usize {
        take(&mut shopper, &view_of(id, id as i64 * Millis::HOUR));
        assert!(shopper.size_bound >= shopper.encode().len());
        if id % 7 == 0 {
            shopper = Shopper::decode(&shopper.encode()).expect("own bytes decode");
        }
    }
}

#[test]
fn a_thousand_events_in_a_day_stay_small() {
    let mut shopper = Shopper::empty();
    for id in 0..1_000_usize {
        take(&mut shopper, &view_of(id, id as i64 * 80_000));
    }
    let size = shopper.encode().len();
    println!("1,000 events on 300 items: {size} bytes");
    assert!(size <= 20 * 1_024, "{size}");
}

/// The view as if nothing had ever been folded ahead of time.
#[test]
fn folding_early_or_late_gives_the_same_view() {
    let mut shopper = Shopper::empty();
    let kinds = [
        EventKind::View,
        EventKind::AddToCart,
        EventKind::Purchase,
        EventKind::View,
    ];
    let mut all = Base::default();
    for id in 0..700_usize {
        let item = format!("item-{}", id * 7 % 90);
        let mut event = event(
            &id.to_string(),
            kinds[id % 4],
            &item,
            id as i64 * 5 * Millis::HOUR,
        );
        event.price_minor = 100 * (1 + id as i64 % 60);
        take(&mut shopper, &event);
        all.fold(&TailEvent::new(&event));
        let view = shopper.view(event.occurred_at);
        assert_eq!(view.cart, all.cart.view());
        assert_eq!(view.recent, all.history.recent_view());
        assert_eq!(view.intervals, all.history.intervals);
        assert_eq!(view.session, all.history.session);
        assert_eq!(view.portrait.brands, all.interests.brand_shares(view.now));
        assert_eq!(
            view.portrait.price_bands,
            all.interests.band_shares(view.now)
        );
        let purchases = view.counts.get(EventKind::Purchase, Window::Days30);
        assert!(
            purchases <= 40,
            "a window of 30 days holds 36 purchases and a tile"
        );
    }
}

#[test]
fn a_view_ends_at_its_now() {
    let mut shopper = Shopper::empty();
    take(&mut shopper, &event("1", EventKind::AddToCart, "a", 0));
    take(&mut shopper, &event("2", EventKind::Purchase, "a", 1_000));
    let before = shopper.view(Millis(START.0 + 999));
    assert_eq!((before.cart.lines.len(), before.cart.version), (1, 1));
    assert_eq!(before.counts.get(EventKind::Purchase, Window::Minutes5), 0);
    assert_eq!(before.portrait.spent_30d_minor, 0);
    let at = shopper.view(Millis(START.0 + 1_000));
    assert_eq!((at.cart.lines.len(), at.cart.version), (0, 2));
    assert_eq!(at.portrait.spent_30d_minor, 1_250);
    assert_eq!(at.portrait.mean_purchase_minor, Some(1_250));
}

#[test]
fn at_one_instant_an_add_comes_before_its_purchase() {
    let mut shopper = Shopper::empty();
    take(&mut shopper, &event("a", EventKind::Purchase, "a", 0));
    take(&mut shopper, &event("z", EventKind::AddToCart, "a", 0));
    assert!(shopper.view(START).cart.lines.is_empty());
}

#[test]
fn the_deadline_follows_the_last_activity_while_there_is_a_cart() {
    let idle = Duration::from_secs(1_800);
    let mut shopper = Shopper::empty();
    take(&mut shopper, &event("1", EventKind::View, "a", 0));
    assert_eq!(shopper.cart_deadline(idle), None);
    take(&mut shopper, &event("2", EventKind::AddToCart, "a", 1_000));
    take(&mut shopper, &event("3", EventKind::View, "b", 5_000));
    take(&mut shopper, &event("4", EventKind::MessageSent, "", 9_000));
    assert_eq!(
        shopper.cart_deadline(idle),
        Some(Millis(START.0 + 5_000 + 1_800_000))
    );
    take(
        &mut shopper,
        &event("5", EventKind::RemoveFromCart, "a", 9_000),
    );
    assert_eq!(shopper.cart_deadline(idle), None);
}

#[test]
fn messages_are_counted_exactly_while_the_history_lasts() {
    let mut shopper = Shopper::empty();
    for id in 0..4_usize {
        let at = id as i64 * 3 * Millis::DAY;
        take(
            &mut shopper,
            &event(&id.to_string(), EventKind::MessageSent, "", at),
        );
    }
    let view = shopper.view(Millis(START.0 + 9 * Millis::DAY));
    assert_eq!(view.messages_7d(), 3);
    assert_eq!(view.last_active_at, None);
    assert_eq!(view.first_seen_at, Some(START));
}

#[test]
fn consent_without_a_jurisdiction_stands_under_the_profiles() {
    let mut shopper = Shopper::empty();
    let record = ConsentRecord {
        purpose: "marketing".into(),
        channel: "email".into(),
        granted: true,
        wording: "v1".into(),
        at: START,
        jurisdiction: String::new(),
    };
    assert!(shopper.set_consent(record.clone()));
    assert!(
        !shopper.set_consent(record),
        "the same record again changes nothing"
    );
    shopper.set_profile(ProfileUpdate {
        jurisdiction: Some("DE".into()),
        ..Default::default()
    });
    let view = shopper.view(START);
    assert_eq!(view.consented_channels(), ["email"]);
    assert_eq!(view.consents[0].jurisdiction, "DE");
}

#[test]
fn an_unsubscription_revokes_what_was_granted_before_it() {
    let grant = |channel: &str, offset| ConsentRecord {
        purpose: "marketing".into(),
        channel: channel.into(),
        granted: true,
        wording: "v1".into(),
        at: Millis(START.0 + offset),
        jurisdiction: String::new(),
    };
    let mut shopper = Shopper::empty();
    for record in [grant("email", 0), grant("onsite", 0), grant("push", 9)] {
        shopper.set_consent(record);
    }
    take(
        &mut shopper,
        &event("1", EventKind::MessageUnsubscribed, "", 5),
    );
    assert_eq!(
        shopper.view(Millis(START.0 + 4)).consented_channels(),
        ["email", "onsite", "push"]
    );
    assert_eq!(
        shopper.view(Millis(START.0 + 9)).consented_channels(),
        ["onsite", "push"]
    );
}
