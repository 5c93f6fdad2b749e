use prost_types::Timestamp;
use proto::v1::feature_value::{Status, Value};
use proto::v1::{self as pb, Include};
use tonic::Code;

use super::support::{NOW_S, event, fields, item, server, shopper};

fn request(entities: Vec<pb::Entity>, features: &[&str]) -> pb::GetFeaturesRequest {
    pb::GetFeaturesRequest {
        entities,
        features: features.iter().map(|&name| name.to_owned()).collect(),
        ..pb::GetFeaturesRequest::default()
    }
}

/// Names of one shopper feature and one item feature that the registry has.
fn known() -> (&'static str, &'static str) {
    let all = feature_store::Registry::standard().features();
    let first = |entity| {
        all.iter()
            .find(|feature| feature.entity == entity)
            .unwrap()
            .name
    };
    (
        first(feature_store::EntityKind::Shopper),
        first(feature_store::EntityKind::Item),
    )
}

#[tokio::test]
async fn rows_answer_the_entities_and_values_the_features_in_the_order_given() {
    let server = server().await;
    server
        .push(vec![event("e1", "ann", "7"), event("e2", "bob", "8")])
        .await;
    let (of_shopper, of_item) = known();
    let entities = vec![shopper("bob"), item("7"), shopper("nobody"), shopper("ann")];
    let asked = request(entities.clone(), &[of_item, of_shopper]);
    let answer = server
        .features()
        .get_features(asked)
        .await
        .unwrap()
        .into_inner();
    let answered: Vec<_> = answer
        .rows
        .iter()
        .map(|row| row.entity.clone().unwrap())
        .collect();
    assert_eq!(answered, entities);
    assert!(answer.rows.iter().all(|row| row.values.len() == 2));
    assert_eq!(
        answer.rows[0].values[0].status(),
        Status::NotFound,
        "an item feature of a shopper"
    );
    assert_eq!(
        answer.rows[2].values[1].status(),
        Status::NotFound,
        "an unknown shopper"
    );
    assert_eq!(
        answer.now,
        Some(Timestamp {
            seconds: NOW_S,
            nanos: 0
        })
    );
    assert!(!answer.schema_fingerprint.is_empty());
}

#[tokio::test]
async fn now_moves_the_windows() {
    let server = server().await;
    server.push(vec![event("e1", "ann", "7")]).await;
    let count = |answer: pb::GetFeaturesResponse| match answer.rows[0].values[0].value.clone() {
        Some(Value::Int64Value(count)) => count,
        other => panic!("a count is {other:?}"),
    };
    let mut asked = request(vec![shopper("ann")], &["shopper.add_to_cart_count_1h"]);
    let now = server
        .features()
        .get_features(asked.clone())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(count(now), 1);
    asked.now = Some(Timestamp {
        seconds: NOW_S + 7_200,
        nanos: 0,
    });
    let later = server
        .features()
        .get_features(asked)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(count(later), 0);
}

#[tokio::test]
async fn a_row_carries_what_is_included() {
    let server = server().await;
    server.push(vec![event("e1", "ann", "7")]).await;
    let mut asked = request(vec![shopper("ann"), shopper("nobody")], &[]);
    asked.include = vec![
        Include::Cart.into(),
        Include::RecentItems.into(),
        Include::Profile.into(),
    ];
    let rows = server
        .features()
        .get_features(asked)
        .await
        .unwrap()
        .into_inner()
        .rows;
    assert_eq!(rows[0].cart.as_ref().unwrap().lines.len(), 1);
    assert_eq!(rows[0].recent_items[0].item_id, "7");
    assert_eq!(rows[0].recent_items[0].event_type, 2);
    assert_eq!(rows[0].profile.as_ref().unwrap().messages_7d, 0);
    assert_eq!(
        rows[1].cart,
        Some(pb::Cart::default()),
        "an unknown shopper has an empty cart"
    );
    assert!(rows[1].profile.is_none());
}

#[tokio::test]
async fn an_unknown_feature_is_refused_with_near_matches() {
    let server = server().await;
    let (known, _) = known();
    let misspelt = format!("{known}x");
    let asked = request(vec![shopper("ann")], &[known, &misspelt]);
    let refusal = server.features().get_features(asked).await.unwrap_err();
    assert_eq!(refusal.code(), Code::InvalidArgument);
    assert_eq!(fields(&refusal), ["features[1]"]);
    assert!(refusal.message().contains(known), "{}", refusal.message());
}

#[tokio::test]
async fn an_unknown_shopper_has_an_empty_cart_with_version_0() {
    assert_eq!(server().await.cart("nobody").await, pb::Cart::default());
}
