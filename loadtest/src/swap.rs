//! Decisions at a steady rate while snapshots are swapped under them: nothing may fail, no answer
//! may be of two generations, and the p99 is that of quiet windows beside those of the swaps.

mod args;
mod load;
mod memory;
mod publish;
mod report;
mod windows;

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;

pub(crate) use args::SwapArgs;

use crate::population::{self, Population};
use crate::prepare;
use crate::say::{note, result};
use crate::setup;
use crate::targets::{Pool, Role, Targets};
use load::{Catalogues, Load};
use memory::Memory;
use publish::Publisher;
use report::Report;
use windows::{Window, Windows};

/// Runs it; true when nothing failed and nothing was mixed.
pub(crate) fn run(args: &SwapArgs) -> anyhow::Result<bool> {
    let runtime = setup::threads(1)?;
    let report = runtime.block_on(drill(args))?;
    result(report.table());
    if let Some(path) = &args.json {
        let json = serde_json::to_vec_pretty(&report)?;
        std::fs::write(path, json).with_context(|| format!("write {}", path.display()))?;
    }
    Ok(report.holds())
}

async fn drill(args: &SwapArgs) -> anyhow::Result<Report> {
    let targets = connect(args).await?;
    let features = targets.need(Role::Features)?;
    let mut population = shoppers(args)?;
    note(format_args!(
        "preparing {} shoppers and {} items",
        population.shoppers.len(),
        population.items.len()
    ));
    prepare::push(&mut population, &features).await?;
    let publisher = Publisher::new(args, &targets).await?;
    let catalogues = Catalogues::read(&args.items_of)?;
    let load = Arc::new(Load::new(args, targets, population, catalogues)?);
    let memory = Memory::watch(&args.admin);
    let sending = tokio::spawn(load::send(load.clone()));
    let outcome = swaps(args, &publisher, &memory).await;
    load.stop();
    sending.await.context("the load ended")?;
    let (windows, rollback) = outcome?;
    tokio::time::sleep(args.settle).await;
    memory.is_over();
    Ok(Report::new(args, &load, &windows, rollback, memory.read()))
}

/// Quiet windows and ones with a swap, in turns, and the way back at the end.
async fn swaps(
    args: &SwapArgs,
    publisher: &Publisher,
    memory: &Memory,
) -> anyhow::Result<(Windows, Option<Duration>)> {
    tokio::time::sleep(args.warmup).await;
    let mut windows = Windows::begin(quiet(args).await);
    memory.is_steady();
    for swap in 0..args.swaps {
        let began = Instant::now();
        let id = publisher
            .swap()
            .await
            .with_context(|| format!("swap {}", swap + 1))?;
        // What follows a swap belongs to it: the old generation is freed, caches are cold.
        let least = args.window.saturating_sub(began.elapsed());
        tokio::time::sleep(least.max(args.after)).await;
        let swapped = Window::since(began);
        note(format_args!(
            "swap {:>3} of {}: {} in {:.1} s",
            swap + 1,
            args.swaps,
            id.get(..12).unwrap_or(&id),
            swapped.took().as_secs_f64()
        ));
        windows.push(swapped, quiet(args).await);
    }
    let rollback = if args.no_rollback {
        None
    } else {
        Some(publisher.roll_back().await.context("the way back")?)
    };
    Ok((windows, rollback))
}

async fn quiet(args: &SwapArgs) -> Window {
    let began = Instant::now();
    tokio::time::sleep(args.window).await;
    Window::since(began)
}

async fn connect(args: &SwapArgs) -> anyhow::Result<Targets> {
    let pool = async |role, url: &str| Pool::connect(role, url, 4).await.map(Some);
    Ok(Targets {
        features: pool(Role::Features, &args.features).await?,
        candidates: pool(Role::Candidates, &args.candidates).await?,
        recovery: pool(Role::Recovery, &args.recovery).await?,
    })
}

fn shoppers(args: &SwapArgs) -> anyhow::Result<Population> {
    let (items, made_up) = match &args.item_ids {
        Some(path) => (population::read_items(path, args.seed)?, false),
        None => (
            population::items(usize::try_from(args.items)?, args.seed),
            true,
        ),
    };
    let shoppers = usize::try_from(args.shoppers)?;
    Ok(Population::new(items, made_up, shoppers, args.seed))
}
