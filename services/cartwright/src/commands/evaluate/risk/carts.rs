//! Carts of an event log, after several lengths of quiet.

use feature_store::{Event, Item};
use serde_json::{Value, json};
use trainer::risk::{CartOptions, CartRisk, CutOffReport, GroupWorth, judge_carts};

use super::{Args, FIGURES, as_json, bins_as_json, bounds, bounds_as_json, cells, diagram};
use crate::failure::OrFail as _;
use crate::output;
use crate::reading::{self, Log};
use crate::training::IDLE;

pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    let (events, items) = log(args)?;
    let options = CartOptions {
        idle: IDLE,
        seed: args.seed,
        ablation: args.ablation,
    };
    let bar = output::count_bar(None, "judging carts");
    bar.enable_steady_tick(std::time::Duration::from_millis(200));
    let found = judge_carts(&events, &items, &options);
    bar.finish_and_clear();
    let found = found
        .or_hint("a log with more carts is needed; --simulate 4000 shows what comes of one")?;
    let simulated = args.simulate.is_some();
    super::super::answer(
        args.json.as_deref(),
        || value(&found, simulated),
        || print(&found, simulated),
    )
}

fn log(args: &Args) -> anyhow::Result<(Vec<Event>, Vec<Item>)> {
    let Some(file) = &args.events else {
        let shoppers = usize::try_from(args.simulate.unwrap_or_default())?;
        let options = simulator::Options {
            shoppers,
            ..simulator::Options::default()
        };
        let shop = simulator::Shop::generate(args.seed, options);
        return Ok((shop.events, shop.items));
    };
    let format = args
        .format
        .as_deref()
        .map(reading::parse_format)
        .transpose();
    let format = format.map_err(crate::failure::Failure::usage)?;
    let log = Log::read(std::slice::from_ref(file), format, None)?;
    Ok((log.events, log.items))
}

fn print(found: &CartRisk, simulated: bool) {
    if simulated {
        output::note("simulated: the carts of a synthetic shop, not of a real one");
    }
    output::note(format!(
        "{} of quiet carts learned from until {}, those after it asked about; a cart is left when \
         none of its items is bought within {}",
        output::counted(found.learned_from, "moment"),
        output::time(found.cut_at.0),
        output::duration(found.horizon),
    ));
    let mut table = output::table([
        "quiet for",
        "model",
        "n",
        "left",
        "log-loss",
        "AUC",
        "AP",
        "Brier",
        "ECE",
    ]);
    for cut_off in &found.cut_offs {
        for (name, measures) in [
            ("boosted trees", &cut_off.boosted),
            ("logistic", &cut_off.logistic),
        ] {
            let mut row = vec![
                comfy_table::Cell::new(format!("{} min", cut_off.quiet_s / 60)),
                comfy_table::Cell::new(name),
                output::number(output::thousands(measures.count)),
                output::number(format!("{:.3}", measures.base_rate)),
            ];
            row.extend(cells(measures));
            table.add_row(row);
        }
    }
    output::result(table);
    debug_assert_eq!(FIGURES.len(), 5);
    for cut_off in &found.cut_offs {
        output::note(format!(
            "boosted trees after {} min of quiet",
            cut_off.quiet_s / 60
        ));
        output::result(diagram(&cut_off.reliability));
    }
    if !found.groups.is_empty() {
        output::note("what changes when a group of features is left out, over all moments");
        output::result(groups(&found.groups));
    }
}

fn groups(groups: &[GroupWorth]) -> comfy_table::Table {
    let mut table = output::table(["without", "features", "log-loss (95 %)", "AUC (95 %)"]);
    for group in groups {
        table.add_row([
            comfy_table::Cell::new(group.group),
            output::number(group.features),
            bounds(group.log_loss),
            bounds(group.auc),
        ]);
    }
    table
}

fn value(found: &CartRisk, simulated: bool) -> Value {
    let cut_off = |one: &CutOffReport| {
        json!({
            "quiet_s": one.quiet_s,
            "boosted": as_json(&one.boosted),
            "logistic": as_json(&one.logistic),
            "reliability": bins_as_json(&one.reliability),
        })
    };
    let group = |one: &GroupWorth| {
        json!({
            "without": one.group,
            "features": one.features,
            "log_loss": bounds_as_json(one.log_loss),
            "auc": bounds_as_json(one.auc),
        })
    };
    json!({
        "simulated": simulated,
        "horizon_s": found.horizon.as_secs(),
        "cut_at_ms": found.cut_at.0,
        "learned_from": found.learned_from,
        "features": found.features,
        "cut_offs": found.cut_offs.iter().map(cut_off).collect::<Vec<_>>(),
        "ablation": found.groups.iter().map(group).collect::<Vec<_>>(),
    })
}
