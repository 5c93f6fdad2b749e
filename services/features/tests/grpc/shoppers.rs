use proto::v1 as pb;
use tonic::Code;

use super::support::{NOW_S, event, fields, server};

fn consent(channel: &str, granted: bool) -> pb::Consent {
    pb::Consent {
        purpose: "marketing".to_owned(),
        channel: channel.to_owned(),
        granted,
        wording: "v1".to_owned(),
        ..pb::Consent::default()
    }
}

fn ask(shopper: &str) -> pb::GetProfileRequest {
    pb::GetProfileRequest {
        shopper_id: shopper.to_owned(),
        now: None,
    }
}

#[tokio::test]
async fn what_is_set_is_read_back_and_the_rest_stays() {
    let server = server().await;
    let mut client = server.shoppers();
    let set = pb::SetProfileRequest {
        shopper_id: "ann".to_owned(),
        time_zone: Some("Europe/Berlin".to_owned()),
        channels: vec!["email".to_owned()],
        jurisdiction: Some("DE".to_owned()),
    };
    client.set_profile(set).await.unwrap();
    let only_the_zone = pb::SetProfileRequest {
        shopper_id: "ann".to_owned(),
        time_zone: Some("Europe/Paris".to_owned()),
        ..pb::SetProfileRequest::default()
    };
    client.set_profile(only_the_zone).await.unwrap();
    let profile = client.get_profile(ask("ann")).await.unwrap().into_inner();
    assert_eq!(profile.time_zone, "Europe/Paris");
    assert_eq!(
        (profile.channels, profile.jurisdiction),
        (vec!["email".to_owned()], "DE".to_owned())
    );
}

#[tokio::test]
async fn consent_without_a_jurisdiction_is_under_the_profiles() {
    let server = server().await;
    let mut client = server.shoppers();
    let set = pb::SetProfileRequest {
        shopper_id: "ann".to_owned(),
        jurisdiction: Some("FR".to_owned()),
        ..pb::SetProfileRequest::default()
    };
    client.set_profile(set).await.unwrap();
    let consents = vec![consent("email", true), consent("sms", false)];
    let request = pb::SetConsentRequest {
        shopper_id: "ann".to_owned(),
        consents,
    };
    client.set_consent(request).await.unwrap();
    let profile = client.get_profile(ask("ann")).await.unwrap().into_inner();
    let read: Vec<_> = profile
        .consents
        .iter()
        .map(|consent| {
            (
                consent.channel.as_str(),
                consent.granted,
                consent.jurisdiction.as_str(),
            )
        })
        .collect();
    assert_eq!(read, [("email", true, "FR"), ("sms", false, "FR")]);
}

#[tokio::test]
async fn the_portrait_comes_from_events() {
    let server = server().await;
    server.push(vec![event("e1", "ann", "7")]).await;
    let profile = server
        .shoppers()
        .get_profile(ask("ann"))
        .await
        .unwrap()
        .into_inner();
    let portrait = profile.portrait.unwrap();
    assert!(
        portrait
            .categories
            .iter()
            .any(|interest| interest.name.contains("electronics"))
    );
    assert!(portrait.first_seen_at.is_some());
}

#[tokio::test]
async fn a_shopper_of_whom_nothing_is_known_is_not_found() {
    let refusal = server()
        .await
        .shoppers()
        .get_profile(ask("nobody"))
        .await
        .unwrap_err();
    assert_eq!(refusal.code(), Code::NotFound);
    assert!(refusal.message().contains("nobody"));
}

#[tokio::test]
async fn a_consent_that_breaks_a_rule_is_named_by_its_path_and_none_is_stored() {
    let server = server().await;
    let consents = vec![consent("email", true), consent("pigeon", true)];
    let request = pb::SetConsentRequest {
        shopper_id: "ann".to_owned(),
        consents,
    };
    let refusal = server.shoppers().set_consent(request).await.unwrap_err();
    assert_eq!(fields(&refusal), ["consents[1].channel"]);
    let after = server.shoppers().get_profile(ask("ann")).await.unwrap_err();
    assert_eq!(after.code(), Code::NotFound);
}

#[tokio::test]
async fn a_grant_dated_ahead_never_outlives_a_revocation() {
    let server = server().await;
    let mut client = server.shoppers();
    let at = |seconds| {
        Some(prost_types::Timestamp {
            seconds: NOW_S + seconds,
            nanos: 0,
        })
    };
    let set = |consent| pb::SetConsentRequest {
        shopper_id: "ann".to_owned(),
        consents: vec![consent],
    };
    let mut grant = consent("email", true);
    grant.at = at(5 * 60 + 1);
    let refusal = client.set_consent(set(grant.clone())).await.unwrap_err();
    assert_eq!(fields(&refusal), ["consents[0].at"]);
    grant.at = at(5 * 60);
    client.set_consent(set(grant)).await.unwrap();
    client
        .set_consent(set(consent("email", false)))
        .await
        .unwrap();
    let profile = client.get_profile(ask("ann")).await.unwrap().into_inner();
    assert!(!profile.consents[0].granted, "{:?}", profile.consents);
    assert_eq!(profile.consents[0].at, at(0));
}
