//! `evaluate lift`: how often the interval of the report holds the truth, over many simulated shops.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Context as _;
use policy::Policy;
use policy::holdout::Holdout;
use serde::Serialize;
use simulator::{Options, World};

use crate::commands::report::accounts::Accounts;
use crate::commands::report::summary::{Method, Report};
use crate::failure::Failure;
use crate::living::offline::Shop;
use crate::output;

/// What people do for so long after their first decision counts.
const WINDOW_MS: i64 = 96 * 3_600_000;

/// Measures how often the interval of the report holds what is true
///
/// Every seed is a shop of its own with its own holdout: people leave carts, the policy decides in
/// steps, people react, and the report is made of what the logs would hold. The truth is what the
/// treated brought less what the same people would have brought if they had been left alone. The first
/// look is at half of the people.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cartwright evaluate lift --seeds 1000
  cartwright evaluate lift --seeds 200 --shoppers 5000 --policy policy.toml --json")]
pub(super) struct Args {
    /// Simulated shops
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    seeds: u64,
    /// Shoppers in each
    #[arg(long, value_name = "N", default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(400..=1_000_000))]
    shoppers: u32,
    /// Share of people who are left alone
    #[arg(long, value_name = "SHARE", default_value_t = 0.2)]
    holdout: f64,
    /// Policy to decide by [default: the shipped one]
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// The first seed
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Print as JSON
    #[arg(long)]
    json: bool,
}

/// What one shop's report told.
#[derive(Copy, Clone, Debug)]
struct Told {
    truth: f64,
    estimate: f64,
    holds: bool,
    fixed_holds: bool,
    width_ratio: f64,
    alarm: bool,
}

/// Over all shops.
#[derive(Debug, Serialize)]
struct Covered {
    seeds: usize,
    shoppers: u32,
    covered: usize,
    covered_fixed: usize,
    median_width_ratio: f64,
    mean_truth_minor: f64,
    mean_estimate_minor: f64,
    alarms: usize,
}

pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    let policy = crate::commands::policy::open(args.policy.as_deref())?;
    let covered = cover(args, &policy)?;
    if args.json {
        return output::json(&covered);
    }
    output::result(format!(
        "{} of {} shops of {} shoppers: the interval held the truth; a fixed-size one {}",
        covered.covered, covered.seeds, covered.shoppers, covered.covered_fixed
    ));
    output::result(format!(
        "median width {:.3} times that of a fixed size; truth {:.1}, estimate {:.1} cents a person in the mean; {} false alarms of the split",
        covered.median_width_ratio,
        covered.mean_truth_minor,
        covered.mean_estimate_minor,
        covered.alarms
    ));
    Ok(())
}

/// All seeds, over the cores of the machine; in the order of the seeds.
fn cover(args: &Args, policy: &Policy) -> anyhow::Result<Covered> {
    let bar = output::count_bar(Some(args.seeds), "shops");
    let next = AtomicU64::new(0);
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let work = || {
        let mut told = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= args.seeds {
                return anyhow::Ok(told);
            }
            told.push((number, tell(args, policy, args.seed.wrapping_add(number))?));
            bar.inc(1);
        }
    };
    let told: anyhow::Result<Vec<Vec<(u64, Told)>>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().ok().context("a thread of the evaluation")?)
            .collect()
    });
    bar.finish_and_clear();
    let all: BTreeMap<u64, Told> = told?.into_iter().flatten().collect();
    Ok(sum_up(args, &all.into_values().collect::<Vec<_>>()))
}

fn sum_up(args: &Args, told: &[Told]) -> Covered {
    let count = |hit: fn(&Told) -> bool| told.iter().filter(|one| hit(one)).count();
    let mean = |of: fn(&Told) -> f64| {
        let seeds = u32::try_from(told.len()).unwrap_or(u32::MAX).max(1);
        told.iter().map(of).sum::<f64>() / f64::from(seeds)
    };
    let mut ratios: Vec<f64> = told.iter().map(|one| one.width_ratio).collect();
    ratios.sort_by(f64::total_cmp);
    Covered {
        seeds: told.len(),
        shoppers: args.shoppers,
        covered: count(|one| one.holds),
        covered_fixed: count(|one| one.fixed_holds),
        median_width_ratio: ratios.get(ratios.len() / 2).copied().unwrap_or(0.0),
        mean_truth_minor: mean(|one| one.truth),
        mean_estimate_minor: mean(|one| one.estimate),
        alarms: count(|one| one.alarm),
    }
}

/// One shop, from its first visit to its report.
fn tell(args: &Args, policy: &Policy, seed: u64) -> anyhow::Result<Told> {
    let shoppers = usize::try_from(args.shoppers)?;
    let options = Options {
        shoppers,
        days: 3,
        ..Options::default()
    };
    let shop = Shop {
        world: World::new(seed, options),
        policy,
        holdout: Holdout::new(&format!("seed {seed}"), args.holdout)
            .map_err(|error| Failure::usage(format!("--holdout: {error}")))?,
        seed,
    };
    let contact = policy.contact_cost_minor(policy.default_channel());
    let mut accounts = Accounts::default();
    let (mut added, mut treated) = (0_i64, 0_u32);
    for number in 0..shoppers {
        let lived = shop.lead(number);
        lived.tell(&shop.world, policy, &mut accounts);
        if lived.held_out {
            continue;
        }
        if let Some(minor) = lived.added_minor(&shop.world, number, contact, WINDOW_MS) {
            added += minor;
            treated += 1;
        }
    }
    let method = Method {
        window_ms: Some(WINDOW_MS),
        first_look: u64::from(args.shoppers / 2),
        holdout_share: args.holdout,
        until_ms: i64::MAX,
        currency: "EUR".to_owned(),
    };
    let report = Report::new(&accounts, &method, BTreeMap::new())?;
    let lift = report.lift.context("too few people for a first look")?;
    #[expect(
        clippy::cast_precision_loss,
        reason = "money of a shop is below 2^53 cents"
    )]
    let truth = added as f64 / f64::from(treated.max(1));
    Ok(Told {
        truth,
        estimate: lift.estimate,
        holds: (lift.low..=lift.high).contains(&truth),
        fixed_holds: (lift.fixed_low..=lift.fixed_high).contains(&truth),
        width_ratio: (lift.high - lift.low) / (lift.fixed_high - lift.fixed_low),
        alarm: report.split.alarm,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_holds_the_truth_of_most_shops_and_is_not_wide_for_that() {
        let args = Args {
            seeds: 60,
            shoppers: 1_000,
            holdout: 0.3,
            policy: None,
            seed: 1,
            json: false,
        };
        let policy = Policy::parse(Policy::DEFAULT).unwrap();
        let covered = cover(&args, &policy).unwrap();
        println!("{covered:?}");
        // 95 % of 60 are 57; fewer than 54 would come once in 1,000 such tests.
        assert!(covered.covered >= 54, "{covered:?}");
        assert!(
            (1.3..=1.5).contains(&covered.median_width_ratio),
            "{covered:?}"
        );
        assert!(
            covered.mean_truth_minor > 0.0,
            "the shipped policy adds something here"
        );
        let apart = (covered.mean_truth_minor - covered.mean_estimate_minor).abs();
        assert!(
            apart < covered.mean_truth_minor,
            "the estimate is of the truth: {covered:?}"
        );
    }
}
