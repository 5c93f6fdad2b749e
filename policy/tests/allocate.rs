//! Allocation against an exact solver and against its bound; pacing against hindsight.
#![allow(clippy::unwrap_used, reason = "helpers of tests unwrap like tests do")]
mod chance;

use chance::Chance;
use policy::allocate::{AllocateError, Carts, Choice, choose};
use policy::pace::{Pacer, Plan, Tuning};
use proptest::prelude::*;

/// A shop's arms: free reminders now and then, coupons whose value rises less than their cost.
fn options(chance: &mut Chance) -> Vec<Choice> {
    let spread = 0.2 + chance.unit();
    (0..chance.range(1, 6))
        .map(|_| {
            let cost_minor = match chance.chance(0.1) {
                true => 0,
                false => chance.range(1, 2_000),
            };
            let lifted = 40.0 * spread * (cost_minor as f64).sqrt() - 0.3 * cost_minor as f64;
            Choice {
                value: lifted + 60.0 * chance.normal(),
                cost_minor,
            }
        })
        .collect()
}

fn carts(count: usize, seed: u64) -> Carts {
    let mut chance = Chance(seed);
    let mut carts = Carts::with_capacity(count, 6);
    for _ in 0..count {
        carts.push(&options(&mut chance)).unwrap();
    }
    carts
}

/// The best value for each budget from 0 up, cart by cart (Bellman).
fn exact(carts: &[Vec<Choice>], budget: usize) -> f64 {
    let mut best = vec![0.0_f64; budget + 1];
    for options in carts {
        let before = best.clone();
        for choice in options {
            let cost = usize::try_from(choice.cost_minor).unwrap();
            for spend in cost..=budget {
                best[spend] = best[spend].max(before[spend - cost] + choice.value);
            }
        }
    }
    best[budget]
}

fn small() -> impl Strategy<Value = (Vec<Vec<Choice>>, i64)> {
    let choice = (-20.0..100.0_f64, 0..40_i64).prop_map(|(value, cost_minor)| Choice {
        value: value.round(),
        cost_minor,
    });
    let options = proptest::collection::vec(choice, 0..6);
    (proptest::collection::vec(options, 0..9), 0..150_i64)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn lies_between_the_optimum_and_one_step_below_the_bound((options, budget) in small()) {
        let mut carts = Carts::default();
        for options in &options {
            carts.push(options).unwrap();
        }
        let found = carts.allocate(budget).unwrap();
        let optimum = exact(&options, usize::try_from(budget).unwrap());
        let pick = |(options, taken): (&Vec<Choice>, &Option<usize>)| taken.map(|place| options[place]);
        let taken: Vec<Choice> = options.iter().zip(&found.taken).filter_map(pick).collect();
        let spent: i64 = taken.iter().map(|choice| choice.cost_minor).sum();
        let worth: f64 = taken.iter().map(|choice| choice.value).sum();
        prop_assert_eq!(spent, found.spent_minor);
        prop_assert!(spent <= budget, "not a cent over");
        prop_assert!((worth - found.value).abs() < 1e-6);
        prop_assert!(found.value <= optimum + 1e-6 && optimum <= found.bound + 1e-6);
        let step = options.iter().flatten().fold(0.0_f64, |most, choice| most.max(choice.value));
        prop_assert!(found.bound - found.value <= step + 1e-6, "{found:?}");
        prop_assert!(taken.iter().all(|choice| choice.value >= 0.0));
    }

    #[test]
    fn more_budget_never_raises_the_price_nor_lowers_the_bound((options, budget) in small(), more in 0..100_i64) {
        let mut carts = Carts::default();
        for options in &options {
            carts.push(options).unwrap();
        }
        let (less, more) = (carts.allocate(budget).unwrap(), carts.allocate(budget + more).unwrap());
        prop_assert!(more.lambda <= less.lambda);
        prop_assert!(more.bound >= less.bound - 1e-6);
        prop_assert!(less.lambda > 0.0 || less.gap() < 1e-12, "without scarcity each cart has its best");
    }
}

#[test]
fn reaches_the_bound_within_a_thousandth_at_a_hundred_thousand_carts() {
    for (seed, per_cart) in [(1, 3), (2, 40), (3, 250)] {
        let budget = 100_000 * per_cart;
        let found = carts(100_000, seed).allocate(budget).unwrap();
        println!(
            "seed {seed}: budget {budget}, spent {}, λ {:.6}, gap {:.2e}",
            found.spent_minor,
            found.lambda,
            found.gap()
        );
        assert!(found.spent_minor <= budget && found.gap() <= 1e-3);
        assert!(found.lambda > 0.0, "the budget is scarce");
    }
}

#[test]
fn ties_go_to_the_cheaper_then_the_first_option_and_the_first_cart() {
    let choice = |value, cost_minor| Choice { value, cost_minor };
    let mut carts = Carts::default();
    for _ in 0..3 {
        carts
            .push(&[choice(10.0, 7), choice(10.0, 5), choice(10.0, 5)])
            .unwrap();
    }
    assert_eq!(
        carts.allocate(11).unwrap().taken,
        [Some(1), Some(1), None],
        "only two fit, and the first carts go first"
    );
    assert_eq!(choose(&[choice(5.0, 5)], 1.0), None, "nothing is cheaper");
    assert_eq!(choose(&[choice(5.0, 5)], 0.5), Some(0));
}

#[test]
fn refuses_what_is_no_money() {
    let mut carts = Carts::default();
    let push = |carts: &mut Carts, value, cost_minor| carts.push(&[Choice { value, cost_minor }]);
    assert!(matches!(
        push(&mut carts, f64::NAN, 1),
        Err(AllocateError::Value { .. })
    ));
    assert!(matches!(
        push(&mut carts, 1.0, -1),
        Err(AllocateError::Cost { .. })
    ));
    assert!(carts.is_empty());
    assert_eq!(carts.allocate(-1), Err(AllocateError::Budget(-1)));
    push(&mut carts, 1e300, i64::MAX).unwrap();
    push(&mut carts, 1e300, i64::MAX).unwrap();
    let found = carts.allocate(i64::MAX).unwrap();
    assert_eq!(
        (found.taken, found.spent_minor),
        (vec![Some(0), None], i64::MAX)
    );
}

/// A day of carts with two peaks that the plan knows roughly, at the price of the pacer alone.
fn paced_day(seed: u64, first_price: f64) -> (f64, f64, i64, i64) {
    let hours = [1, 1, 1, 2, 5, 8, 6, 4, 5, 9, 7, 2_i32];
    let day = 12 * 3_600_000_i64;
    let (mut chance, budget) = (Chance(seed), 600_000_i64);
    let plan = Plan::new(budget, 0, day, &hours.map(f64::from)).unwrap();
    let mut pacer = Pacer::new(plan, Tuning::default(), first_price).unwrap();
    let (mut all, mut spent, mut value) = (Carts::default(), 0_i64, 0.0);
    for minute in 0..720_i64 {
        let hour = usize::try_from(minute / 60).unwrap();
        for _ in 0..chance.range(4 * i64::from(hours[hour]), 8 * i64::from(hours[hour])) {
            let options = options(&mut chance);
            all.push(&options).unwrap();
            let taken = choose(&options, pacer.lambda()).map(|place| options[place]);
            if let Some(taken) = taken.filter(|taken| spent + taken.cost_minor <= budget) {
                spent += taken.cost_minor;
                value += taken.value;
            }
        }
        pacer.tick((minute + 1) * 60_000, spent);
    }
    (value, all.allocate(budget).unwrap().bound, spent, budget)
}

#[test]
fn pacing_comes_near_to_hindsight_from_a_price_ten_times_too_high_or_low() {
    for (first_price, least) in [(0.03, 0.9), (0.3, 0.95), (3.0, 0.9)] {
        for seed in 0..3 {
            let (value, bound, spent, budget) = paced_day(seed, first_price);
            println!(
                "from {first_price}: {:.2} % of hindsight, {:.2} % of the budget",
                100.0 * value / bound,
                100.0 * spent as f64 / budget as f64
            );
            assert!(spent <= budget && spent as f64 >= 0.97 * budget as f64);
            assert!(value >= least * bound);
        }
    }
}

#[test]
fn a_plan_follows_its_demand_and_refuses_nonsense() {
    let plan = Plan::new(1_000, 0, 4_000, &[1.0, 0.0, 2.0, 1.0]).unwrap();
    let at = [-1, 500, 1_000, 2_000, 2_500, 4_000, 9_000];
    assert_eq!(
        at.map(|at| plan.spent_by(at).to_string()),
        ["0", "125", "250", "250", "500", "1000", "1000"]
    );
    assert!(Plan::new(-1, 0, 1, &[1.0]).is_err());
    assert!(Plan::new(1, 1, 1, &[1.0]).is_err());
    assert!(Plan::new(1, 0, 1, &[0.0]).is_err());
    assert!(Plan::new(1, 0, 1, &[1.0, f64::NAN]).is_err());
    assert!(Pacer::new(plan.clone(), Tuning::default(), f64::NAN).is_err());
    let mut pacer = Pacer::new(plan, Tuning::default(), 1.0).unwrap();
    assert!(pacer.tick(500, 500) > 1.0, "spending ahead of the plan");
    let before = pacer.lambda();
    assert!(
        pacer.tick(500, 900).to_bits() == before.to_bits(),
        "the same tick again"
    );
    assert!(pacer.tick(1_000, 500) < before, "nothing was spent since");
}
