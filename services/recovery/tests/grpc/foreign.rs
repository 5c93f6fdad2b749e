//! A ranker of another library scores in the role as it does in the library.

use proto::v1 as pb;
use serde_json::Value;

use crate::world::{Setup, World};

const GOLDENS: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../ranking/tests/golden/models"
);

fn golden(file: &str) -> Vec<u8> {
    std::fs::read(format!("{GOLDENS}/{file}")).unwrap()
}

/// What the library says of items 1 to 10.
fn expected(file: &str) -> Vec<f64> {
    let golden: Value = serde_json::from_slice(&golden(file)).unwrap();
    let scores = golden["scores"].as_array().unwrap().iter();
    scores.map(|score| score.as_f64().unwrap()).collect()
}

async fn world(name: &'static str, file: &str) -> World {
    let setup = Setup {
        ranker: false,
        files: vec![(name, golden(file))],
        ..Setup::default()
    };
    setup.start().await
}

fn line(item: u32) -> pb::CartLine {
    pb::CartLine {
        item_id: item.to_string(),
        quantity: 1,
        ..Default::default()
    }
}

/// Scores of items 1 to 10 beside a cart of the first two.
async fn scores(world: &mut World) -> Vec<f64> {
    let request = pb::RankRequest {
        cart: vec![line(1), line(2)],
        item_ids: (1..=10).map(|item| item.to_string()).collect(),
        ..Default::default()
    };
    let answer = world.client.rank(request).await.unwrap().into_inner();
    assert_eq!(answer.degraded, [""; 0]);
    let mut items = answer.items;
    assert!(items.windows(2).all(|two| two[0].score >= two[1].score));
    items.sort_by_key(|item| item.item_id.parse::<u32>().unwrap());
    items.into_iter().map(|item| item.score).collect()
}

fn assert_near(found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() < 1e-5, "{found} {expected}");
    }
}

#[tokio::test]
async fn a_published_model_of_lightgbm_ranks_as_the_library_scores() {
    let mut world = world("ranker.txt", "lightgbm_ranker.txt").await;
    assert_near(
        &scores(&mut world).await,
        &expected("lightgbm_ranker.golden.json"),
    );
}

#[tokio::test]
async fn a_published_model_of_xgboost_ranks_as_the_library_scores() {
    let mut world = world("ranker.json", "xgboost_ranker.json").await;
    assert_near(
        &scores(&mut world).await,
        &expected("xgboost_ranker.golden.json"),
    );
}

#[tokio::test]
async fn a_published_network_ranks_as_onnx_runtime_scores() {
    let mut world = world("ranker.onnx", "onnx_ranker.onnx").await;
    assert_near(
        &scores(&mut world).await,
        &expected("onnx_ranker.golden.json"),
    );
}
