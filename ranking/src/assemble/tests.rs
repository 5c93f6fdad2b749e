use super::*;

/// The value of a column in the row of an item.
fn cell(scene: &Scene<'_>, items: &[ItemFacts<'_>], row: usize, column: &str) -> f32 {
    let columns = Columns::resolve(&[column.to_owned()]).unwrap();
    assemble(&columns, scene, items).row(row).unwrap()[0]
}

fn close(found: f32, expected: f32) -> bool {
    (found - expected).abs() < 1e-6
}

fn alike(found: [f32; 3], expected: [f32; 3]) -> bool {
    let mut pairs = found.into_iter().zip(expected);
    pairs.all(|(found, expected)| close(found, expected))
}

#[test]
fn compares_an_item_with_the_cart() {
    let cart = CartSummary::new([
        (1_000, "shoes.boots", "acme"),
        (3_000, "shoes.boots", "other"),
        (0, "", ""),
        (0, "hats", "acme"),
    ]);
    let scene = Scene {
        cart,
        in_cart: vec!["a"],
        ..Scene::default()
    };
    let mut item = ItemFacts {
        item_id: "a",
        fused: 0.5,
        price_minor: 4_000,
        category: "shoes.boots",
        brand: "acme",
        ..ItemFacts::default()
    };
    item.hear("covisitation", 2.0, 3);
    item.hear("a source of later", 9.0, 0);
    let value = |column| cell(&scene, &[item.clone()], 0, column);
    assert!(close(value("log_price_ratio"), 2_f32.ln()));
    assert!(close(value("same_category"), 0.5));
    assert!(close(value("same_brand"), 0.5));
    assert!(close(value("covisitation"), 2.0));
    assert!(close(value("rank_covisitation"), 3.0));
    assert!(close(value("sources"), 1.0));
    assert!(close(value("cart_lines"), 4.0) && close(value("in_cart"), 1.0));
    assert!(value("revisit").is_nan() && value("rank_revisit").is_nan());
}

#[test]
fn counts_what_the_shopper_did_with_an_item() {
    let touch = |item_id, kind, age_s, category| Touch {
        item_id,
        kind,
        age_s,
        price_minor: 500,
        category,
        brand: "",
    };
    let scene = Scene {
        touches: vec![
            touch("b", TouchKind::View, 1_800.0, "hats"),
            touch("a", TouchKind::Add, 1_810.0, "shoes"),
            touch("b", TouchKind::View, 1_820.0, "hats"),
            touch("a", TouchKind::View, 1_830.0, "shoes"),
        ],
        ..Scene::default()
    };
    let item = |item_id, category| ItemFacts {
        item_id,
        category,
        price_minor: 1_000,
        ..ItemFacts::default()
    };
    let items = [item("a", "shoes"), item("b", "hats"), item("c", "")];
    let values = |column| [0, 1, 2].map(|row| cell(&scene, &items, row, column));
    assert!(alike(values("touches"), [2.0, 2.0, 0.0]));
    assert!(alike(values("touched_adds"), [1.0, 0.0, 0.0]));
    assert_eq!(values("touched_place")[..2], [1.0, 0.0]);
    assert!(values("touched_place")[2].is_nan());
    // Since the last interaction, and not since now: a cart may lie for a while.
    assert!(close(values("touched_age")[0], 11_f32.ln()));
    assert!(close(values("touched_age")[1], 0.0));
    assert!(alike(values("recent_category"), [0.5, 0.5, 0.0]));
    assert!(alike(values("last_category"), [0.0, 1.0, 0.0]));
    assert!(
        alike(values("last_brand"), [0.0; 3]),
        "no brand is no shared brand"
    );
    assert!(close(values("last_price_ratio")[2], 2_f32.ln()));
}

#[test]
fn places_follow_the_fused_score_and_then_the_id() {
    let item = |item_id, fused| ItemFacts {
        item_id,
        fused,
        ..ItemFacts::default()
    };
    let items = [item("b", 0.5), item("c", 0.9), item("a", 0.5)];
    let scene = Scene::default();
    let places = [0, 1, 2].map(|row| cell(&scene, &items, row, "place"));
    assert!(alike(places, [2.0, 0.0, 1.0]), "{places:?}");
}

#[test]
fn features_stand_where_their_columns_are_and_are_missing_when_not_given() {
    let names = ["shopper.x", "item.y", "item.z"].map(str::to_owned);
    let columns = Columns::resolve(&names).unwrap();
    let scene = Scene {
        shopper: vec![Some(3.0)],
        ..Scene::default()
    };
    let item = ItemFacts {
        features: vec![Some(5.0)],
        ..ItemFacts::default()
    };
    let matrix = assemble(&columns, &scene, &[item]);
    assert_eq!(matrix.values()[..2], [3.0, 5.0]);
    assert!(matrix.values()[2].is_nan());
}

#[test]
fn nothing_known_gives_numbers_or_gaps() {
    let columns = Columns::resolve(&Column::names()).unwrap();
    let matrix = assemble(&columns, &Scene::default(), &vec![ItemFacts::default(); 3]);
    assert_eq!(matrix.len(), 3);
    assert!(matrix.values().iter().all(|value| !value.is_infinite()));
}
