//! `drill`: the recovery loop against simulated shoppers, in accelerated time, while its processes
//! are killed; counted at an independent receiver.

mod check;
mod fleet;
mod log;
mod receive;
mod result;
mod run;
mod setup;

use std::path::PathBuf;

use clap::Subcommand;
use kit::config::Period;

use setup::Setup;

/// Proves the recovery loop: simulated shoppers, real processes, kills at random
///
/// Starts a Redis that syncs every write, features, candidates, two recovery processes and two
/// receivers, and leads simulated shoppers through several days in minutes. All the while one of the
/// processes is killed (SIGKILL) and started again. In the end it counts, at the receivers and in the
/// decision log: actions after an acknowledged order, without consent, in quiet hours, over the cap,
/// over the budget, lost and double ones. Ends with code 1 when any of these is not 0.
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:
  cartwright drill --quick
  cartwright drill --shoppers 100000 --out target/drill/recovery.json"
)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    /// 600 shoppers in less than a minute
    #[arg(long)]
    quick: bool,
    /// How many shoppers leave a cart [default: 100000, with --quick 600]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(10..=1_000_000))]
    shoppers: Option<u32>,
    /// How many simulated seconds pass in one [default: 720, with --quick 10800]
    #[arg(long, value_name = "N")]
    speed: Option<f64>,
    /// How often a process is killed [default: 4s, with --quick 1s]
    #[arg(long, value_name = "TIME")]
    kill_every: Option<Period>,
    /// How long may be waited for a message after the time when the last one was due
    #[arg(long, value_name = "TIME", default_value = "2m")]
    patience: Period,
    /// Where the counts are written
    #[arg(
        long,
        value_name = "FILE",
        default_value = "target/drill/recovery.json"
    )]
    out: PathBuf,
    /// Keep journals, settings and what Redis wrote in this folder, instead of a temporary one
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// Seed of the shop, and of what is killed when
    #[arg(long, value_name = "N", default_value_t = 7)]
    seed: u64,
    /// Print the counts as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    #[command(hide = true)]
    Receive(receive::Args),
}

impl Args {
    fn shoppers(&self) -> usize {
        let count = self
            .shoppers
            .unwrap_or(if self.quick { 600 } else { 100_000 });
        usize::try_from(count).unwrap_or(usize::MAX)
    }

    fn speed(&self) -> f64 {
        self.speed
            .unwrap_or(if self.quick { 10_800.0 } else { 720.0 })
    }

    fn kill_every(&self) -> Period {
        let usual = if self.quick { 1 } else { 4 };
        self.kill_every.unwrap_or(Period::seconds(usual))
    }
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    if let Some(Command::Receive(receive)) = &args.command {
        return receive::run(receive);
    }
    super::block_on(run::run(args))
}
