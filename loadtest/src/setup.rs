//! From the command line to servers that are connected and filled.

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::Context as _;
use jiff::Timestamp;
use tokio::runtime::Runtime;

use crate::cli::RunArgs;
use crate::compare::Against;
use crate::plan::Chosen;
use crate::population::{self, Population};
use crate::prepare;
use crate::say::note;
use crate::scenario::Shop;
use crate::targets::{Pool, Role, Targets};
use crate::trace::Tracing;

/// The shop under test, and the one that it is compared with.
#[derive(Debug)]
pub(crate) struct Shops {
    pub(crate) a: Shop,
    pub(crate) b: Option<Shop>,
}

/// Few threads: the servers often share the machine, and one thread sends some ten thousand
/// requests a second.
pub(crate) fn runtime(args: &RunArgs) -> anyhow::Result<Runtime> {
    let half = std::thread::available_parallelism().map_or(1, |cores| cores.get().div_ceil(2));
    threads(args.generator.threads.map_or(half, usize::from))
}

/// One thread also paces: to wake another for each request costs more than the request itself.
pub(crate) fn threads(threads: usize) -> anyhow::Result<Runtime> {
    let mut builder = match threads {
        1 => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    if threads > 1 {
        builder.worker_threads(threads);
    }
    builder.enable_all().build().context("start the runtime")
}

/// Connects, and pushes shoppers and items to every server of features.
pub(crate) async fn shops(args: &RunArgs, chosen: &[Chosen]) -> anyhow::Result<Shops> {
    let roles = roles(chosen);
    let targets = connect(args, &roles, |role| Some(args.url(role))).await?;
    let mut population = population(args)?;
    let filled = chosen.iter().any(|one| one.plan.needs_population());
    if let Some(features) = targets.features.as_ref().filter(|_| filled) {
        fill(&mut population, features).await?;
    }
    let b = match &args.compare {
        None => None,
        Some(against) => Some(other(args, against, &roles, &targets, &population, filled).await?),
    };
    let a = shop(args, targets, population);
    let b = b.map(|(targets, population)| shop(args, targets, population));
    Ok(Shops { a, b })
}

fn roles(chosen: &[Chosen]) -> BTreeSet<Role> {
    chosen.iter().flat_map(|one| one.plan.needs()).collect()
}

async fn fill(population: &mut Population, features: &Pool) -> anyhow::Result<()> {
    let (shoppers, items) = (population.shoppers.len(), population.items.len());
    note(format_args!(
        "preparing {shoppers} shoppers and {items} items"
    ));
    prepare::push(population, features).await
}

async fn other(
    args: &RunArgs,
    against: &Against,
    roles: &BTreeSet<Role>,
    first: &Targets,
    population: &Population,
    filled: bool,
) -> anyhow::Result<(Targets, Population)> {
    let own = connect(args, roles, |role| against.url(role)).await?;
    let mut population = population.clone();
    if let Some(features) = own.features.as_ref().filter(|_| filled) {
        fill(&mut population, features).await?;
    }
    let targets = Targets {
        features: own.features.or_else(|| first.features.clone()),
        candidates: own.candidates.or_else(|| first.candidates.clone()),
        recovery: own.recovery.or_else(|| first.recovery.clone()),
    };
    Ok((targets, population))
}

async fn connect<'a>(
    args: &RunArgs,
    roles: &BTreeSet<Role>,
    url: impl Fn(Role) -> Option<&'a str>,
) -> anyhow::Result<Targets> {
    let connections = usize::from(args.generator.connections);
    let connect = async |role| match url(role).filter(|_| roles.contains(&role)) {
        None => Ok(None),
        Some(url) => Pool::connect(role, url, connections).await.map(Some),
    };
    anyhow::Ok(Targets {
        features: connect(Role::Features).await?,
        candidates: connect(Role::Candidates).await?,
        recovery: connect(Role::Recovery).await?,
    })
}

fn shop(args: &RunArgs, targets: Targets, population: Population) -> Shop {
    let seed = args.load.seed;
    let run = format!("{seed}-{}", Timestamp::now().as_millisecond());
    Shop {
        targets,
        population: Arc::new(population),
        seed,
        tracing: Tracing::of(&run, args.generator.trace_share),
        run,
        ask_timing: !args.generator.no_timing,
        timeout: args.load.timeout,
        k: args.shop.k,
        entities: usize::from(args.shop.entities),
        batch: usize::from(args.shop.batch),
        generation: args.shop.generation.clone(),
    }
}

fn population(args: &RunArgs) -> anyhow::Result<Population> {
    let (shop, seed) = (&args.shop, args.load.seed);
    let (items, made_up) = match &shop.item_ids {
        Some(path) => (population::read_items(path, seed)?, false),
        None => (population::items(usize::try_from(shop.items)?, seed), true),
    };
    Ok(Population::new(
        items,
        made_up,
        usize::try_from(shop.shoppers)?,
        seed,
    ))
}
