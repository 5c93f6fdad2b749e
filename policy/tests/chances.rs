//! Who is held out, and what is explored.
#![allow(clippy::unwrap_used, reason = "helpers of tests unwrap like tests do")]

use policy::holdout::{Holdout, HoldoutError};
use policy::propensity::{Exploration, ExplorationError};
use proptest::prelude::*;

fn holdout(share: f64) -> Holdout {
    Holdout::new("winter-2026", share).unwrap()
}

/// Who is held out must not change with a build: the people of a running experiment would.
#[test]
fn the_same_people_are_held_out_for_ever() {
    let held: Vec<String> = (0..400)
        .map(|number| format!("shopper-{number}"))
        .filter(|id| holdout(Holdout::DEFAULT_SHARE).holds(id))
        .collect();
    assert_eq!(
        held.join("\n"),
        include_str!("goldens/holdout-v1.txt").trim()
    );
}

#[test]
fn one_person_in_twenty_is_held_out_independently_of_another_salt() {
    let (one, other) = (holdout(0.05), Holdout::new("spring-2027", 0.05).unwrap());
    let (mut in_one, mut in_both, count) = (0, 0, 400_000);
    for number in 0..count {
        let id = format!("p{number}");
        if one.holds(&id) {
            in_one += 1;
            in_both += i32::from(other.holds(&id));
        }
    }
    // Six standard deviations of the binomial around 20,000 and 1,000.
    assert!((in_one - 20_000_i32).abs() < 830, "{in_one}");
    assert!((in_both - 1_000_i32).abs() < 190, "{in_both}");
}

#[test]
fn refuses_a_share_that_leaves_nobody_to_win_back() {
    assert_eq!(Holdout::new("s", 0.6), Err(HoldoutError::Share(0.6)));
    assert!(Holdout::new("s", f64::NAN).is_err());
    assert_eq!(Holdout::new("", 0.05), Err(HoldoutError::Salt));
    assert!(!format!("{:?}", holdout(0.05)).contains("key"));
}

#[test]
fn chances_of_aliases_add_up() {
    let chances = [0, 1, 2].map(|aliases| holdout(0.1).chance(aliases));
    assert!(chances[0].abs() < 1e-12 && (chances[1] - 0.1).abs() < 1e-12);
    assert!((chances[2] - 0.19).abs() < 1e-12);
}

proptest! {
    #[test]
    fn an_alias_that_is_held_out_holds_the_person_out(ids in proptest::collection::vec("[a-z]{1,4}", 0..6), seed: u64) {
        let holdout = holdout(0.3);
        let mut joined: Vec<&str> = ids.iter().map(String::as_str).collect();
        let held = holdout.holds_any(joined.iter().copied());
        prop_assert_eq!(held, ids.iter().any(|id| holdout.holds(id)));
        joined.rotate_left(usize::try_from(seed % 7).unwrap() % ids.len().max(1));
        prop_assert_eq!(held, holdout.holds_any(joined));
    }

    #[test]
    fn a_larger_share_keeps_everybody_in(id in ".{0,12}", share in 0.0..0.5, more in 0.0..0.5) {
        if holdout(share).holds(&id) {
            prop_assert!(holdout(f64::min(share + more, 0.5)).holds(&id));
        }
    }

    #[test]
    fn propensities_sum_to_one_and_only_arms_that_may_be_drawn_have_one(
        arms in proptest::collection::vec(proptest::option::of(-50.0..50.0_f64), 0..8),
        epsilon in 0.0..=1.0, regret in 0.0..60.0, seed: u64,
    ) {
        let exploration = Exploration::new(epsilon, regret).unwrap();
        let Some(drawn) = exploration.draw(&arms, seed) else {
            prop_assert!(arms.iter().all(Option::is_none));
            return Ok(());
        };
        prop_assert!((drawn.propensities.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        prop_assert!(drawn.propensities[drawn.chosen] > 0.0);
        let most = arms.iter().flatten().fold(f64::MIN, |most, value| most.max(*value));
        for (value, propensity) in arms.iter().zip(&drawn.propensities) {
            let may = value.is_some_and(|value| most - value <= regret);
            prop_assert!(may || propensity.to_bits() == 0);
        }
        prop_assert_eq!(drawn, exploration.draw(&arms, seed).unwrap());
    }
}

/// Pearson's chi-square of 200,000 draws against the propensities that they are logged with.
#[test]
fn arms_are_drawn_as_often_as_their_propensity_says() {
    let exploration = Exploration::new(0.2, 30.0).unwrap();
    let arms = [
        Some(0.0),
        None,
        Some(40.0),
        Some(12.0),
        Some(25.0),
        Some(40.0),
    ];
    let (mut counts, draws) = ([0_u32; 6], 200_000_u32);
    for seed in 0..u64::from(draws) {
        counts[exploration.draw(&arms, seed).unwrap().chosen] += 1;
    }
    let said = exploration.draw(&arms, 0).unwrap().propensities;
    assert_eq!(
        billionths(&said),
        billionths(&[0.0, 0.0, 0.85, 0.05, 0.05, 0.05])
    );
    let chi_square: f64 = counts
        .iter()
        .zip(&said)
        .filter(|(_, share)| **share > 0.0)
        .map(|(count, share)| {
            let expected = share * f64::from(draws);
            (f64::from(*count) - expected).powi(2) / expected
        })
        .sum();
    assert!(chi_square < 25.0, "{counts:?} {chi_square}");
    assert!(counts[0] == 0 && counts[1] == 0);
}

/// In parts per billion, for comparing.
fn billionths(shares: &[f64]) -> Vec<i64> {
    #[expect(clippy::cast_possible_truncation, reason = "probabilities are small")]
    let parts = |share: &f64| (share * 1e9).round() as i64;
    shares.iter().map(parts).collect()
}

#[test]
fn without_exploration_the_first_best_is_certain() {
    let drawn = Exploration::NONE
        .draw(&[Some(1.0), Some(3.0), Some(3.0)], 9)
        .unwrap();
    assert_eq!(drawn.chosen, 1);
    assert_eq!(
        billionths(&drawn.propensities),
        billionths(&[0.0, 1.0, 0.0])
    );
    assert_eq!(
        Exploration::new(1.5, 0.0),
        Err(ExplorationError::Epsilon(1.5))
    );
    assert!(matches!(
        Exploration::new(0.1, f64::NAN),
        Err(ExplorationError::MaxRegret(_))
    ));
    assert_eq!(Exploration::NONE.draw(&[None], 1), None);
}
