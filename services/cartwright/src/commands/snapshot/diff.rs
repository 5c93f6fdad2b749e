//! `diff`: what another snapshot would do otherwise, on carts of a log.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use comfy_table::Cell;
use feature_store::Millis;
use kit::clock::Simulated;
use kit::{CancellationToken, ClockSettings};
use proto::v1 as pb;
use serde_json::{Value, json};
use trainer::readers::Format;

use super::place::{Source, short};
use crate::commands::demo::shop::Shop;
use crate::commands::demo::{carts, data};
use crate::commands::{block_on_threads, decide};
use crate::output;
use crate::push::{self, InMemory};
use crate::reading::{self, FORMATS, Log};
use crate::roles::{All, Together};
use crate::wire;

/// Shows which decisions and items two snapshots make otherwise for the same carts, and the money at
/// stake
///
/// Both serve the same log, one after the other, each by the same code as in production, in this
/// process: features, candidates, ranking, policy. Then each is asked about every cart that the log
/// leaves open. Consent to e-mail is assumed for all of them.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cartwright snapshot diff model-of-today model-of-tomorrow --events yesterday.jsonl.zst
  cartwright snapshot diff 3f9a12c0 81bb02e4 --registry /srv/models --events yesterday.jsonl.zst --json")]
pub(crate) struct Args {
    /// The snapshot to compare with: a folder, or an id in the registry
    a: String,
    /// The snapshot that may go live
    b: String,
    #[command(flatten)]
    source: Source,
    /// The events that lead to the carts, such as yesterday's
    #[arg(long, value_name = "FILE", required = true, num_args = 1..)]
    events: Vec<PathBuf>,
    #[arg(long, value_name = "FORMAT", value_parser = reading::parse_format, help = FORMATS)]
    format: Option<Format>,
    /// How long after the last event the decisions are made
    #[arg(long, value_name = "SPAN", default_value = "30m")]
    idle: kit::config::Period,
    /// Carts to compare at most, by shopper id
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    most: usize,
    /// Print as JSON
    #[arg(long)]
    json: bool,
}

/// Rows that fit a screen.
const ROWS: usize = 15;

/// By shopper.
type Decisions = BTreeMap<String, pb::Decision>;

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let room = args.source.room()?;
    let (a, b) = (
        args.source.find(&args.a, &room)?,
        args.source.find(&args.b, &room)?,
    );
    let log = Log::read(&args.events, args.format, None)?;
    let idle = i64::try_from(args.idle.0.as_millis()).unwrap_or(i64::MAX);
    let now = Millis(data::end(&log).0.saturating_add(idle));
    let shoppers: Vec<String> = carts::last_changes(&log.events)
        .into_keys()
        .map(str::to_owned)
        .collect();
    let mut sides = Vec::new();
    for dir in [&a, &b] {
        let asked = Asked {
            log: &log,
            shoppers: &shoppers,
            now,
            most: args.most,
        };
        sides.push(block_on_threads(None, asked.decide(dir))?);
    }
    let (after, before) = (
        sides.pop().unwrap_or_default(),
        sides.pop().unwrap_or_default(),
    );
    let compared = Compared::of(&before, &after);
    if args.json {
        return output::json(&compared.as_json());
    }
    compared.print();
    Ok(())
}

struct Asked<'a> {
    log: &'a Log,
    shoppers: &'a [String],
    now: Millis,
    most: usize,
}

impl Asked<'_> {
    /// Serves the snapshot in this process and asks it about every open cart.
    async fn decide(&self, snapshot: &Path) -> anyhow::Result<Decisions> {
        let store = tempfile::tempdir().context("make a folder for the store")?;
        let stop = CancellationToken::new();
        let servers = Together::start(self.settings(snapshot, store.path()), stop).await?;
        let asked = self.ask(&servers).await;
        servers.stop().await?;
        asked
    }

    fn settings(&self, snapshot: &Path, store: &Path) -> All {
        let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let mut all = All {
            snapshot: Some(snapshot.to_owned()),
            data: store.to_owned(),
            clock: ClockSettings::Simulated(Simulated {
                epoch_ms: self.now.0,
                start_ms: None,
                speed: 1.0,
            }),
            admin: None,
            ..All::default()
        };
        all.features.addr = anywhere;
        all.candidates.addr = anywhere;
        all.recovery.addr = anywhere;
        all
    }

    async fn ask(&self, servers: &Together) -> anyhow::Result<Decisions> {
        let [features, _, recovery] = servers.urls();
        let shop = Shop::connect(&features, &recovery, wire::timestamp(self.now)).await?;
        shop.upsert(&self.log.items).await?;
        let bar = output::count_bar(u64::try_from(self.log.events.len()).ok(), "pushing");
        let settings = push::Settings {
            url: features,
            access: crate::remote::Access::default(),
            rate: None,
            patience: std::time::Duration::from_secs(10),
        };
        let events = InMemory::new(self.log.events.clone());
        let pushed = push::push(&settings, events, &mut |news| {
            if let push::News::Answered(totals) = news {
                bar.inc(totals.pushed);
            }
        })
        .await;
        bar.finish_and_clear();
        pushed.result?;
        self.ask_about_carts(&shop).await
    }

    async fn ask_about_carts(&self, shop: &Shop) -> anyhow::Result<Decisions> {
        let shoppers: Vec<&str> = self.shoppers.iter().map(String::as_str).collect();
        let carts = shop.carts(&shoppers).await?;
        let open = shoppers.iter().zip(&carts);
        let open = open.filter(|(_, cart)| !cart.lines.is_empty());
        let mut decisions = Decisions::new();
        let bar = output::count_bar(None, "deciding");
        for (shopper, _) in open.take(self.most) {
            shop.consent(shopper).await?;
            let decided = shop.decide(shopper).await?;
            decisions.insert((*shopper).to_owned(), decided.decision);
            bar.inc(1);
        }
        bar.finish_and_clear();
        Ok(decisions)
    }
}

/// One cart, decided twice.
struct Row<'a> {
    shopper: &'a str,
    before: &'a pb::Decision,
    after: &'a pb::Decision,
}

impl Row<'_> {
    fn acts_otherwise(&self) -> bool {
        decide::action(self.before) != decide::action(self.after)
    }

    fn shows_otherwise(&self) -> bool {
        ids(self.before) != ids(self.after)
    }

    /// Items shown by the one and not by the other.
    fn items_changed(&self) -> usize {
        let (before, after) = (ids(self.before), ids(self.after));
        let before: BTreeSet<&str> = before.into_iter().collect();
        after.iter().filter(|id| !before.contains(*id)).count()
    }

    fn value(&self) -> i64 {
        self.after.expected_value_minor - self.before.expected_value_minor
    }
}

fn ids(decision: &pb::Decision) -> Vec<&str> {
    decision
        .items
        .iter()
        .map(|item| item.item_id.as_str())
        .collect()
}

struct Compared<'a> {
    generations: [&'a str; 2],
    currency: &'a str,
    /// The largest carts that are decided otherwise first.
    rows: Vec<Row<'a>>,
}

impl<'a> Compared<'a> {
    fn of(before: &'a Decisions, after: &'a Decisions) -> Self {
        let mut rows: Vec<Row<'a>> = before
            .iter()
            .filter_map(|(shopper, before)| {
                let after = after.get(shopper)?;
                Some(Row {
                    shopper,
                    before,
                    after,
                })
            })
            .collect();
        rows.sort_by_key(|row| {
            let otherwise = (row.acts_otherwise(), row.shows_otherwise());
            let largest = std::cmp::Reverse((otherwise, row.after.cart_value_minor));
            (largest, row.shopper)
        });
        let any = |all: &'a Decisions| all.values().next();
        let generation = |all| any(all).map_or("", |one| one.generation.as_str());
        Self {
            generations: [generation(before), generation(after)],
            currency: any(after).map_or("", |one| one.currency.as_str()),
            rows,
        }
    }

    fn sum(&self, of: impl Fn(&Row<'a>) -> i64) -> i64 {
        self.rows.iter().map(of).sum()
    }

    fn count(&self, which: impl Fn(&Row<'a>) -> bool) -> usize {
        self.rows.iter().filter(|row| which(row)).count()
    }

    fn stake(&self) -> i64 {
        self.sum(|row| {
            if row.acts_otherwise() {
                row.after.cart_value_minor
            } else {
                0
            }
        })
    }

    fn as_json(&self) -> Value {
        let rows = self
            .rows
            .iter()
            .filter(|row| row.acts_otherwise() || row.shows_otherwise());
        let rows: Vec<Value> = rows
            .map(|row| {
                json!({
                    "shopper": row.shopper,
                    "cart_value_minor": row.after.cart_value_minor,
                    "before": side(row.before),
                    "after": side(row.after),
                })
            })
            .collect();
        json!({
            "before": self.generations[0],
            "after": self.generations[1],
            "currency": self.currency,
            "carts": self.rows.len(),
            "decisions_changed": self.count(Row::acts_otherwise),
            "items_changed": self.count(Row::shows_otherwise),
            "cart_value_at_stake_minor": self.stake(),
            "expected_value_before_minor": self.sum(|row| row.before.expected_value_minor),
            "expected_value_after_minor": self.sum(|row| row.after.expected_value_minor),
            "changed": rows,
        })
    }

    fn print(&self) {
        let mut table = output::table([
            "shopper",
            "cart",
            "decision before",
            "after",
            "risk",
            "expected value",
            "new items",
        ]);
        let changed = |row: &&Row<'_>| row.acts_otherwise() || row.shows_otherwise();
        for row in self.rows.iter().filter(changed).take(ROWS) {
            let money = |minor| output::money(minor, self.currency);
            table.add_row([
                Cell::new(row.shopper),
                output::number(money(row.after.cart_value_minor)),
                Cell::new(decide::action(row.before)),
                Cell::new(decide::action(row.after)),
                output::number(format!("{:.2} → {:.2}", row.before.risk, row.after.risk)),
                output::number(money(row.value())),
                output::number(row.items_changed()),
            ]);
        }
        output::result(table);
        let shown = self.rows.iter().filter(changed).count();
        if shown > ROWS {
            output::note(format!(
                "and {} more",
                output::counted(shown - ROWS, "cart")
            ));
        }
        let money = |minor| output::money(minor, self.currency);
        output::result(format!(
            "{}, {} → {}: {} decided otherwise, {} shown other items",
            output::counted(self.rows.len(), "cart"),
            short(self.generations[0]),
            short(self.generations[1]),
            self.count(Row::acts_otherwise),
            self.count(Row::shows_otherwise),
        ));
        output::result(format!(
            "at stake: {} in the carts decided otherwise; expected value of all decisions {} → {}",
            money(self.stake()),
            money(self.sum(|row| row.before.expected_value_minor)),
            money(self.sum(|row| row.after.expected_value_minor)),
        ));
        output::note("note: expected values are each snapshot's own estimate, and not measured");
        output::note(
            "note: consent to be contacted by e-mail is assumed for every shopper with a cart",
        );
    }
}

fn side(decision: &pb::Decision) -> Value {
    json!({
        "action": decide::action(decision),
        "risk": decision.risk,
        "expected_value_minor": decision.expected_value_minor,
        "items": ids(decision),
        "degraded": decision.degraded,
    })
}
