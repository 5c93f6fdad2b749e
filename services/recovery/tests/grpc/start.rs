//! What the role refuses to start with, and what it says then.

use std::error::Error as _;
use std::path::Path;

use kit::config::Secret;
use kit::{CancellationToken, Clock};
use recovery::{Config, Error};

use proto::v1 as pb;
use proto::v1::decision::Action;
use proto::v1::recovery_service_client::RecoveryServiceClient;
use tonic::Code;

use crate::world::{NOW_MS, Setup, ask, generation};

fn config(snapshot: Option<&Path>) -> Config {
    Config {
        addr: "127.0.0.1:0".parse().unwrap(),
        admin: None,
        snapshot: snapshot.map(Path::to_owned),
        ..Config::default()
    }
}

async fn refusal(config: Config) -> String {
    let stop = CancellationToken::new();
    let error = recovery::run(config, None, Clock::frozen(NOW_MS), stop.clone()).await;
    let error = error.unwrap_err();
    assert!(
        !stop.is_cancelled(),
        "what fails here must not end the roles beside it"
    );
    let mut said = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        said = format!("{said}: {cause}");
        source = cause.source();
    }
    said
}

#[tokio::test]
async fn refuses_to_start_without_a_snapshot() {
    let stop = CancellationToken::new();
    let started = recovery::run(config(None), None, Clock::frozen(NOW_MS), stop).await;
    assert!(matches!(started.unwrap_err(), Error::NoSnapshot));
    let missing = refusal(config(Some(Path::new("/nonexistent/snapshot")))).await;
    assert!(missing.contains("/nonexistent/snapshot"), "{missing}");
}

#[tokio::test]
async fn a_policy_with_mistakes_is_refused_with_every_one_of_them() {
    let dir = tempfile::tempdir().unwrap();
    let snapshot = generation(&dir.path().join("snapshot"), true);
    let policy = dir.path().join("mine.toml");
    let broken = policy::Policy::DEFAULT
        .replace("items_shown = 3", "items_shown = -3")
        .replace(
            "default_channel = \"email\"",
            "default_channel = \"pigeon\"",
        );
    std::fs::write(&policy, broken).unwrap();
    let config = Config {
        policy: Some(policy),
        ..config(Some(snapshot.dir()))
    };
    let said = refusal(config).await;
    for part in ["mine.toml", "items_shown", "default_channel"] {
        assert!(said.contains(part), "{part} is not in: {said}");
    }
}

#[tokio::test]
async fn a_rule_that_reads_an_unknown_feature_is_refused_with_names_near_it() {
    let dir = tempfile::tempdir().unwrap();
    let snapshot = generation(&dir.path().join("snapshot"), true);
    let policy = dir.path().join("mine.toml");
    let rule = "when = \"shopper.cart_valeu_minor > 5.0\"";
    let own = policy::Policy::DEFAULT.replace("when = \"cart.value_minor >= 5000\"", rule);
    std::fs::write(&policy, own).unwrap();
    let config = Config {
        policy: Some(policy),
        ..config(Some(snapshot.dir()))
    };
    let said = refusal(config).await;
    assert!(said.contains("shopper.cart_valeu_minor"), "{said}");
    assert!(said.contains("shopper.cart_value_minor"), "{said}");
}

#[tokio::test]
async fn a_policy_of_ones_own_takes_the_place_of_the_snapshots() {
    let policy = policy::Policy::DEFAULT.replace("items_shown = 3", "items_shown = 1");
    let setup = Setup {
        policy: Some(policy),
        ..Setup::default()
    };
    let decision = setup.start().await.decide(ask("s")).await;
    assert_eq!(decision.items.len(), 1);
}

#[tokio::test]
async fn rules_read_the_features_of_the_shopper() {
    // The peers answer 3 for every feature.
    for (least, applies) in [(3, true), (4, false)] {
        let arm = "action = \"free_shipping\"";
        let rule = format!("{arm}\nwhen = \"shopper.view_count_24h >= {least}.0\"");
        let setup = Setup {
            policy: Some(policy::Policy::DEFAULT.replace(arm, &rule)),
            ..Setup::default()
        };
        let world = setup.start().await;
        let decision = world.decide(ask("s")).await;
        let asked = world.seen.features.lock().unwrap()[0].features.clone();
        assert_eq!(asked, ["shopper.view_count_24h"]);
        assert_eq!(
            decision.action() == Action::FreeShipping,
            applies,
            "{decision:?}"
        );
    }
}

#[tokio::test]
async fn a_store_that_cannot_be_reached_leaves_previews() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = free.local_addr().unwrap();
    drop(free);
    let dir = tempfile::tempdir().unwrap();
    let snapshot = generation(&dir.path().join("snapshot"), true);
    let config = Config {
        redis: Some(Secret::new(format!("redis://{nobody}"))),
        ..config(Some(snapshot.dir()))
    };
    let stop = CancellationToken::new();
    let running = recovery::run(config, None, Clock::frozen(NOW_MS), stop.clone())
        .await
        .unwrap();
    let url = format!("http://{}", running.addr);
    let mut client = RecoveryServiceClient::connect(url).await.unwrap();
    client.decide(ask("s")).await.unwrap();
    let commit = pb::DecideRequest {
        request_id: "r".to_owned(),
        mode: pb::decide_request::Mode::Commit.into(),
        ..ask("s")
    };
    let refused = client.decide(commit).await.unwrap_err();
    let codes = [Code::Unavailable, Code::DeadlineExceeded];
    assert!(codes.contains(&refused.code()), "{refused:?}");
    assert!(refused.message().contains("decision log"), "{refused:?}");
    stop.cancel();
    running.wait().await.unwrap();
}
