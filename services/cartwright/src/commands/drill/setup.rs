//! What a drill is made of: its size and time, its shop, its policy and a snapshot.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use kit::Clock;
use kit::config::Period;
use policy::Policy;
use simulator::{Options, World};
use tempfile::TempDir;

use super::Args;
use super::check::Promises;
use crate::failure::Failure;
use crate::living::past;
use crate::output;

/// Friday, 6 March 2026: clocks in America change on the third day, and the month, with its one budget,
/// lasts however long is waited at the end.
const START_MS: i64 = 1_772_755_200_000;
const HOUR_MS: i64 = 3_600_000;
/// Over which all carts are left.
const DAYS: u32 = 1;
/// After the last visit: when a cart may change once more, and its three steps after that.
const TAIL_HOURS: i64 = 88;
/// After the last act, such as that of a message which came late: the last step, and as long again as
/// quiet hours and the cap may put its message off.
const DUE_HOURS: i64 = 48;
const POLICY: &str = include_str!("policy.toml");
/// Enough for one coupon of five among eight shoppers: it matters, and is too little for all.
const BUDGET_A_SHOPPER: i64 = 60;

/// Everything that is fixed before the first process starts.
#[derive(Clone, Debug)]
pub(super) struct Setup {
    pub(super) world: Arc<World>,
    pub(super) policy: Arc<Policy>,
    pub(super) promises: Promises,
    pub(super) clock: Clock,
    pub(super) speed: f64,
    since_ms: i64,
    /// When nobody acts any more.
    pub(super) end_ms: i64,
    pub(super) lease: Period,
    pub(super) folder: PathBuf,
    pub(super) snapshot: PathBuf,
    pub(super) config: PathBuf,
    _scratch: Option<Arc<TempDir>>,
}

impl Setup {
    /// Trains a snapshot and writes the settings; the clock starts at the end of that.
    pub(super) fn new(args: &Args) -> anyhow::Result<Self> {
        let (shoppers, speed) = (args.shoppers(), args.speed());
        let options = Options {
            shoppers,
            items: 150,
            days: DAYS,
            start_ms: START_MS,
        };
        let world = World::new(args.seed, options);
        let (folder, scratch) = folder(args.keep.as_deref())?;
        let snapshot = folder.join("snapshot");
        past::train(args.seed, &world, &snapshot)?;
        let budget_minor = i64::try_from(shoppers)?.saturating_mul(BUDGET_A_SHOPPER);
        let hold = if args.quick { "12h" } else { "3h" };
        let text = POLICY
            .replace("BUDGET", &budget_minor.to_string())
            .replace("HOLD", hold);
        let policy = Policy::parse(&text).map_err(|problems| {
            let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
            Failure::new(format!("the policy of the drill: {}", problems.join("; ")))
        })?;
        let file = folder.join("policy.toml");
        std::fs::write(&file, text).context("write the policy")?;
        let config = folder.join("recovery.toml");
        std::fs::write(&config, recovery_config(&file, args.quick))
            .context("write the settings")?;
        let since_ms = Clock::real().now_ms();
        Ok(Self {
            world: Arc::new(world),
            policy: Arc::new(policy),
            promises: Promises {
                quiet: (22, 7),
                zones: vec![
                    "Europe/Lisbon",
                    "Europe/Berlin",
                    "Europe/Helsinki",
                    "America/New_York",
                    "America/Los_Angeles",
                ],
                cap_window_ms: 12 * HOUR_MS,
                budget_minor,
            },
            clock: Clock::simulated(START_MS, since_ms, speed),
            speed,
            since_ms,
            end_ms: START_MS + (i64::from(DAYS) * 24 + TAIL_HOURS) * HOUR_MS,
            lease: Period::seconds(if args.quick { 1 } else { 5 }),
            folder,
            snapshot,
            config,
            _scratch: scratch.map(Arc::new),
        })
    }

    /// What tells every process the same time.
    pub(super) fn clock_flags(&self) -> Vec<String> {
        [
            ("--clock-start", output::rfc3339(START_MS)),
            ("--clock-speed", self.speed.to_string()),
            ("--clock-since-ms", self.since_ms.to_string()),
        ]
        .into_iter()
        .flat_map(|(name, value)| [name.to_owned(), value])
        .collect()
    }

    /// Whether nothing that people did makes a step or a message due any more.
    pub(super) fn is_all_due(&self) -> bool {
        self.clock.now_ms() > self.end_ms + DUE_HOURS * HOUR_MS
    }

    pub(super) fn journal(&self, receiver: usize) -> PathBuf {
        self.folder.join(format!("receiver-{receiver}.jsonl"))
    }

    /// Minutes of the simulated time: those that are over, and all.
    pub(super) fn minutes(&self) -> (u64, u64) {
        let minutes = |to_ms: i64| u64::try_from((to_ms - START_MS) / 60_000).unwrap_or(0);
        (
            minutes(self.clock.now_ms().min(self.end_ms)),
            minutes(self.end_ms),
        )
    }
}

fn folder(keep: Option<&Path>) -> anyhow::Result<(PathBuf, Option<TempDir>)> {
    if let Some(path) = keep {
        std::fs::create_dir_all(path).with_context(|| format!("create {}", path.display()))?;
        let path = std::fs::canonicalize(path).context("find the folder")?;
        return Ok((path, None));
    }
    let scratch = tempfile::Builder::new()
        .prefix("cartwright-drill-")
        .tempdir()
        .context("make a temporary folder")?;
    Ok((scratch.path().to_owned(), Some(scratch)))
}

/// A dead process gives its people back after a short lease; decisions have time on a busy machine.
fn recovery_config(policy: &Path, quick: bool) -> String {
    let (lease, batch) = if quick { ("1s", 64) } else { ("5s", 128) };
    format!(
        "policy = {:?}\ndefault_deadline_ms = 10000\n[recover]\nlease = \"{lease}\"\nevery = \"20ms\"\nbatch = {batch}\n",
        policy.display().to_string()
    )
}
