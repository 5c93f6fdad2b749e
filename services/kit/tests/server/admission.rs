//! The gate on a real socket: who gets in, who waits, who is refused, and how.

use std::time::Duration;

use kit::admission::{PUSHBACK, Settings};
use kit::health;
use proto::v1 as pb;
use proto::v1::feature_service_client::FeatureServiceClient;
use tokio::task::JoinHandle;
use tonic::transport::Channel;
use tonic::{Code, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_types::StatusExt as _;

use super::toy::{Role, strict_role, telling, told};

type Call = JoinHandle<Result<(), Status>>;

fn call(client: &FeatureServiceClient<Channel>, word: &'static str) -> Call {
    let mut client = client.clone();
    let request = telling(word, pb::GetFeaturesRequest::default());
    tokio::spawn(async move { client.get_features(request).await.map(drop) })
}

/// Waits until the admin port shows this line.
async fn shown(role: &Role, line: &str) {
    for _ in 0..500 {
        if role.admin("/metrics").await.contains(line) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{line:?} is not in\n{}", role.admin("/metrics").await);
}

fn narrow(queue: u32) -> Settings {
    Settings {
        least: 1,
        most: 2,
        queue,
    }
}

#[tokio::test]
async fn beyond_places_and_queue_a_call_is_refused_with_a_hint() {
    let role = strict_role(narrow(0)).await;
    let client = role.features().await;
    let hanging = [call(&client, "hang"), call(&client, "hang")];
    shown(&role, "cartwright_toy_admission_in_flight 2").await;
    let refused = call(&client, "").await.unwrap().unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted, "{refused:?}");
    let hint = refused
        .get_details_retry_info()
        .unwrap()
        .retry_delay
        .unwrap();
    assert!(hint >= Duration::from_millis(50), "{hint:?}");
    let pushback = refused.metadata().get(PUSHBACK).unwrap();
    assert_eq!(pushback.to_str().unwrap(), hint.as_millis().to_string());
    shown(&role, "cartwright_toy_admission_limit 2").await;
    shown(
        &role,
        "cartwright_toy_admission_refused_total{reason=\"full\"} 1",
    )
    .await;

    role.client().await.get_status(told("")).await.unwrap();
    let mut health = HealthClient::new(role.channel().await);
    let check = |service: &str| HealthCheckRequest {
        service: service.to_owned(),
    };
    role.running.ready().await;
    for name in ["", health::ADMISSION] {
        let answer = health.check(check(name)).await.unwrap().into_inner();
        assert_eq!(answer.status(), ServingStatus::Serving, "{name:?}");
    }
    hanging.iter().for_each(Call::abort);
    shown(&role, "cartwright_toy_admission_in_flight 0").await;
    call(&client, "").await.unwrap().unwrap();
}

#[tokio::test]
async fn who_waits_gets_the_place_of_a_caller_who_went_away() {
    let role = strict_role(narrow(10)).await;
    let client = role.features().await;
    let hanging = [call(&client, "hang"), call(&client, "hang")];
    shown(&role, "cartwright_toy_admission_in_flight 2").await;
    let in_vain = call(&client, "").await.unwrap().unwrap_err();
    assert_eq!(in_vain.code(), Code::ResourceExhausted);
    shown(
        &role,
        "cartwright_toy_admission_refused_total{reason=\"waited\"} 1",
    )
    .await;
    hanging[0].abort();
    call(&client, "").await.unwrap().unwrap();
}

#[tokio::test]
async fn a_deadline_shorter_than_such_calls_take_is_refused_at_once() {
    let role = strict_role(Settings::default()).await;
    let client = role.features().await;
    let naps: Vec<Call> = (0..40).map(|_| call(&client, "nap")).collect();
    for nap in naps {
        nap.await.unwrap().unwrap();
    }
    // The window may have ended amid the naps: one more call ends it for sure.
    tokio::time::sleep(Duration::from_millis(110)).await;
    let mut request = telling("hang", pb::GetFeaturesRequest::default());
    request.set_timeout(Duration::from_millis(150));
    let refused = client.clone().get_features(request).await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted, "{refused:?}");
    assert!(
        refused.message().contains("such a call takes"),
        "{}",
        refused.message()
    );
    shown(
        &role,
        "cartwright_toy_admission_refused_total{reason=\"deadline\"} 1",
    )
    .await;
}
