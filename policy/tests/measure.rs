//! Whether the intervals cover the truth, and whether the alarm rings when it should.
#![allow(clippy::unwrap_used, reason = "helpers of tests unwrap like tests do")]

mod chance;

use chance::Chance;
use policy::measure::bounds::Boundary;
use policy::measure::ratio::RatioAlarm;
use policy::measure::{Outcome, Side, Sides};
use proptest::prelude::*;

/// Net margin per person that acting adds, in the shop below.
const LIFT: f64 = 15.0;

/// A person of a shop like real ones: most bring nothing, a few bring much, who bought before buys
/// again, and acting makes some buy who would not have, and costs a discount for those who would.
fn person(chance: &mut Chance) -> (Side, f64, f64) {
    let side = match chance.chance(0.05) {
        true => Side::Holdout,
        false => Side::Treated,
    };
    // Who they are: how likely they buy, and how much. Both last from before into the period.
    let (liking, size) = (
        chance.unit().powi(2),
        2_000.0 * (0.9 * chance.normal()).exp(),
    );
    let buys = |chance: &mut Chance| {
        let orders = (0..4).filter(|_| chance.chance(liking * 0.8)).count();
        orders as f64 * size * (0.3 * chance.normal()).exp()
    };
    let (before, mut net) = (buys(chance), buys(chance));
    if side == Side::Treated {
        // A gift of expectation LIFT with a spread of its own.
        net += if chance.chance(0.02) { 1_000.0 } else { 0.0 } - (20.0 - LIFT);
    }
    (side, net, before)
}

struct Run {
    at_end: bool,
    at_every_look: bool,
    fixed_at_every_look: bool,
    ratio: f64,
    explained: f64,
}

/// 20,000 people, looked at every 500 from the first look at 10,000 on.
fn run(seed: u64) -> Run {
    let mut chance = Chance(seed.wrapping_mul(0x1234_5678_9abc_def1));
    let boundary = Boundary::new(10_000, 0.05).unwrap();
    let mut sides = Sides::default();
    let mut run = Run {
        at_end: false,
        at_every_look: true,
        fixed_at_every_look: true,
        ratio: 0.0,
        explained: 0.0,
    };
    for count in 1..=20_000_u32 {
        let (side, net, before) = person(&mut chance);
        sides.add(side, net, before);
        if count % 500 != 0 || count < 10_000 {
            continue;
        }
        let lift = sides.lift().unwrap();
        let (interval, fixed) = (lift.always_valid(&boundary).unwrap(), lift.fixed(0.05));
        run.at_end = interval.holds(LIFT);
        run.at_every_look &= run.at_end;
        run.fixed_at_every_look &= fixed.holds(LIFT);
        run.ratio = interval.width() / fixed.width();
        run.explained = lift.variance_explained;
    }
    run
}

#[test]
fn covers_the_truth_at_every_look_in_930_of_1000_runs_within_one_and_a_half_times_the_width() {
    let runs: Vec<Run> = (0..1_000).map(run).collect();
    let count = |hit: fn(&Run) -> bool| runs.iter().filter(|run| hit(run)).count();
    let (at_end, always) = (count(|run| run.at_end), count(|run| run.at_every_look));
    let fixed = count(|run| run.fixed_at_every_look);
    let mut ratios: Vec<f64> = runs.iter().map(|run| run.ratio).collect();
    ratios.sort_by(f64::total_cmp);
    let explained = runs.iter().map(|run| run.explained).sum::<f64>() / 1_000.0;
    println!(
        "covered at the end {at_end}, at every look {always} (fixed-size intervals: {fixed}) of 1000; \
         median width {:.3} × fixed; CUPED takes {:.1} % of the variance",
        ratios[500],
        100.0 * explained
    );
    assert!(at_end >= 930 && always >= 930);
    assert!(ratios[500] <= 1.5 && explained > 0.2);
    assert!(
        fixed < always,
        "looking often at a fixed-size interval misses more often"
    );
}

#[test]
fn nothing_is_shown_before_the_first_look_and_nonsense_is_refused() {
    let boundary = Boundary::new(1_000, 0.05).unwrap();
    assert_eq!(boundary.factor(999), None);
    let factor = boundary.factor(1_000).unwrap();
    // 2 (1 − Φ(a) + a φ(a)) = 0.05 at a = 2.7955.
    assert!((factor - 2.7955).abs() < 1e-4, "{factor}");
    assert!(Boundary::new(99, 0.05).is_err());
    assert!(Boundary::new(1_000, 0.0).is_err() && Boundary::new(1_000, f64::NAN).is_err());
    assert!(Sides::default().lift().is_none());
}

#[test]
fn a_refund_a_discount_and_the_message_come_off_the_margin() {
    let outcome = Outcome {
        margin_minor: 4_000,
        discount_minor: 900,
        refunded_margin_minor: 3_000,
        contact_minor: 1,
    };
    assert_eq!(outcome.net_minor(), 99);
}

#[test]
fn the_alarm_rings_for_a_wrong_split_and_hardly_ever_for_a_right_one() {
    let rings = |seed: u64, real_share: f64| {
        let mut chance = Chance(seed);
        let mut alarm = RatioAlarm::new(0.05).unwrap();
        let mut counts = [0_u64; 2];
        for _ in 0..20_000 {
            counts[usize::from(chance.chance(real_share))] += 1;
            alarm.look(counts[0], counts[1]);
        }
        alarm.rings(0.01)
    };
    let right = (0..500).filter(|seed| rings(*seed, 0.05)).count();
    let wrong = (0..50).filter(|seed| rings(*seed, 0.06)).count();
    println!(
        "rang for {right} of 500 right splits looked at 20,000 times, for {wrong} of 50 wrong ones"
    );
    assert!(right <= 12, "at most 1 % and what chance adds");
    assert!(wrong >= 48);
    assert!(RatioAlarm::new(0.0).is_err() && RatioAlarm::new(f64::NAN).is_err());
}

proptest! {
    /// The mean and the covariance of the textbook, and whatever the split into parts.
    #[test]
    fn sums_do_not_depend_on_how_people_are_split(
        people in proptest::collection::vec((any::<bool>(), -1e4..1e4_f64, -1e3..1e3_f64), 8..60), cut in 0..60_usize,
    ) {
        let side = |treated| if treated { Side::Treated } else { Side::Holdout };
        let sum = |people: &[(bool, f64, f64)]| {
            let mut sides = Sides::default();
            for (treated, net, before) in people {
                sides.add(side(*treated), *net, *before);
            }
            sides
        };
        let (first, second) = people.split_at(cut.min(people.len()));
        let (whole, merged) = (sum(&people).lift(), sum(second).merge(sum(first)).lift());
        let (Some(whole), Some(merged)) = (whole, merged) else { return Ok(()) };
        prop_assert!((whole.estimate - merged.estimate).abs() < 1e-6);
        prop_assert!((whole.standard_error - merged.standard_error).abs() < 1e-6);
        // Without a covariate it is Welch's standard error.
        let flat: Vec<_> = people.iter().map(|(treated, net, _)| (*treated, *net, 0.0)).collect();
        let plain = sum(&flat).lift().unwrap();
        let mut variance = 0.0;
        for treated in [true, false] {
            let nets: Vec<f64> = flat.iter().filter(|one| one.0 == treated).map(|one| one.1).collect();
            let n = nets.len() as f64;
            let mean = nets.iter().sum::<f64>() / n;
            variance += nets.iter().map(|net| (net - mean).powi(2)).sum::<f64>() / (n - 1.0) / n;
        }
        prop_assert!((plain.standard_error - variance.sqrt()).abs() < 1e-6);
        prop_assert!(plain.variance_explained.abs() < 1e-9);
    }
}
