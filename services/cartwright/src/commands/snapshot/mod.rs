//! `snapshot …`: the folders that models are shipped in, and the registry that says what is live.

mod activate;
mod build;
mod collect;
mod diff;
mod folder;
mod gates;
mod peers;
mod place;
mod published;
mod rollback;

use clap::Subcommand;

/// Builds, publishes, activates and takes back model snapshots
///
/// A snapshot is one immutable folder that holds everything a generation answers from. A registry, a
/// folder or a bucket, holds snapshots by id, and the sequence of records that says which is live.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cartwright snapshot publish model --registry s3://models/shop
  cartwright snapshot list --registry s3://models/shop
  cartwright snapshot activate 3f9a12c0 --registry s3://models/shop --why 'October log'
  cartwright snapshot rollback --registry s3://models/shop --why 'clicks fell by a third'

CARTWRIGHT_REGISTRY names the registry for all of them. Ids may be shortened.")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Build(build::Args),
    Verify(folder::Verify),
    Show(folder::Show),
    Publish(published::Publish),
    List(published::List),
    History(published::History),
    Diff(diff::Args),
    Activate(activate::Args),
    Rollback(rollback::Args),
    Gc(collect::Args),
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    match &args.command {
        Command::Build(args) => build::run(args),
        Command::Verify(args) => folder::verify(args),
        Command::Show(args) => folder::show(args),
        Command::Publish(args) => published::publish(args),
        Command::List(args) => published::list(args),
        Command::History(args) => published::history(args),
        Command::Diff(args) => diff::run(args),
        Command::Activate(args) => activate::run(args),
        Command::Rollback(args) => rollback::run(args),
        Command::Gc(args) => collect::run(args),
    }
}
