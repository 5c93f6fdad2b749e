//! Events of a made-up shop in a file, for a snapshot that knows the items of a run.

use std::fs::File;
use std::io::{BufWriter, Write as _};

use anyhow::Context as _;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::cli::ShopFileArgs;
use crate::population::{self, CURRENCY, Item, Population};
use crate::random::Random;
use crate::say::note;

/// An event with the field names of the contract.
#[derive(Debug, PartialEq, Serialize)]
struct Line<'a> {
    event_id: String,
    shopper_id: String,
    r#type: &'static str,
    item_id: &'a str,
    quantity: u32,
    price_minor: i64,
    currency: &'static str,
    category: &'a str,
    brand: &'a str,
    occurred_at: String,
}

/// Visits lie in this time before now.
const FORTNIGHT: SignedDuration = SignedDuration::from_hours(14 * 24);
const STEP: SignedDuration = SignedDuration::from_secs(20);
/// Of those who fill a cart, as in most shops, seven of ten leave it.
const BUY: f64 = 0.3;
/// Keeps what a visit draws apart from what its shopper is made of.
const VISIT: u64 = 0x7669_7369;

/// Writes the file.
pub(crate) fn run(args: &ShopFileArgs) -> anyhow::Result<()> {
    let items = population::items(usize::try_from(args.items)?, args.seed);
    let shoppers = usize::try_from(args.shoppers)?;
    let population = Population::new(items, true, shoppers, args.seed);
    let name = args.events.display();
    let file = File::create(&args.events).with_context(|| format!("create {name}"))?;
    let mut file = BufWriter::new(file);
    let lines = lines(&population, args.seed, Timestamp::now());
    for line in &lines {
        serde_json::to_writer(&mut file, line).with_context(|| format!("write {name}"))?;
        file.write_all(b"\n")?;
    }
    file.flush().with_context(|| format!("write {name}"))?;
    note(format_args!("{name}: {} events", lines.len()));
    Ok(())
}

/// In the order of time; of equal times in that of the shoppers.
fn lines(population: &Population, seed: u64, now: Timestamp) -> Vec<Line<'_>> {
    let numbered = (0_u64..).zip(&population.shoppers);
    let mut lines: Vec<_> = numbered
        .flat_map(|(number, shopper)| {
            let mut random = Random::of(seed ^ VISIT, number);
            let before = FORTNIGHT.mul_f64(random.unit());
            let buys = random.unit() < BUY;
            let views = shopper.viewed.iter().map(|at| ("view", *at));
            let adds = shopper.carted.iter().map(|at| ("add_to_cart", *at));
            let bought = shopper.carted.iter().filter(move |_| buys);
            let bought = bought.map(|at| ("purchase", *at));
            let steps = views.chain(adds).chain(bought).enumerate();
            let begins = now - before;
            steps.filter_map(move |(step, (kind, at))| {
                let item = population.items.get(at)?;
                let passed = STEP * i32::try_from(step).unwrap_or(i32::MAX);
                let id = format!("past-{number}-{step}");
                Some((begins + passed, line(id, &shopper.id, kind, item)))
            })
        })
        .collect();
    lines.sort_by_key(|(at, _)| *at);
    let dated = lines.into_iter().map(|(at, line)| Line {
        occurred_at: at.to_string(),
        ..line
    });
    dated.collect()
}

fn line<'a>(event_id: String, shopper: &str, kind: &'static str, item: &'a Item) -> Line<'a> {
    Line {
        event_id,
        shopper_id: format!("past-{shopper}"),
        r#type: kind,
        item_id: &item.id,
        quantity: 1,
        price_minor: item.price_minor,
        currency: CURRENCY,
        category: &item.category,
        brand: &item.brand,
        occurred_at: String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replay::Replay;

    #[test]
    fn the_file_is_one_that_a_replay_reads_in_full() {
        let population = Population::new(population::items(50, 3), true, 40, 3);
        let now: Timestamp = "2026-01-15T00:00:00Z".parse().unwrap();
        let lines = lines(&population, 3, now);
        assert!(lines.iter().any(|line| line.r#type == "purchase"));
        let times: Vec<&String> = lines.iter().map(|line| &line.occurred_at).collect();
        assert!(times.first().unwrap().as_str() >= "2026-01-01");
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("shop.jsonl");
        let text: Vec<String> = lines
            .iter()
            .map(|line| serde_json::to_string(line).unwrap())
            .collect();
        std::fs::write(&path, text.join("\n")).unwrap();
        let replay = Replay::read(&path, false).unwrap();
        assert_eq!(replay.skipped, 0, "{:?}", replay.first_skipped);
        assert_eq!(replay.offsets(1.0).len(), lines.len());
    }
}
