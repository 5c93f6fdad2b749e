use super::*;
use crate::event::{Event, EventKind};
use crate::items::{Item, ItemRow, ItemStats};
use crate::state::Shopper;
use crate::time::Millis;
use crate::view::ShopperView;

const START: i64 = 1_700_000_000_000;

fn shopper() -> Shopper {
    let mut shopper = Shopper::empty();
    let rows = [
        (EventKind::View, "a", 0, 1_999),
        (EventKind::AddToCart, "a", 60_000, 1_999),
        (EventKind::AddToCart, "b", 90_000, 500),
        (EventKind::AddToCart, "c", 180_000, 0),
        (EventKind::Purchase, "b", 200_000, 450),
    ];
    for (id, (kind, item, offset, price_minor)) in rows.into_iter().enumerate() {
        let event = Event {
            event_id: id.to_string(),
            shopper_id: "s".into(),
            kind,
            item_id: item.into(),
            price_minor,
            currency: if price_minor > 0 {
                "EUR".into()
            } else {
                String::new()
            },
            occurred_at: Millis(START + offset),
            category: if item == "a" {
                "toys.cars".into()
            } else {
                "home".into()
            },
            ..Event::default()
        };
        shopper.apply(&event, Millis(i64::MAX));
    }
    shopper
}

fn view(age_ms: i64) -> ShopperView {
    shopper().view(Millis(START + 200_000 + age_ms))
}

fn one(name: &str, view: &ShopperView) -> FeatureValue {
    let plan = Registry::standard()
        .plan(&[name])
        .expect("the name is known");
    plan.shopper(Some(view)).remove(0)
}

fn value(name: &str) -> Value {
    one(name, &view(0)).value.expect("there is a value")
}

#[test]
fn reads_a_shopper() {
    assert_eq!(value("shopper.view_count_5m"), Value::Int(1));
    assert_eq!(value("shopper.add_to_cart_count_24h"), Value::Int(3));
    assert_eq!(value("shopper.message_sent_count_30d"), Value::Int(0));
    assert_eq!(value("shopper.cart_value_minor"), Value::Int(1_999));
    assert_eq!(value("shopper.cart_line_count"), Value::Int(2));
    assert_eq!(value("shopper.cart_age_s"), Value::Int(140));
    assert_eq!(value("shopper.cart_idle_s"), Value::Int(0));
    assert_eq!(
        value("shopper.add_to_cart_interval_mean_s"),
        Value::Double(60.0)
    );
    assert_eq!(
        value("shopper.add_to_cart_interval_min_s"),
        Value::Double(30.0)
    );
    assert_eq!(
        value("shopper.add_to_cart_interval_last_s"),
        Value::Double(90.0)
    );
    assert_eq!(value("shopper.top_category"), Value::Text("home".into()));
    assert_eq!(
        value("shopper.top_category_share"),
        Value::Double(16.0 / 21.0)
    );
    assert_eq!(value("shopper.spent_30d_minor"), Value::Int(450));
    assert_eq!(value("shopper.purchase_tendency"), Value::Double(2.0 / 5.0));
    assert_eq!(
        value("shopper.recent_items"),
        Value::Texts(vec!["b".into(), "c".into(), "a".into()])
    );
    assert_eq!(value("shopper.is_new"), Value::Bool(true));
}

#[test]
fn says_when_the_newest_event_behind_a_value_was() {
    let at = |name| one(name, &view(7)).event_time;
    assert_eq!(at("shopper.view_count_5m"), Some(Millis(START)));
    assert_eq!(at("shopper.cart_units"), Some(Millis(START + 200_000)));
    assert_eq!(at("shopper.message_opened_count_7d"), None);
}

#[test]
fn a_value_beyond_its_allowed_age_comes_along_marked() {
    let old = one(
        "shopper.session_event_count",
        &view(30 * Millis::MINUTE + 1),
    );
    assert_eq!(
        (old.status, old.value),
        (Status::OutsideMaxAge, Some(Value::Int(5)))
    );
    let young = one("shopper.session_event_count", &view(30 * Millis::MINUTE));
    assert_eq!(young.status, Status::Present);
}

#[test]
fn tells_null_from_not_found() {
    let names = ["shopper.top_brand", "item.stock"];
    let plan = Registry::standard().plan(&names).expect("known names");
    let known = plan.shopper(Some(&view(0)));
    assert_eq!(
        (known[0].status, known[1].status),
        (Status::Null, Status::NotFound)
    );
    assert_eq!(plan.shopper(None), vec![FeatureValue::NOT_FOUND; 2]);
    assert_eq!(plan.item(None, Millis(0)), vec![FeatureValue::NOT_FOUND; 2]);
}

#[test]
fn reads_an_item() {
    let mut row = ItemRow::default();
    row.stats = ItemStats {
        views_24h: 8,
        carts_24h: 2,
        as_of: Millis(START),
        ..row.stats
    };
    let names = [
        "item.cart_to_view_24h",
        "item.purchase_count_24h",
        "item.price_minor",
    ];
    let plan = Registry::standard().plan(&names).expect("known names");
    let values = plan.item(Some(&row), Millis(START + 1));
    assert_eq!(values[0].value, Some(Value::Double(0.25)));
    assert_eq!(values[1].value, Some(Value::Int(0)));
    assert_eq!(values[2].status, Status::Null);

    row.item = Some(std::sync::Arc::new(Item {
        price_minor: 990,
        ..Item::default()
    }));
    let later = plan.item(Some(&row), Millis(START + 2 * Millis::DAY));
    assert_eq!(later[0].status, Status::OutsideMaxAge);
    assert_eq!(later[2].value, Some(Value::Int(990)));
}

#[test]
fn an_unknown_name_lists_what_was_perhaps_meant() {
    let unknown = Registry::standard()
        .plan(&["shopper.view_cuont_5m"])
        .expect_err("a typo");
    assert_eq!(
        unknown.near.first().map(String::as_str),
        Some("shopper.view_count_5m")
    );
    assert!(
        unknown
            .to_string()
            .contains("did you mean shopper.view_count_5m"),
        "{unknown}"
    );
    let nothing_like_it = Registry::standard()
        .plan(&["zzz"])
        .expect_err("no such name");
    assert_eq!(nothing_like_it.to_string(), "feature \"zzz\" is unknown");
}

#[test]
fn every_feature_is_named_for_its_entity_once_and_documented() {
    let features = Registry::standard().features();
    assert!(features.is_sorted_by(|a, b| a.name < b.name));
    for feature in features {
        let (entity, _) = feature.name.split_once('.').expect("entity and name");
        assert_eq!(entity, feature.entity.as_str());
        assert!(
            feature.doc.ends_with('.') && feature.doc.len() > 5,
            "{}",
            feature.name
        );
    }
}

#[test]
fn every_value_has_the_type_that_its_feature_declares() {
    let names: Vec<_> = Registry::standard()
        .features()
        .iter()
        .map(|def| def.name)
        .collect();
    let plan = Registry::standard().plan(&names).expect("known names");
    for (def, computed) in plan.features().iter().zip(plan.shopper(Some(&view(0)))) {
        let found = computed
            .value
            .map_or(def.value_type, |value| value.value_type());
        assert_eq!(found, def.value_type, "{}", def.name);
    }
}

/// A change here means that models trained before do not fit any more: change it knowingly.
#[test]
fn the_fingerprint_is_stable() {
    assert_eq!(
        Registry::standard().fingerprint(),
        "f33d858e8a02aa84b580aff932340bc2"
    );
}
