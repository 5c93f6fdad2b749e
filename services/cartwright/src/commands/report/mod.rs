//! `report`: what acting was worth, from the logs of a store.

pub(crate) mod accounts;
mod chart;
pub(crate) mod logs;
mod page;
pub(crate) mod summary;
pub(crate) mod table;

use std::path::PathBuf;

use anyhow::Context as _;
use kit::config::Period;
use policy::Policy;

use crate::{output, stores};
use logs::Logs;
use summary::{Method, Report};

/// Tells what acting was worth: net margin per person, against those who were left alone
///
/// Reads the events, decisions and outcomes of a store. Everybody counts on the side that they were
/// assigned to, whether or not anything reached them (intention to treat), from their first decision
/// on, for --window. Net margin is the margin of their orders, less discounts, refunds and the cost of
/// messages. The interval may be looked at every day; --first-look says from how many people on, and is
/// chosen before the start. Nothing is counted by what was opened.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cartwright report --redis redis://127.0.0.1:6379 --policy policy.toml
  cartwright report --store data/store --window 14d --html report.html --json")]
pub(crate) struct Args {
    #[command(flatten)]
    source: Source,
    /// Separates shops that share one Redis
    #[arg(long, value_name = "TEXT", requires = "redis", default_value = "")]
    key_prefix: String,
    /// The policy that decided: its holdout's share and what messages cost [default: the shipped one]
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// How long after their first decision what people do counts, e.g. 168h for a week
    #[arg(long, value_name = "TIME", default_value = "168h")]
    window: Period,
    /// People after whom the lift is looked at first; at least 100
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(100..))]
    first_look: u64,
    /// Write a page with plots that needs nothing from elsewhere
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Print as JSON
    #[arg(long)]
    json: bool,
}

/// Where the logs are.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct Source {
    /// The Redis of the roles
    #[arg(long, value_name = "URL")]
    redis: Option<String>,
    /// The folder of an embedded store that no server is using
    #[arg(long, value_name = "DIR")]
    store: Option<PathBuf>,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let policy = super::policy::open(args.policy.as_deref())?;
    let logs = super::block_on_threads(None, read(args, &policy))?;
    let method = Method {
        window_ms: Some(i64::try_from(args.window.0.as_millis()).unwrap_or(i64::MAX)),
        first_look: args.first_look,
        holdout_share: policy.holdout_share(),
        until_ms: logs.until_ms,
        currency: logs.currency.clone(),
    };
    let report = Report::new(&logs.accounts, &method, logs.actions)?;
    if let Some(path) = &args.html {
        let page = page::render(&report);
        std::fs::write(path, page).with_context(|| format!("write {}", path.display()))?;
        output::note(format!("wrote {}", path.display()));
    }
    if args.json {
        return output::json(&report);
    }
    table::print(&report);
    Ok(())
}

async fn read(args: &Args, policy: &Policy) -> anyhow::Result<Logs> {
    let source = &args.source;
    let (redis, folder) = (source.redis.as_deref(), source.store.as_deref());
    let store = stores::open(redis, &args.key_prefix, folder).await?;
    Logs::read(&store, policy).await
}
