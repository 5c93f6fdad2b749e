//! Campaigns: set up over gRPC, taken up by every replica, shown line by line, within their budget, on
//! both stores.

use std::time::Duration;

use feature_store::{FeatureStore, ProfileUpdate, Settings};
use pb::campaign::{Offer, Stacking};
use proto::v1 as pb;
use tonic::{Code, Status};

use crate::commit::stores;
use crate::overtaken::Overtaken;
use crate::scene::{HOUR, POLICY, Scene};
use crate::world::{Setup, ask, line};

fn campaign(scene: &Scene, id: &str, percent_off: f64) -> pb::Campaign {
    let now_ms = scene.now().0;
    pb::Campaign {
        id: id.to_owned(),
        starts_at: Some(kit::timestamp::encode(now_ms - HOUR)),
        ends_at: Some(kit::timestamp::encode(now_ms + 24 * HOUR)),
        budget_minor: 1_000_000,
        offer: Some(Offer::Percent(pb::PercentOff {
            percent_off,
            max_discount_minor: 5_000,
        })),
        ..pb::Campaign::default()
    }
}

impl Scene {
    async fn upserts(&self, campaign: pb::Campaign) -> Result<bool, Status> {
        let request = pb::UpsertCampaignRequest {
            campaign: Some(campaign),
        };
        let answer = self.client().upsert_campaign(request).await;
        answer.map(|answer| answer.into_inner().created)
    }

    async fn campaigns(&self) -> Vec<pb::CampaignState> {
        let listed = self
            .client()
            .list_campaigns(pb::ListCampaignsRequest {})
            .await;
        listed.unwrap().into_inner().campaigns
    }

    /// A preview on two lines of 100.00 and 50.00, the second of them cheap to buy in.
    async fn asks(&self) -> pb::Decision {
        let cart = vec![line("1", 1, 10_000), line("2", 1, 5_000)];
        self.world
            .decide(pb::DecideRequest { cart, ..ask("ann") })
            .await
    }

    /// What each line is given, by the campaigns' ids.
    async fn given(&self) -> Vec<Vec<String>> {
        let offers = self.asks().await.line_offers;
        let ids = |offer: &pb::LineOffer| {
            let given = offer.given.iter();
            given.map(|one| one.campaign_id.clone()).collect()
        };
        offers.iter().map(ids).collect()
    }

    async fn until_given(&self, wanted: &[&[&str]]) {
        for _ in 0..200 {
            if self.given().await == wanted {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!(
            "{wanted:?} is not given: {:?}",
            self.asks().await.line_offers
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_line_shows_its_best_offer_and_the_runner_up_on_every_replica() {
    for kept in stores().await {
        let scene = Scene::open(&kept, POLICY).await;
        let replica = Scene::open(&kept, POLICY).await;
        assert!(scene.asks().await.line_offers.is_empty());
        let ten = campaign(&scene, "ten", 0.1);
        let shoes = pb::Campaign {
            selector: Some(pb::Selector {
                items: vec!["1".to_owned()],
                ..pb::Selector::default()
            }),
            ..campaign(&scene, "one-item", 0.2)
        };
        assert!(scene.upserts(ten).await.unwrap());
        assert!(scene.upserts(shoes.clone()).await.unwrap());
        scene.until_given(&[&["one-item"], &["ten"]]).await;
        replica.until_given(&[&["one-item"], &["ten"]]).await;
        let offers = replica.asks().await.line_offers;
        assert_eq!(offers[0].item_id, "1");
        assert_eq!(offers[0].given[0].discount_minor, 2_000);
        let second = offers[0].runner_up.as_ref().unwrap();
        assert_eq!(
            (second.campaign_id.as_str(), second.discount_minor),
            ("ten", 1_000)
        );
        assert!(second.why.contains("10.00 EUR less"), "{second:?}");
        assert!(offers[1].runner_up.is_none());
        let stopped = pb::Campaign {
            stopped: true,
            ..shoes
        };
        assert!(!scene.upserts(stopped).await.unwrap(), "it was there");
        replica.until_given(&[&["ten"], &["ten"]]).await;
        let states = scene.campaigns().await;
        let states: Vec<(&str, bool)> = states
            .iter()
            .map(|one| (one.campaign.as_ref().unwrap().id.as_str(), one.running))
            .collect();
        assert_eq!(states, [("one-item", false), ("ten", true)]);
        replica.later(25 * HOUR);
        replica.until_given(&[]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_decisions_show_of_a_campaign_never_exceeds_its_budget() {
    for kept in stores().await {
        let mut scene = Scene::open(&kept, POLICY).await;
        let stacking = Stacking::WithOthers.into();
        let small = pb::Campaign {
            budget_minor: 2_500,
            stacking,
            ..campaign(&scene, "small", 0.1)
        };
        let large = pb::Campaign {
            stacking,
            ..campaign(&scene, "large", 0.05)
        };
        scene.upserts(small).await.unwrap();
        scene.upserts(large).await.unwrap();
        for number in 0..8 {
            scene.fills_a_cart(&format!("shopper-{number}")).await;
        }
        let deciding = (0..8).map(|number| {
            let asked = pb::DecideRequest {
                request_id: "r".to_owned(),
                mode: pb::decide_request::Mode::Commit.into(),
                ..ask(&format!("shopper-{number}"))
            };
            scene.world.decide(asked)
        });
        let decisions = futures::future::join_all(deciding).await;
        let given = |id: &str| -> Vec<i64> {
            let offers = decisions.iter().flat_map(|one| &one.line_offers);
            let given = offers.flat_map(|offer| &offer.given);
            let of_it = given.filter(|one| one.campaign_id == id);
            of_it.map(|one| one.discount_minor).collect()
        };
        let let_in = decisions.iter().filter(|one| !one.in_holdout).count();
        assert!(let_in > 3, "some are let in");
        let (small, large) = (given("small"), given("large"));
        let total: i64 = small.iter().sum();
        assert_eq!(total, 2_500, "all of it and no more: {decisions:?}");
        assert_eq!(large.len(), let_in, "of this one there is enough");
        assert_eq!(scene.spent().await, total + large.iter().sum::<i64>());
    }
}

/// Campaigns that are not good, each with the field at fault.
fn bad_campaigns(good: &pb::Campaign) -> Vec<(&'static str, pb::Campaign)> {
    let with = |change: &dyn Fn(&mut pb::Campaign)| {
        let mut changed = good.clone();
        change(&mut changed);
        changed
    };
    let percent = |percent_off, max_discount_minor| {
        Some(Offer::Percent(pb::PercentOff {
            percent_off,
            max_discount_minor,
        }))
    };
    vec![
        ("campaign.id", with(&|one| one.id = "a/b".to_owned())),
        ("campaign.starts_at", with(&|one| one.starts_at = None)),
        ("campaign.ends_at", with(&|one| one.ends_at = one.starts_at)),
        ("campaign.offer", with(&|one| one.offer = None)),
        (
            "campaign.percent.percent_off",
            with(&|one| one.offer = percent(1.5, 100)),
        ),
        (
            "campaign.percent.max_discount_minor",
            with(&|one| one.offer = percent(0.5, 0)),
        ),
        ("campaign.budget_minor", with(&|one| one.budget_minor = -1)),
        ("campaign.stacking", with(&|one| one.stacking = 7)),
        (
            "campaign.selector.items[0]",
            with(&|one| {
                one.selector
                    .get_or_insert_default()
                    .items
                    .push(String::new());
            }),
        ),
    ]
}

#[tokio::test]
async fn a_campaign_that_is_not_good_is_refused_and_names_the_fields() {
    let kept = stores().await.remove(0);
    let scene = Scene::open(&kept, POLICY).await;
    let good = campaign(&scene, "good", 0.1);
    for (field, bad) in bad_campaigns(&good) {
        let refused = scene.upserts(bad).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{field}");
        assert!(
            refused.message().contains(field),
            "{field}: {}",
            refused.message()
        );
    }
}

#[tokio::test]
async fn a_campaign_can_be_read_again_and_an_unknown_one_is_not_found() {
    let kept = stores().await.remove(0);
    let scene = Scene::open(&kept, POLICY).await;
    let good = campaign(&scene, "good", 0.1);
    let stacks = pb::Campaign {
        stacking: Stacking::WithOthers.into(),
        ..good
    };
    assert!(scene.upserts(stacks.clone()).await.unwrap());
    let asked = |id: &str| pb::GetCampaignRequest { id: id.to_owned() };
    let got = scene
        .client()
        .get_campaign(asked("good"))
        .await
        .unwrap()
        .into_inner();
    let expected = pb::Campaign {
        selector: Some(pb::Selector::default()),
        ..stacks
    };
    assert_eq!(got.campaign, Some(expected));
    let none = scene
        .client()
        .get_campaign(asked("none"))
        .await
        .unwrap_err();
    assert_eq!(none.code(), Code::NotFound);
    let without = Setup::default().start().await;
    let list = without
        .client
        .clone()
        .list_campaigns(pb::ListCampaignsRequest {})
        .await;
    assert_eq!(list.unwrap_err().code(), Code::FailedPrecondition);
}

fn commit(shopper: &str) -> pb::DecideRequest {
    pb::DecideRequest {
        request_id: "leaving".to_owned(),
        mode: pb::decide_request::Mode::Commit.into(),
        ..ask(shopper)
    }
}

/// What an answer shows of campaigns, in minor units.
fn shown(answer: &pb::Decision) -> i64 {
    let given = answer.line_offers.iter().flat_map(|offer| &offer.given);
    given.map(|one| one.discount_minor).sum()
}

/// A shop with two campaigns that stack.
async fn with_two_that_stack(kept: &crate::commit::Kept) -> Scene {
    let scene = Scene::open(kept, POLICY).await;
    two_that_stack(&scene).await;
    scene
}

async fn two_that_stack(scene: &Scene) {
    for (id, percent_off) in [("five", 0.05), ("ten", 0.1)] {
        let stacks = pb::Campaign {
            stacking: Stacking::WithOthers.into(),
            ..campaign(scene, id, percent_off)
        };
        scene.upserts(stacks).await.unwrap();
    }
    scene
        .until_given(&[&["ten", "five"], &["ten", "five"]])
        .await;
}

impl Scene {
    /// Of all campaigns.
    async fn spent(&self) -> i64 {
        let states = self.campaigns().await;
        states.iter().map(|one| one.spent_minor).sum()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_under_an_alias_is_shown_the_persons_campaigns_and_they_are_paid_once() {
    for kept in stores().await {
        let mut scene = with_two_that_stack(&kept).await;
        for shopper in ["ann", "phone", "bob"] {
            scene.fills_a_cart(shopper).await;
        }
        let linked = scene.store.link("ann", "phone", "link-1", scene.now());
        linked.await.unwrap().unwrap();
        let alone = scene.world.decide(commit("bob")).await;
        let given = &alone.line_offers[0].given;
        assert_eq!((alone.line_offers.len(), given.len()), (1, 2), "{given:?}");
        assert_eq!(scene.spent().await, shown(&alone));
        let alias = scene.world.decide(commit("phone")).await;
        assert_eq!(alias.line_offers, alone.line_offers, "one cart, not two");
        assert_eq!(scene.spent().await, shown(&alone) + shown(&alias));
        assert_eq!(scene.world.decide(commit("phone")).await, alias);
        assert_eq!(scene.spent().await, shown(&alone) + shown(&alias));
        let preview = scene.world.decide(ask("ann")).await;
        assert_eq!(preview.line_offers, alias.line_offers);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alias_of_somebody_held_out_is_shown_no_campaign_and_nothing_is_paid() {
    let holdout = policy::holdout::Holdout::new("loop", 0.05).unwrap();
    let held_out = (0..1_000).map(|n| format!("shopper-{n}"));
    let held_out = held_out.into_iter().find(|one| holdout.holds(one)).unwrap();
    for kept in stores().await {
        let mut scene = with_two_that_stack(&kept).await;
        scene.fills_a_cart("phone").await;
        let linked = scene.store.link(&held_out, "phone", "link-1", scene.now());
        linked.await.unwrap().unwrap();
        let answer = scene.world.decide(commit("phone")).await;
        assert!(answer.in_holdout);
        assert!(answer.line_offers.is_empty(), "{:?}", answer.line_offers);
        let asked = scene.world.decide(ask(&held_out)).await;
        assert!(asked.line_offers.is_empty(), "{:?}", asked.line_offers);
        assert_eq!(scene.spent().await, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decision_that_somebody_was_quicker_than_is_paid_once() {
    for kept in stores().await {
        let overtaken = Overtaken::over(kept.store.store().clone());
        let store = FeatureStore::new(overtaken.clone(), Settings::default());
        let set = |setup: &mut Setup| setup.store = Some(store);
        let mut scene = Scene::open_with(&kept, POLICY, set).await;
        two_that_stack(&scene).await;
        scene.fills_a_cart("ann").await;
        let features = kept.store.clone();
        overtaken.before_a_write_of("ann", async move {
            let channels = Some(vec!["email".to_owned()]);
            let profile = ProfileUpdate {
                channels,
                ..ProfileUpdate::default()
            };
            features.set_profile("ann", profile).await.unwrap().unwrap();
        });
        let answer = scene.world.decide(commit("ann")).await;
        assert!(overtaken.happened());
        assert_eq!(scene.spent().await, shown(&answer));
    }
}
