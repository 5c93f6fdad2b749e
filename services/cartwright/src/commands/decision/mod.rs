//! `decision`: what was decided, why, and whether it comes out the same again.

mod export;
mod replay;
mod show;

use clap::Subcommand;

/// Shows logged decisions, and makes them again from their log alone
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cartwright decision show --shopper 42 --id 66a95bf2a761f22308066982d23de736
  cartwright decision export --redis redis://127.0.0.1 --out decisions.jsonl
  cartwright decision replay decisions.jsonl")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Show(show::Args),
    Export(export::Args),
    Replay(replay::Args),
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    match &args.command {
        Command::Show(args) => show::run(args),
        Command::Export(args) => export::run(args),
        Command::Replay(args) => replay::run(args),
    }
}
