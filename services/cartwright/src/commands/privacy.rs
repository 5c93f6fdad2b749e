//! `privacy`: what training elsewhere needs to leave erased shoppers out.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Subcommand;
use serde_json::json;

use super::block_on_threads;
use crate::output;
use crate::privacy::{self, Stored};
use crate::writing::Out;

/// Exports the deployment's privacy key, and who was erased
///
/// A shopper who is erased is kept as a MAC of the id under a key of the deployment. Training on files
/// takes both: the key to find the erased in its events, and to mark past sessions so that those of
/// people erased later can be taken out of a snapshot that is served.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cartwright privacy key --redis redis://127.0.0.1 --out privacy.key
  cartwright privacy erased --redis redis://127.0.0.1 --out erased.jsonl
  cartwright train --events events.jsonl.zst --privacy-key privacy.key --erased erased.jsonl --out model")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Key(Key),
    Erased(Erased),
}

/// Writes the privacy key, as hexadecimal digits, to a file that only its owner may read
///
/// Whoever has it can find out whether an id that they know was erased, and whose a past session is.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  cartwright privacy key --redis redis://127.0.0.1 --out privacy.key")]
struct Key {
    #[command(flatten)]
    store: Stored,
    /// The file to write; one that is there is left alone
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// Writes who was erased, as JSON lines of a MAC and a time
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  cartwright privacy erased --store data --out erased.jsonl
  # {\"shopper\":\"92b2b75604ed3c761f9d6f62392c8a92\",\"erased_at_ms\":1700000000000}")]
struct Erased {
    #[command(flatten)]
    store: Stored,
    /// The file to write; compressed when it ends in .zst
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    match &args.command {
        Command::Key(args) => key(args),
        Command::Erased(args) => erased(args),
    }
}

fn key(args: &Key) -> anyhow::Result<()> {
    let key = block_on_threads(None, async {
        let store = args.store.open().await?;
        store.mac_key().await.context("read the privacy key")
    })?;
    write_secret(&args.out, &key.to_hex())?;
    let (out, shown) = (args.out.display(), key.fingerprint());
    output::note(format!(
        "{out}: the key with the fingerprint {shown}; keep it secret"
    ));
    Ok(())
}

fn write_secret(path: &Path, text: &str) -> anyhow::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    let file = options.write(true).create_new(true).mode(0o600).open(path);
    let mut file = file.with_context(|| format!("create {}", path.display()))?;
    writeln!(file, "{text}").context("write the key")
}

fn erased(args: &Erased) -> anyhow::Result<()> {
    let tombstones = block_on_threads(None, async {
        let store = args.store.open().await?;
        privacy::tombstones(&store).await
    })?;
    let mut out = Out::create(&args.out)?;
    for one in &tombstones {
        let (shopper, at) = (one.shopper.to_string(), one.erased_at.0);
        let line = json!({ "shopper": shopper, "erased_at_ms": at });
        out.line(&line.to_string())
            .context("write who was erased")?;
    }
    out.finish().context("write who was erased")?;
    output::note(format!(
        "{}: {}",
        args.out.display(),
        output::counted(tombstones.len(), "erased shopper id")
    ));
    Ok(())
}
