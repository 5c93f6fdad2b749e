//! Models written by earlier versions load and answer the same for ever.

use ranking::{CartSummary, Forest, ItemFacts, Ranker, RiskModel, Scene, assemble};

const TOLERANCE: f64 = 1e-6;

#[test]
fn a_ranker_of_the_first_version_scores_as_it_did() {
    let ranker = Ranker::parse(include_str!("golden/ranker-v1.json")).unwrap();
    let scene = Scene {
        cart: CartSummary::new([(1_000, "shoes", "acme"), (3_000, "hats", "acme")]),
        ..Scene::default()
    };
    let mut item = ItemFacts {
        fused: 1.0,
        price_minor: 2_000,
        category: "shoes",
        brand: "acme",
        ..ItemFacts::default()
    };
    item.hear("revisit", 0.5, 0);
    item.hear("collaborative", 0.9, 4);
    item.hear("popularity", 0.2, 9);
    let mut scores = Vec::new();
    ranker
        .score(&assemble(ranker.columns(), &scene, &[item]), &mut scores)
        .unwrap();
    // 2·1 + .5·.4 + .25·−.2 + 1·.3 − .5·−.2 − .3·0 + .75·.25 + .1·.875
    assert!((scores[0] - 2.825).abs() < TOLERANCE, "{}", scores[0]);
}

#[test]
fn a_risk_model_of_the_first_version_answers_as_it_did() {
    let model = RiskModel::parse(include_str!("golden/risk-v1.json")).unwrap();
    let risk = model.risk(&[Some(20_000.0), None]);
    // z = .85 + .4 · 1 + 0 = 1.25; 1 / (1 + e^−(.9 · 1.25 + .02))
    assert!((risk - 0.758_596_5).abs() < TOLERANCE, "{risk}");
}

#[test]
fn a_forest_of_the_first_version_scores_as_it_did() {
    let forest = Forest::parse(include_str!("golden/forest-v1.json")).unwrap();
    assert_eq!(forest.features(), ["price", "age_s", "views"]);
    let rows = [
        [9.5, 0.0, 0.0],
        [9.0, -1.0, 2.5],
        [f32::NAN, f32::NAN, f32::NAN],
        [9.0, -0.0, 3.0],
    ];
    let mut scores = [0.0; 4];
    forest.score_rows(&rows.concat(), 3, &mut scores).unwrap();
    // base .125, then .0625 of the second tree, and by hand of the others
    let expected = [
        0.1875 + 0.75 + 1.5,
        0.1875 - 0.5 - 1.0,
        0.1875 + 0.25 - 1.0,
        0.1875 + 0.25 + 1.5,
    ];
    for (score, expected) in scores.iter().zip(expected) {
        assert!((score - expected).abs() < TOLERANCE, "{scores:?}");
    }
}

#[test]
fn boosted_trees_of_the_first_version_answer_as_they_did() {
    let model = RiskModel::parse(include_str!("golden/risk-boosted-v1.json")).unwrap();
    let risk = |quiet, value, margin| model.risk(&[quiet, value, margin]);
    let cases = [
        // .25 − .5 + .5 = .25; 1 / (1 + e^−(.9 · .25 + .1))
        (risk(Some(299.0), Some(4_999.0), None), 0.580_542_5),
        // .25 + .75 − .25 = .75 on the curve: .2 + .75 · .3
        (risk(Some(1_000.0), Some(5_000.0), None), 0.425),
        // .25 + .75 + 1 = 2 on the curve: .5 + ⅔ · .45
        (risk(Some(300.0), None, Some(0.1)), 0.8),
        // Nothing is known: .25 − .5 − .25 = −.5; 1 / (1 + e^−(.9 · −.5 + .1))
        (risk(None, None, None), 0.413_382_4),
    ];
    for (found, expected) in cases {
        assert!((found - expected).abs() < TOLERANCE, "{found} {expected}");
    }
}

#[test]
fn a_forest_as_a_ranker_of_the_first_version_scores_as_it_did() {
    let ranker = Ranker::parse(include_str!("golden/ranker-forest-v1.json")).unwrap();
    assert_eq!(ranker.columns().item_features(), ["item.view_count_24h"]);
    let said = |score| {
        let mut item = ItemFacts {
            features: vec![Some(12.0)],
            ..ItemFacts::default()
        };
        if let Some(score) = score {
            item.hear("sessions", score, 0);
        }
        item
    };
    let items = [said(Some(0.5)), said(Some(0.1)), said(None)];
    let matrix = assemble(ranker.columns(), &Scene::default(), &items);
    let mut scores = Vec::new();
    ranker.score(&matrix, &mut scores).unwrap();
    for (score, expected) in scores.iter().zip([1.75, 0.5, 1.0]) {
        assert!((score - expected).abs() < TOLERANCE, "{scores:?}");
    }
}
