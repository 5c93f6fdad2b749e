//! A logged decision is explained and made again from its log alone, on both stores.

use std::error::Error;

use feature_store::store::{Log, LogEntry};
use proto::v1 as pb;
use recovery::record::{Line, decode, replay};
use tonic::Code;

use crate::commit::stores;
use crate::scene::{POLICY, Scene};
use crate::world::{Setup, ask};

impl Scene {
    async fn decides(&self, shopper: &str, request_id: &str) -> pb::Decision {
        let asked = pb::DecideRequest {
            request_id: request_id.to_owned(),
            mode: pb::decide_request::Mode::Commit.into(),
            ..ask(shopper)
        };
        self.world.decide(asked).await
    }

    async fn explains(&self, shopper: &str, decision: &str) -> pb::GetDecisionResponse {
        let request = pb::GetDecisionRequest {
            shopper_id: shopper.to_owned(),
            decision_id: decision.to_owned(),
        };
        let told = self.client().get_decision(request).await;
        told.unwrap().into_inner()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decision_is_explained_and_made_again_also_after_its_policy_was_replaced() {
    for kept in stores().await {
        let mut scene = Scene::open(&kept, POLICY).await;
        scene.fills_a_cart("ann").await;
        let decision = scene.decides("ann", "leaving").await;
        drop(scene);
        let scene = Scene::open(&kept, &POLICY.replace("0.9", "0.1")).await;
        let told = scene.explains("ann", &decision.decision_id).await;
        assert_eq!(told.decision.as_ref(), Some(&decision));
        assert!(told.reproduced, "{}", told.not_reproduced);
        assert_eq!(
            (told.request_id.as_str(), told.policy_version.as_str()),
            ("leaving", "loop")
        );
        let id = recovery::record::hex(&policy::Policy::id_of(POLICY));
        assert_eq!(told.policy_id, id);
        let arms: Vec<(&str, bool)> = told
            .arms
            .iter()
            .map(|arm| (arm.arm.as_str(), arm.chosen))
            .collect();
        assert_eq!(
            arms,
            [("nothing", false), ("reminder", false), ("coupon", true)]
        );
        assert!(told.arms[1].why_not.contains("less"), "{:?}", told.arms);
        let words = told.explanation.join("\n");
        for part in [
            "step 0 about cart version 1",
            "\"coupon\" was chosen",
            "bit for bit",
        ] {
            assert!(words.contains(part), "{part} is not in:\n{words}");
        }
        let under_the_other = scene.decides("ann", "again").await;
        let told = scene.explains("ann", &under_the_other.decision_id).await;
        assert!(told.reproduced && told.policy_id != id);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_logs_alone_hold_all_that_a_replay_needs() {
    for kept in stores().await {
        let mut scene = Scene::open(&kept, POLICY).await;
        scene.fills_a_cart("ann").await;
        for number in 0..20 {
            scene.decides("ann", &format!("r{number}")).await;
        }
        let mut policies = Vec::new();
        let mut policy = |_, entry: &LogEntry| -> Result<(), Box<dyn Error>> {
            policies.push(Line::policy(std::str::from_utf8(&entry.value)?));
            Ok(())
        };
        scene
            .store
            .read_log(Log::Policies, &mut policy, &mut |_, _| {})
            .await
            .unwrap();
        let [Line::Policy { toml, .. }] = policies.as_slice() else {
            panic!("one policy, kept once: {policies:?}");
        };
        let policy = policy::Policy::parse(toml).unwrap();
        let mut count = 0;
        let mut decision = |_, entry: &LogEntry| -> Result<(), Box<dyn Error>> {
            count += 1;
            replay(&decode(&entry.value)?, &policy)?;
            Ok(())
        };
        scene
            .store
            .read_log(Log::Decisions, &mut decision, &mut |_, _| {})
            .await
            .unwrap();
        assert_eq!(count, 20);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decision_without_the_text_of_its_policy_says_that_it_cannot_be_made_again() {
    for kept in stores().await {
        let mut scene = Scene::open(&kept, POLICY).await;
        scene.fills_a_cart("ann").await;
        let decision = scene.decides("ann", "leaving").await;
        let id = recovery::record::hex(&policy::Policy::id_of(POLICY));
        let key = feature_store::store::Key {
            partition: feature_store::store::Partition::of(&id),
            kind: feature_store::store::Kind::Policy,
            id,
        };
        let commit = feature_store::store::Commit {
            partition: key.partition,
            ops: vec![feature_store::store::Op::Delete { key, expected: 1 }],
        };
        scene.store.store().commit(vec![commit]).await.unwrap();
        let told = scene.explains("ann", &decision.decision_id).await;
        assert!(!told.reproduced && told.arms.is_empty());
        assert!(
            told.not_reproduced.contains("is not in the store"),
            "{told:?}"
        );
        assert_eq!(told.decision, Some(decision));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_never_decided_is_not_found() {
    let kept = stores().await.remove(0);
    let mut scene = Scene::open(&kept, POLICY).await;
    scene.fills_a_cart("ann").await;
    let decision = scene.decides("ann", "leaving").await;
    let asked = |shopper: &str, decision: &str| pb::GetDecisionRequest {
        shopper_id: shopper.to_owned(),
        decision_id: decision.to_owned(),
    };
    for (request, code) in [
        (asked("ann", &"0".repeat(32)), Code::NotFound),
        (asked("bob", &decision.decision_id), Code::NotFound),
        (asked("", &decision.decision_id), Code::InvalidArgument),
        (asked("ann", ""), Code::InvalidArgument),
    ] {
        let refused = scene.client().get_decision(request).await.unwrap_err();
        assert_eq!(refused.code(), code, "{refused:?}");
    }
    let without = Setup::default().start().await;
    let refused = without.client.clone().get_decision(asked("ann", "d")).await;
    assert_eq!(refused.unwrap_err().code(), Code::FailedPrecondition);
}
