//! `features export`: training rows as `GetFeatures` would have answered them.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use feature_store::{Event, EventLog, Plan};
use trainer::People;
use trainer::export::{self, ExportError, Labels, Progress, Statuses, Wanted};
use trainer::readers::Format;

use super::{names, summary};
use crate::commands::block_on_threads;
use crate::failure::{Failure, OrFail as _};
use crate::reading::{self, FORMATS, Log};
use crate::{output, privacy, stores};

const LABELS: &str = "labels are rows of shopper_id (string), at (timestamp, or int64 in ms), and \
                      item_id (string) where features of items are wanted";

/// Writes training rows: the features of each label's shopper and item at the time of the label
///
/// A value is what GetFeatures would have answered at that moment, computed by the same code from
/// the events accepted up to then; nothing later is seen. Item statistics are those of the last
/// closed minute. Events of a file count as accepted when they happened; a store's log says when
/// each was accepted.
///
/// Labels are parquet (as pandas, pyarrow and polars write it) or CSV with a header: shopper_id
/// (string), at (a timestamp, UTC where it names no zone, or int64 milliseconds since 1970),
/// optionally item_id (string), and any other columns. The output is parquet: the labels' columns
/// unchanged and in their order, then one typed column per feature, null where there is no value.
///
/// Erased shoppers have no row, and nothing that they did counts: a store knows who they are, files
/// need --erased.
///
/// The log holds events only: profiles and consents are as if never set, and what the catalogue
/// says of an item is taken from --items for all times.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cartwright features export --labels labels.parquet --events events.jsonl.zst --out rows.parquet
  cartwright features export --labels labels.csv --events 2019-Oct.csv --format rees46 \\
      --features shopper.cart_value_minor,item.view_count_24h --out rows.parquet --json
  cartwright features export --labels labels.parquet --redis redis://127.0.0.1 --out rows.parquet

Then, in Python:
  rows = pandas.read_parquet(\"rows.parquet\")")]
pub(super) struct Args {
    /// The rows to answer, .parquet or .csv
    #[arg(long, value_name = "FILE")]
    labels: PathBuf,
    /// The parquet file to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    #[command(flatten)]
    source: Source,
    #[arg(long, value_name = "FORMAT", requires = "events", value_parser = reading::parse_format, help = FORMATS)]
    format: Option<Format>,
    /// Separates shops that share one Redis
    #[arg(long, value_name = "TEXT", requires = "redis", default_value = "")]
    key_prefix: String,
    /// Features to write, in this order; all when absent
    #[arg(
        long,
        value_name = "NAME,…",
        value_delimiter = ',',
        conflicts_with = "features_file"
    )]
    features: Vec<String>,
    /// A file with one feature a line; # begins a comment
    #[arg(long, value_name = "FILE")]
    features_file: Option<PathBuf>,
    /// The catalogue as JSON lines, for features such as item.price_minor
    #[arg(long, value_name = "FILE")]
    items: Option<PathBuf>,
    /// Also say what each value is worth: present, null, not_found or outside_max_age, in a column
    /// `<feature>.status` each (columns) or as one letter each, p n x o, in one column `statuses`
    /// (compact)
    #[arg(long, value_name = "columns|compact", num_args = 0..=1, default_missing_value = "columns")]
    statuses: Option<Statuses>,
    /// Where to write lines that are no event, as JSON lines
    #[arg(long, value_name = "FILE", requires = "events")]
    rejects: Option<PathBuf>,
    #[command(flatten)]
    people: privacy::Files,
    /// Print the summary as JSON
    #[arg(long)]
    json: bool,
}

/// Where the events are.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct Source {
    /// Event files, plain or compressed with zstd
    #[arg(long, value_name = "FILE", num_args = 1..)]
    events: Vec<PathBuf>,
    /// The folder of an embedded store that no server is using
    #[arg(long, value_name = "DIR")]
    store: Option<PathBuf>,
    /// The Redis of a features role
    #[arg(long, value_name = "URL")]
    redis: Option<String>,
}

pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    refuse_overwriting(args)?;
    let mut labels = Labels::open(&args.labels).or_usage(LABELS)?;
    if labels.is_empty() {
        let message = format!("{} has no rows", args.labels.display());
        return Err(Failure::usage(message).hint(LABELS).into());
    }
    let plan = names::plan(
        &args.features,
        args.features_file.as_deref(),
        labels.has_items(),
    )?;
    let items = match &args.items {
        Some(items) => reading::items(items)?,
        None => Vec::new(),
    };
    say_what_no_log_holds(&plan, args.items.is_some());
    let (log, people, bad_lines) = log(args)?;
    if log.is_empty() {
        return Err(Failure::new("there is not one event")
            .hint(NO_EVENTS)
            .into());
    }
    labels.leave_out(&people);
    let span = log.span();
    let wanted = Wanted {
        plan,
        statuses: args.statuses.unwrap_or_default(),
        items,
    };
    let report = exported(&labels, log, wanted, &args.out)?;
    if args.json {
        return output::json(&summary::as_json(&report, bad_lines, &args.out));
    }
    summary::print(&report, bad_lines);
    summary::warn(&report, labels.span(), span);
    Ok(())
}

const NO_EVENTS: &str =
    "--format names the format of the file; a store is empty until it is served";

fn refuse_overwriting(args: &Args) -> anyhow::Result<()> {
    let real = |path: &Path| std::fs::canonicalize(path).ok();
    let taken = real(&args.out).is_some_and(|out| real(&args.labels) == Some(out));
    if !taken {
        return Ok(());
    }
    let out = args.out.display();
    Err(
        Failure::usage(format!("--out is {out}, which is also --labels"))
            .hint("name a file of its own")
            .into(),
    )
}

fn exported(
    labels: &Labels,
    log: EventLog,
    wanted: Wanted,
    out: &Path,
) -> anyhow::Result<export::ExportReport> {
    let bar = output::count_bar(Some(0), "answering");
    let report = export::export(labels, log, wanted, out, &mut |progress| {
        let (what, rows, of) = match progress {
            Progress::Answered { rows, of } => ("answering", rows, of),
            Progress::Written { rows, of } => ("writing", rows, of),
        };
        bar.set_message(what);
        bar.set_length(of);
        bar.set_position(rows);
    });
    bar.finish_and_clear();
    report.map_err(|error| match error {
        ExportError::Labels(_)
        | ExportError::Taken { .. }
        | ExportError::Repeated { .. }
        | ExportError::NoFeature => Failure::usage_because(error).hint(LABELS).into(),
        ExportError::Changed { .. } => Failure::because(error).hint("start again").into(),
        ExportError::Spill { .. } | ExportError::Write { .. } | ExportError::Create { .. } => {
            Failure::because(error)
                .hint("is there room in that folder, and may it be written to?")
                .into()
        }
    })
}

/// The log without what erased shoppers did, the people in it, and how many lines of a file were no
/// event.
fn log(args: &Args) -> anyhow::Result<(EventLog, People, u64)> {
    if args.source.events.is_empty() {
        privacy::refuse_both(&args.people)?;
        let (log, people) = stored_log(args)?;
        return Ok((log, people, 0));
    }
    let people = args.people.read()?;
    let log = Log::read(&args.source.events, args.format, args.rejects.as_ref())?;
    let events = people.leave_out(&log.events).0.into_owned();
    Ok((export::file_log(events), people, log.bad_lines))
}

fn stored_log(args: &Args) -> anyhow::Result<(EventLog, People)> {
    let source = &args.source;
    let (redis, folder) = (source.redis.as_deref(), source.store.as_deref());
    block_on_threads(None, async {
        let store = stores::open(redis, &args.key_prefix, folder).await?;
        let bar = output::count_bar(Some(0), "reading the event log");
        let mut progress = |read, of| {
            bar.set_length(of);
            bar.set_position(read);
        };
        let log = store.event_log(&mut progress).await;
        let log = log.context("read the event log");
        bar.finish_and_clear();
        let people = privacy::people(&store).await?;
        let is_erased = |event: &Event| people.is_erased(&event.shopper_id, event.occurred_at);
        let log = log?.leave_out(is_erased);
        if log.erased() > 0 {
            output::note(format!(
                "note: {} events of the log are of shoppers who were erased, and are left out",
                log.erased()
            ));
        }
        Ok((log, people))
    })
}

/// Features that rest on nothing that an event says.
fn say_what_no_log_holds(plan: &Plan, has_items: bool) {
    let features = plan.features().iter();
    let mut names: Vec<&str> = features
        .filter(|feature| feature.sources.is_empty())
        .map(|feature| feature.name)
        .collect();
    if has_items {
        names.retain(|name| !name.starts_with("item."));
    }
    if !names.is_empty() {
        output::note(format!(
            "note: no event log holds what {} is made of; it is as if never set{}",
            names.join(", "),
            if has_items {
                ""
            } else {
                ", --items FILE gives the catalogue"
            }
        ));
    }
}
