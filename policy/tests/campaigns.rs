//! Campaigns over a cart: what each line gets, what came next, and why.
#![allow(clippy::unwrap_used, reason = "helpers of tests unwrap like tests do")]

mod carts;
mod chance;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use chance::Chance;
use policy::campaign::{Campaign, CampaignOffer, Draft, LineOffer, Selector, Stacking};
use policy::{Inputs, Line, Policy};
use proptest::prelude::*;

static POLICY: LazyLock<Policy> = LazyLock::new(|| Policy::parse(Policy::DEFAULT).unwrap());

fn draft(id: &str, offer: CampaignOffer) -> Draft {
    Draft {
        id: id.to_owned(),
        name: String::new(),
        starts_at_ms: 0,
        ends_at_ms: 100,
        selector: Selector::default(),
        offer,
        budget_minor: 1_000_000,
        stacking: Stacking::Alone,
        priority: 0,
        stopped: false,
    }
}

fn percent(share: f64, max: i64) -> CampaignOffer {
    CampaignOffer::Percent {
        percent_off: share,
        max_discount_minor: Some(max),
    }
}

fn cart() -> Inputs {
    let line = |item: &str, category: &str| Line {
        item_id: item.to_owned(),
        quantity: 1,
        price_minor: 10_000,
        cost_minor: Some(6_000),
        category: category.to_owned(),
        brand: "Alba".to_owned(),
        ..Line::default()
    };
    Inputs {
        lines: vec![line("boot", "clothing.shoes"), line("cup", "kitchen")],
        currency: "EUR".to_owned(),
        now_ms: 50,
        ..Inputs::default()
    }
}

fn offers(drafts: &[Draft], free: i64) -> Vec<LineOffer> {
    let campaigns: Vec<Campaign> = drafts
        .iter()
        .cloned()
        .map(|one| Campaign::check(one).unwrap())
        .collect();
    let free = drafts.iter().map(|one| (one.id.clone(), free)).collect();
    POLICY.campaign_offers(&campaigns, &cart(), &free)
}

fn given(offer: &LineOffer) -> Vec<(&str, i64)> {
    offer
        .given
        .iter()
        .map(|one| (one.campaign.as_str(), one.discount_minor))
        .collect()
}

fn passed(offer: &LineOffer) -> (&str, &str) {
    let next = offer.runner_up.as_ref().unwrap();
    (&next.campaign, &next.why)
}

#[test]
fn each_line_has_its_best_offer_and_the_runner_up_with_the_reason() {
    let shoes = Draft {
        selector: Selector {
            categories: vec!["clothing".to_owned()],
            ..Selector::default()
        },
        ..draft("shoes", percent(0.2, 5_000))
    };
    let all = draft("all", percent(0.1, 5_000));
    let lines = offers(&[all.clone(), shoes.clone()], 10_000);
    assert_eq!(given(&lines[0]), [("shoes", 2_000)]);
    assert_eq!(passed(&lines[0]), ("all", "it takes 10.00 EUR less off"));
    assert_eq!(
        (given(&lines[1]), &lines[1].runner_up),
        (vec![("all", 1_000)], &None)
    );

    let first = Draft { priority: 3, ..all };
    let lines = offers(&[first, shoes], 10_000);
    assert_eq!(given(&lines[0]), [("all", 1_000)]);
    assert_eq!(passed(&lines[0]), ("shoes", "its priority is 0, all has 3"));
}

#[test]
fn what_stacks_adds_up_to_the_margin_and_what_does_not_stays_alone() {
    let stacks = |id, share| Draft {
        stacking: Stacking::WithOthers,
        ..draft(id, percent(share, 90_000))
    };
    let lines = offers(
        &[stacks("a", 0.3), stacks("b", 0.2), stacks("c", 0.1)],
        90_000,
    );
    assert_eq!(given(&lines[0]), [("a", 3_000), ("b", 1_000)]);
    assert_eq!(
        passed(&lines[0]),
        ("c", "the line's margin is given away already")
    );
    let alone = draft("alone", percent(0.35, 90_000));
    let lines = offers(&[stacks("a", 0.3), alone], 90_000);
    assert_eq!(given(&lines[0]), [("alone", 3_500)]);
}

#[test]
fn a_campaign_gives_no_more_than_its_maximum_or_what_is_free_of_its_budget() {
    let lines = offers(&[draft("a", percent(0.3, 2_000))], 90_000);
    assert_eq!(
        lines.iter().map(given).collect::<Vec<_>>(),
        [[("a", 1_000)], [("a", 1_000)]]
    );
    let lines = offers(
        &[draft(
            "a",
            CampaignOffer::Fixed {
                amount_minor: 2_000,
            },
        )],
        501,
    );
    assert_eq!(
        lines.iter().flat_map(given).map(|one| one.1).sum::<i64>(),
        501
    );
    let lines = offers(&[draft("a", percent(0.3, 2_000))], 0);
    assert_eq!(
        (given(&lines[0]), passed(&lines[0])),
        (vec![], ("a", "its budget is used up"))
    );
}

#[test]
fn a_stopped_campaign_and_one_outside_its_window_give_nothing() {
    let running = draft("a", percent(0.1, 2_000));
    let cases = [
        Draft {
            stopped: true,
            ..running.clone()
        },
        Draft {
            ends_at_ms: 50,
            ..running.clone()
        },
        Draft {
            starts_at_ms: 51,
            ..running.clone()
        },
    ];
    for one in cases {
        assert!(
            offers(&[one], 9_000)
                .iter()
                .all(|line| *line == LineOffer::default())
        );
    }
    assert!(
        !offers(
            &[Draft {
                starts_at_ms: 50,
                ..running
            }],
            9_000
        )[0]
        .given
        .is_empty()
    );
}

#[test]
fn every_mistake_of_a_draft_comes_at_once() {
    let bad = Draft {
        ends_at_ms: 0,
        budget_minor: -1,
        ..draft(
            "no spaces",
            CampaignOffer::Percent {
                percent_off: 10.0,
                max_discount_minor: None,
            },
        )
    };
    let problems = Campaign::check(bad).unwrap_err();
    let fields: Vec<&str> = problems.iter().map(|problem| problem.field).collect();
    assert_eq!(
        fields,
        [
            "id",
            "ends_at_ms",
            "budget_minor",
            "offer.percent.percent_off",
            "offer.percent.max_discount_minor"
        ]
    );
    assert!(
        problems[4]
            .message
            .contains("a percentage without it has no limit")
    );
    assert!(Campaign::check(draft("a", CampaignOffer::Fixed { amount_minor: 0 })).is_err());
}

#[test]
fn the_first_version_of_a_draft_is_readable_for_ever() {
    let golden: Draft = serde_json::from_str(include_str!("goldens/campaign-v1.json")).unwrap();
    assert_eq!(
        (golden.priority, golden.stacking),
        (5, Stacking::WithOthers)
    );
    let again = serde_json::to_string(&golden).unwrap();
    assert_eq!(serde_json::from_str::<Draft>(&again).unwrap(), golden);
    let campaign = Campaign::check(golden).unwrap();
    let selector = &campaign.draft().selector;
    assert!(selector.chooses("x", "clothing.shoes.boots", "Other"));
    assert!(!selector.chooses("x", "clothing.shoeshine", "Other"));
    assert!(!selector.chooses("x", "clothing.shoes", "Alba"));
    let unknown = r#"{"id":"a","starts_at_ms":0,"ends_at_ms":1,"budget_minor":1,"offer":{"fixed":{"amount_minor":1}},"x":1}"#;
    assert!(serde_json::from_str::<Draft>(unknown).is_err());
}

fn any_draft(id: usize) -> impl Strategy<Value = Draft> {
    let offer = prop_oneof![
        (0.001..0.9, 1..90_000_i64).prop_map(|(share, max)| percent(share, max)),
        (1..90_000_i64).prop_map(|amount_minor| CampaignOffer::Fixed { amount_minor }),
    ];
    (offer, any::<bool>(), 0..3_i32, "[a-c]?", 1..200_i64).prop_map(
        move |(offer, stacks, priority, category, ends)| Draft {
            stacking: if stacks {
                Stacking::WithOthers
            } else {
                Stacking::Alone
            },
            priority,
            selector: Selector {
                categories: if category.is_empty() {
                    vec![]
                } else {
                    vec![category]
                },
                ..Selector::default()
            },
            ends_at_ms: ends,
            ..draft(&format!("c{id}"), offer)
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_line_gives_more_than_its_margin_and_no_campaign_more_than_it_has(
        mut inputs in carts::inputs(true),
        drafts in (any_draft(0), any_draft(1), any_draft(2), any_draft(3)),
        free in 0..20_000_i64, seed: u64,
    ) {
        inputs.now_ms = 50;
        let mut campaigns: Vec<Campaign> = [drafts.0, drafts.1, drafts.2, drafts.3]
            .into_iter()
            .map(|one| Campaign::check(one).unwrap())
            .collect();
        let budgets: BTreeMap<String, i64> = (0..4).map(|id| (format!("c{id}"), free)).collect();
        let lines = POLICY.campaign_offers(&campaigns, &inputs, &budgets);
        prop_assert_eq!(lines.len(), inputs.lines.len());
        for (offer, line) in lines.iter().zip(&inputs.lines) {
            let sum: i64 = offer.given.iter().map(|one| one.discount_minor).sum();
            let value = line.price_minor * i64::from(line.quantity.max(1));
            let most = match (line.cost_minor, line.margin_rate) {
                (Some(cost), _) => (line.price_minor - cost) * i64::from(line.quantity.max(1)),
                (None, _) => value,
            };
            prop_assert!(sum <= most.max(0), "{offer:?} {line:?}");
            prop_assert!(offer.given.iter().all(|one| one.discount_minor > 0));
            let alone = |id: &str| campaigns.iter().any(|one| one.draft().id == id && one.draft().stacking == Stacking::Alone);
            prop_assert!(offer.given.len() < 2 || !offer.given.iter().any(|one| alone(&one.campaign)));
        }
        for campaign in &campaigns {
            let id = &campaign.draft().id;
            let sum: i64 = lines.iter().flat_map(|line| &line.given).filter(|one| one.campaign == *id).map(|one| one.discount_minor).sum();
            let most = match campaign.draft().offer {
                CampaignOffer::Percent { max_discount_minor, .. } => max_discount_minor.unwrap(),
                CampaignOffer::Fixed { amount_minor } => amount_minor,
            };
            prop_assert!(sum <= most.min(free));
            prop_assert!(sum == 0 || campaign.runs_at(50));
        }
        Chance(seed).shuffle(&mut campaigns);
        prop_assert_eq!(POLICY.campaign_offers(&campaigns, &inputs, &budgets), lines);
    }
}
