//! The command line of `swap`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::period;
use crate::targets::parse_url;

/// Swaps snapshots under a steady load of decisions, and goes back at the end
///
/// Quiet windows and windows with a swap take turns; a swap's p99 is compared with those of the quiet
/// windows on both sides of it. Every answer is checked: that it came, that its
/// generation is one that was live, and that its items are of that generation; every tenth request
/// asks candidates and has their answer ranked, which must come from the same generation. By itself
/// it prepares and activates over SnapshotService, on every server before any goes live; --swap-cmd
/// runs a command instead. Exit code 0: nothing failed and nothing was mixed; 1: something did.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  cartwright-loadtest swap --rate 600 --swaps 20 --json target/drill/swap.json
  cartwright-loadtest swap --rate 600 --snapshots ID1,ID2 --items-of ID1=a/items.jsonl \\
      --items-of ID2=b/items.jsonl \\
      --swap-cmd 'cartwright snapshot activate $SNAPSHOT --registry R --peers … --why drill'")]
pub(crate) struct SwapArgs {
    /// Server of events, features and items.
    #[arg(long, value_name = "URL", value_parser = parse_url, default_value = "http://127.0.0.1:7101")]
    pub(crate) features: String,
    /// Server of candidates.
    #[arg(long, value_name = "URL", value_parser = parse_url, default_value = "http://127.0.0.1:7102")]
    pub(crate) candidates: String,
    /// Server of decisions.
    #[arg(long, value_name = "URL", value_parser = parse_url, default_value = "http://127.0.0.1:7103")]
    pub(crate) recovery: String,
    /// Admin ports whose memory is added up, such as http://127.0.0.1:7112.
    #[arg(long, value_name = "URL,…", value_parser = parse_url, value_delimiter = ',')]
    pub(crate) admin: Vec<String>,
    /// Decisions a second.
    #[arg(long, default_value_t = 200.0, value_parser = parse_rate)]
    pub(crate) rate: f64,
    /// How many swaps.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub(crate) swaps: u32,
    /// Length of a quiet window, and the least of one with a swap.
    #[arg(long, value_name = "TIME", value_parser = period::positive, default_value = "5s")]
    pub(crate) window: Duration,
    /// How long the window of a swap goes on after it.
    #[arg(long, value_name = "TIME", value_parser = period::positive, default_value = "1s")]
    pub(crate) after: Duration,
    /// At the end, without load, until the memory is read that is left: a role gives free memory back
    /// a minute after it last loaded something.
    #[arg(long, value_name = "TIME", value_parser = period::positive, default_value = "5s")]
    pub(crate) settle: Duration,
    /// Load before the first window.
    #[arg(long, value_name = "TIME", value_parser = period::positive, default_value = "3s")]
    pub(crate) warmup: Duration,
    /// Deadline of each request.
    #[arg(long, value_name = "TIME", value_parser = period::positive, default_value = "1s")]
    pub(crate) timeout: Duration,
    /// Snapshots to swap between, in turn; all of the registry when none is named.
    #[arg(long, value_name = "ID,…", value_delimiter = ',')]
    pub(crate) snapshots: Vec<String>,
    /// Run this shell command for each swap, with the snapshot's id in $SNAPSHOT.
    #[arg(long, value_name = "CMD")]
    pub(crate) swap_cmd: Option<String>,
    /// Run this shell command for the way back, instead of one Rollback call.
    #[arg(long, value_name = "CMD")]
    pub(crate) rollback_cmd: Option<String>,
    /// Do not go back at the end.
    #[arg(long)]
    pub(crate) no_rollback: bool,
    /// Items of a snapshot, as its items.jsonl lists them: an item in an answer of another is mixed.
    #[arg(long, value_name = "ID=FILE", value_parser = parse_items_of)]
    pub(crate) items_of: Vec<(String, PathBuf)>,
    /// Make the shop of the items that this file names.
    #[arg(long, value_name = "FILE")]
    pub(crate) item_ids: Option<PathBuf>,
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(10..=1_000_000))]
    pub(crate) items: u32,
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) shoppers: u32,
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Write the figures as JSON.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
}

impl SwapArgs {
    /// The servers that a swap goes through, callers last.
    pub(crate) fn servers(&self) -> BTreeMap<&'static str, &str> {
        BTreeMap::from([
            ("candidates", self.candidates.as_str()),
            ("features", self.features.as_str()),
            ("recovery", self.recovery.as_str()),
        ])
    }
}

fn parse_rate(text: &str) -> Result<f64, String> {
    let rate = text.parse().ok().filter(|r| (0.1..=1e6).contains(r));
    rate.ok_or_else(|| format!("rate is {text:?}, 0.1 to 1000000 are allowed"))
}

fn parse_items_of(text: &str) -> Result<(String, PathBuf), String> {
    let parts = text
        .split_once('=')
        .filter(|(id, file)| !id.is_empty() && !file.is_empty());
    let (id, file) = parts.ok_or_else(|| format!("items-of is {text:?}, ID=FILE is needed"))?;
    Ok((id.to_owned(), PathBuf::from(file)))
}
