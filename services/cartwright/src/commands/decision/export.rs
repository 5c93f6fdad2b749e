//! `decision export`: the decision log of a store, with the policies that it names, to a file.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::PathBuf;

use anyhow::Context as _;
use feature_store::FeatureStore;
use feature_store::store::{Log, LogEntry};
use recovery::record::{Line, decode};

use crate::commands::block_on_threads;
use crate::{output, stores};

/// Writes the decision log of a store to a file, with the policies that decided
///
/// The file is JSON lines: first each policy with its text, then each decision with its record in
/// hexadecimal digits. It is all that `decision replay` needs.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cartwright decision export --redis redis://127.0.0.1 --out decisions.jsonl
  cartwright decision export --store data --out decisions.jsonl")]
pub(super) struct Args {
    #[command(flatten)]
    source: Source,
    /// Separates shops that share one Redis
    #[arg(long, value_name = "TEXT", requires = "redis", default_value = "")]
    key_prefix: String,
    /// The file to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// Where the log is.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct Source {
    /// The folder of an embedded store that no server is using
    #[arg(long, value_name = "DIR")]
    store: Option<PathBuf>,
    /// The Redis of a running shop
    #[arg(long, value_name = "URL")]
    redis: Option<String>,
}

pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    let source = &args.source;
    let (redis, folder) = (source.redis.as_deref(), source.store.as_deref());
    let (policies, decisions, erased) = block_on_threads(None, async {
        let store = stores::open(redis, &args.key_prefix, folder).await?;
        write(&store, args).await
    })?;
    output::result(format!(
        "{}: {} by {}",
        args.out.display(),
        output::counted(decisions, "decision"),
        match policies {
            1 => "1 policy".to_owned(),
            many => format!("{many} policies"),
        }
    ));
    if erased > 0 {
        let erased = output::thousands(usize::try_from(erased).unwrap_or(usize::MAX));
        output::note(format!(
            "note: {erased} decisions are about shoppers who were erased, and cannot be read"
        ));
    }
    Ok(())
}

async fn write(store: &FeatureStore, args: &Args) -> anyhow::Result<(usize, usize, u64)> {
    let create = || format!("create {}", args.out.display());
    let mut file = BufWriter::new(File::create(&args.out).with_context(create)?);
    let (mut policies, mut decisions) = (0, 0);
    let bar = output::count_bar(Some(0), "writing");
    let mut progress = |taken, of| {
        bar.set_length(of);
        bar.set_position(taken);
    };
    let mut policy = |_, entry: &LogEntry| -> anyhow::Result<()> {
        let text = std::str::from_utf8(&entry.value).context("read a policy of the store")?;
        writeln!(file, "{}", Line::policy(text).write()?).context("write")?;
        policies += 1;
        Ok(())
    };
    let unseen = &mut |_, _| {};
    store.read_log(Log::Policies, &mut policy, unseen).await?;
    let mut decision = |_, entry: &LogEntry| -> anyhow::Result<()> {
        let entry = &entry.value;
        // What is damaged goes into the file as well: replaying is what tells.
        let id = decode(entry).map_or_else(|_| String::new(), |record| record.decision_id());
        writeln!(file, "{}", Line::decision(&id, entry).write()?).context("write")?;
        decisions += 1;
        Ok(())
    };
    let read = store.read_log(Log::Decisions, &mut decision, &mut progress);
    let erased = read.await?;
    bar.finish_and_clear();
    if erased > 0 {
        let line = Line::Erased { decisions: erased };
        writeln!(file, "{}", line.write()?).context("write")?;
    }
    file.flush().context("write")?;
    Ok((policies, decisions, erased))
}
