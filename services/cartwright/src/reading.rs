//! Event files: opening them, showing how far reading is, and keeping the lines that are no event.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use indicatif::ProgressBar;
use serde::Deserialize;
use serde_json::json;

use feature_store::{Event, FeatureStore, Item};
use trainer::readers::{self, BadLine, EventReader, Format, ItemHints, Parsed, ReadError};

use crate::failure::{Failure, OrFail as _};
use crate::output;

/// How many bad lines are shown when no reject file keeps them.
const SHOWN: u64 = 3;

/// The formats that files of events come in, for `--help`.
pub(crate) const FORMATS: &str =
    "jsonl, csv, interactions, rees46, online-retail or session-clicks; guessed when absent";

/// Turns the argument of `--format` into a format.
pub(crate) fn parse_format(text: &str) -> Result<Format, String> {
    text.parse::<Format>().map_err(|error| error.to_string())
}

/// Opens an event file, plain or compressed with zstd.
pub(crate) fn open(path: &Path, format: Option<Format>) -> anyhow::Result<EventReader> {
    let format = match format {
        Some(format) => format,
        None => Format::guess(path).map_err(unreadable)?,
    };
    if let Some(assumption) = format.assumption() {
        output::note(format!("note: format {format}: {assumption}"));
    }
    readers::open(path, format).map_err(unreadable)
}

fn unreadable(error: ReadError) -> anyhow::Error {
    let hint = match &error {
        ReadError::Open { .. } => "check the path",
        ReadError::Empty { .. } | ReadError::Broken { .. } => "check the file",
        ReadError::HeaderEncoding { .. }
        | ReadError::MissingColumns { .. }
        | ReadError::UnknownFormat { .. }
        | ReadError::Unrecognised { .. } => {
            "--format names the format of the file; `cartwright events import --help` lists them"
        }
    };
    Failure::usage_because(error).hint(hint).into()
}

/// Where lines go that are no event: a file of JSON lines, or the first few to the terminal.
#[derive(Debug)]
pub(crate) struct Rejects {
    file: Option<BufWriter<File>>,
    count: u64,
}

impl Rejects {
    pub(crate) fn to(path: Option<&PathBuf>) -> anyhow::Result<Self> {
        let file = path
            .map(|path| File::create(path).with_context(|| format!("create {}", path.display())))
            .transpose()?
            .map(BufWriter::new);
        Ok(Self { file, count: 0 })
    }

    pub(crate) fn add(&mut self, line: u64, reason: &str, raw: &str) -> anyhow::Result<()> {
        self.count += 1;
        match &mut self.file {
            Some(file) => {
                let row = json!({ "line": line, "reason": reason, "raw": raw });
                writeln!(file, "{row}").context("write the reject file")
            }
            None => {
                if self.count <= SHOWN {
                    output::note(format!("line {line}: {reason}"));
                } else if self.count == SHOWN + 1 {
                    output::note("more lines are bad; --rejects FILE keeps them all");
                }
                Ok(())
            }
        }
    }

    pub(crate) fn finish(mut self) -> anyhow::Result<u64> {
        if let Some(file) = &mut self.file {
            file.flush().context("write the reject file")?;
        }
        Ok(self.count)
    }
}

/// The lines of an event file, with a progress bar.
#[derive(Debug)]
pub(crate) struct Lines {
    reader: EventReader,
    bar: ProgressBar,
}

impl Lines {
    pub(crate) fn open(path: &Path, format: Option<Format>) -> anyhow::Result<Self> {
        let reader = open(path, format)?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let bar = output::bytes_bar(Some(reader.total_bytes()), &format!("reading {name}"));
        Ok(Self { reader, bar })
    }

    /// Asked after the last line: whether the file ended there, or reading broke off.
    pub(crate) fn end(&mut self) -> anyhow::Result<()> {
        match self.reader.failure() {
            Some(problem) => Err(problem.into()),
            None => Ok(()),
        }
    }
}

impl Iterator for Lines {
    type Item = Result<Parsed, BadLine>;

    fn next(&mut self) -> Option<Self::Item> {
        let line = self.reader.next();
        match line {
            None => self.bar.finish_and_clear(),
            Some(_) => self.bar.set_position(self.reader.bytes_read()),
        }
        line
    }
}

/// All events of some files, and what they say about items.
#[derive(Debug, Default)]
pub(crate) struct Log {
    pub(crate) events: Vec<Event>,
    pub(crate) items: Vec<Item>,
    pub(crate) bad_lines: u64,
    /// Events of erased shoppers that open for nobody any more.
    pub(crate) unreadable: u64,
}

impl Log {
    pub(crate) fn read(
        paths: &[PathBuf],
        format: Option<Format>,
        rejects: Option<&PathBuf>,
    ) -> anyhow::Result<Self> {
        let mut rejects = Rejects::to(rejects)?;
        let mut hints = ItemHints::default();
        let mut events = Vec::new();
        for path in paths {
            let mut lines = Lines::open(path, format)?;
            for line in &mut lines {
                match line {
                    Err(bad) => rejects.add(bad.line, &bad.reason, &bad.raw)?,
                    Ok(parsed) => {
                        if let Some(hint) = &parsed.item {
                            hints.observe(hint, parsed.event.occurred_at);
                        }
                        events.push(parsed.event);
                    }
                }
            }
            lines.end()?;
        }
        let bad_lines = rejects.finish()?;
        Ok(Self {
            events,
            items: hints.into_items(),
            bad_lines,
            unreadable: 0,
        })
    }
}

impl Log {
    /// The event log of a store, and its items.
    pub(crate) async fn of(store: &FeatureStore) -> anyhow::Result<Self> {
        let bar = output::count_bar(Some(0), "reading the event log");
        let mut progress = |read, of| {
            bar.set_length(of);
            bar.set_position(read);
        };
        let log = store.event_log(&mut progress).await;
        bar.finish_and_clear();
        let log = log.context("read the event log")?;
        let events = log.entries().map(|seen| seen.entry.event.clone());
        Ok(Self {
            events: events.collect(),
            items: store.stored_items().await.context("read the items")?,
            bad_lines: 0,
            unreadable: log.erased(),
        })
    }
}

/// A line of a file of items, with the names of the contract.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ItemLine {
    item_id: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    category_path: Vec<String>,
    #[serde(default)]
    brand: String,
    #[serde(default)]
    price_minor: i64,
    #[serde(default)]
    currency: String,
    cost_minor: Option<i64>,
    margin_rate: Option<f64>,
    stock: Option<i64>,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default)]
    unsellable: bool,
}

/// Reads items, one JSON object a line.
pub(crate) fn items(path: &Path) -> anyhow::Result<Vec<Item>> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("read {}", path.display()))
        .or_usage("--items takes a file of JSON lines: {\"item_id\": \"1\", \"name\": \"lamp\"}")?;
    let lines = text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(before, line)| {
            let item: ItemLine = serde_json::from_str(line)
                .with_context(|| format!("{}, line {}", path.display(), before + 1))
                .or_usage("the fields are those of an item in catalog.proto")?;
            Ok(item.into())
        })
        .collect()
}

impl From<ItemLine> for Item {
    fn from(line: ItemLine) -> Self {
        Self {
            item_id: line.item_id,
            name: line.name,
            category_path: line.category_path,
            brand: line.brand,
            price_minor: line.price_minor,
            currency: line.currency,
            cost_minor: line.cost_minor,
            margin_rate: line.margin_rate,
            stock: line.stock,
            tags: line.tags,
            unsellable: line.unsellable,
        }
    }
}
