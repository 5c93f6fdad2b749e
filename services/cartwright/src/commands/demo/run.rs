//! The demo on running servers: push, decide, print, stay up.

use std::time::Duration;

use feature_store::{EventKind, Millis};
use kit::CancellationToken;
use proto::v1 as pb;

use super::carts::{self, Carted, Counts};
use super::processes::Processes;
use super::shop::{Decided, Shop};
use super::table::{self, Names};
use super::{Args, Folder, here, json};
use crate::output::{self, Steps};
use crate::push::{self, InMemory, News, Totals};
use crate::reading::Log;
use crate::roles::Together;
use crate::{remote, wire};

/// How long to wait for a server that was just started.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the demo came to.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) events: Totals,
    pub(super) counts: Counts,
    /// Carts with lines left, and the decision for each.
    pub(super) left: Vec<pb::Cart>,
    pub(super) decided: Vec<Decided>,
}

/// The servers, in this process or in three.
#[derive(Debug)]
enum Servers {
    Here(Box<Together>),
    Apart(Box<Processes>),
}

/// Where they answer.
#[derive(Clone, Debug)]
pub(super) struct Urls {
    pub(super) features: String,
    pub(super) candidates: String,
    pub(super) recovery: String,
}

pub(super) async fn run(
    args: &Args,
    mut log: Log,
    now: Millis,
    folder: &Folder,
    steps: &mut Steps,
) -> anyhow::Result<()> {
    let stop = kit::shutdown::on_signals()?;
    steps.next(starting(args));
    let servers = Servers::start(args, now, folder, stop.clone()).await?;
    let urls = servers.urls();
    steps.next(format!(
        "pushing {} to {}",
        output::counted(log.events.len(), "event"),
        urls.features
    ));
    let shop = Shop::connect(&urls.features, &urls.recovery, wire::timestamp(now)).await?;
    shop.upsert(&log.items).await?;
    let last = owned(carts::last_changes(&log.events));
    let events = push(&urls, std::mem::take(&mut log.events)).await?;
    steps.next("deciding for every cart that was left");
    let outcome = decide(&shop, events, &last, now, args.idle.0).await?;
    table::print(&outcome, &Names::new(&log.items));
    table::summary(&outcome);
    say_assumptions(args, now);
    if let Some(file) = &args.json {
        json::write(file, &outcome)?;
    }
    if !args.once {
        suggest(&urls, &outcome);
        stop.cancelled().await;
    }
    servers.stop().await
}

fn starting(args: &Args) -> String {
    let place = if args.processes == 1 {
        "in this process"
    } else {
        "as three processes"
    };
    let store = if args.redis.is_some() {
        "Redis"
    } else {
        "an embedded store"
    };
    format!("starting features, candidates and recovery {place}, on {store}")
}

type LastChanges = Vec<(String, EventKind)>;

fn owned(last: std::collections::BTreeMap<&str, EventKind>) -> LastChanges {
    last.into_iter()
        .map(|(shopper, kind)| (shopper.to_owned(), kind))
        .collect()
}

async fn push(urls: &Urls, events: Vec<feature_store::Event>) -> anyhow::Result<Totals> {
    let settings = push::Settings {
        url: urls.features.clone(),
        access: remote::Access::default(),
        rate: None,
        patience: PATIENCE,
    };
    let bar = output::count_bar(u64::try_from(events.len()).ok(), "pushing");
    let report = push::push(&settings, InMemory::new(events), &mut |news| match news {
        News::Answered(totals) => bar.inc(totals.pushed),
        News::BadLine(refusal) | News::Refused(refusal) => {
            bar.suspend(|| output::note(format!("event {}: {}", refusal.line, refusal.reason)));
        }
    })
    .await;
    bar.finish_and_clear();
    report.result.map(|()| report.totals)
}

async fn decide(
    shop: &Shop,
    events: Totals,
    last: &LastChanges,
    now: Millis,
    idle: Duration,
) -> anyhow::Result<Outcome> {
    let shoppers: Vec<&str> = last.iter().map(|(shopper, _)| shopper.as_str()).collect();
    let carts = shop.carts(&shoppers).await?;
    let carts: Vec<Carted> = last
        .iter()
        .zip(carts)
        .map(|((shopper, kind), cart)| Carted {
            shopper_id: shopper.clone(),
            cart,
            ends_bought: *kind == EventKind::Purchase,
        })
        .collect();
    let idle_ms = i64::try_from(idle.as_millis()).unwrap_or(i64::MAX);
    let counts = carts::count(&carts, now.0, idle_ms);
    let mut left = Vec::new();
    let mut decided = Vec::new();
    for carted in carts
        .into_iter()
        .filter(|carted| !carted.cart.lines.is_empty())
    {
        shop.consent(&carted.shopper_id).await?;
        decided.push(shop.decide(&carted.shopper_id).await?);
        left.push(carted.cart);
    }
    Ok(Outcome {
        events,
        counts,
        left,
        decided,
    })
}

fn say_assumptions(args: &Args, now: Millis) {
    output::note(format!(
        "note: the clock is simulated; it started at {}, the last event plus {}",
        output::time(now.0),
        args.idle
    ));
    output::note(
        "note: consent to be contacted by e-mail is assumed for every shopper with a cart",
    );
    if args.events.is_none() {
        output::note("note: the shop is generated; its items, prices and shoppers are not real");
    }
}

fn suggest(urls: &Urls, outcome: &Outcome) {
    let program = std::env::args()
        .next()
        .unwrap_or_else(|| "cartwright".to_owned());
    let shopper = worth_most(outcome).unwrap_or("1");
    let Urls {
        features,
        candidates,
        recovery,
    } = urls;
    output::result("\nStill serving; Ctrl-C ends it. Try next, in another terminal:");
    output::result(format!(
        "  {program} decide --shopper {shopper} --why --to {recovery}"
    ));
    output::result(format!(
        "  {program} shopper show {shopper} --to {features}"
    ));
    output::result(format!(
        "  {program} doctor --to {features},{candidates},{recovery}"
    ));
}

/// The shopper in the first row of the table.
fn worth_most(outcome: &Outcome) -> Option<&str> {
    let decisions = outcome.decided.iter().map(|decided| &decided.decision);
    let first =
        decisions.min_by_key(|d| (std::cmp::Reverse(d.expected_value_minor), &d.shopper_id));
    first.map(|decision| decision.shopper_id.as_str())
}

impl Servers {
    async fn start(
        args: &Args,
        now: Millis,
        folder: &Folder,
        stop: CancellationToken,
    ) -> anyhow::Result<Self> {
        if args.processes == 1 {
            let settings = here::settings(args, now, folder);
            let together = Together::start(settings, stop).await?;
            return Ok(Self::Here(Box::new(together)));
        }
        let apart = Processes::start(args, now, &folder.snapshot(), &folder.store())?;
        Ok(Self::Apart(Box::new(apart)))
    }

    fn urls(&self) -> Urls {
        match self {
            Self::Here(together) => {
                let [features, candidates, recovery] = together.urls();
                Urls {
                    features,
                    candidates,
                    recovery,
                }
            }
            Self::Apart(processes) => processes.urls(),
        }
    }

    async fn stop(self) -> anyhow::Result<()> {
        match self {
            Self::Here(together) => together.stop().await,
            Self::Apart(processes) => processes.stop(),
        }
    }
}
