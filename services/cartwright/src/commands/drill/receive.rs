//! `drill receive`: an independent receiver, in a process of its own so that it can be killed.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use kit::config::Period;

use crate::living::Arrival;
use crate::living::receiver::Receiver;

/// One in so many is not acknowledged at first.
const FORGETS: u32 = 16;

/// Takes actions and writes each down before it acknowledges it
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  cartwright drill receive --to http://127.0.0.1:7103 --journal actions.jsonl")]
pub(super) struct Args {
    /// Recovery roles, asked one after the other when the one before is gone
    #[arg(long, value_name = "URL", value_delimiter = ',', default_value = crate::remote::RECOVERY)]
    to: Vec<String>,
    /// Name of this receiver
    #[arg(long, value_name = "NAME", default_value = "receiver")]
    name: String,
    /// File that every action is added to, as JSON lines
    #[arg(long, value_name = "FILE")]
    journal: PathBuf,
    /// How long an action may wait before it comes again
    #[arg(long, value_name = "TIME", default_value = "60s")]
    lease: Period,
    /// End when standard input closes
    #[arg(long, hide = true)]
    until_stdin_closes: bool,
}

pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    let mut journal = open(&args.journal)?;
    if args.until_stdin_closes {
        crate::children::when_stdin_closes(|| std::process::exit(0));
    }
    let receiver = Receiver {
        name: args.name.clone(),
        lease: args.lease.0,
        urls: args.to.clone(),
        forgets: FORGETS,
    };
    crate::commands::block_on(receiver.run(|arrival| keep(&mut journal, &arrival)))
}

/// Goes on at its end; a line that a kill cut in two is ended, and does not count.
fn open(path: &Path) -> anyhow::Result<File> {
    let opened = OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .open(path);
    let mut file = opened.with_context(|| format!("open {}", path.display()))?;
    let mut last = [b'\n'];
    if file.metadata()?.len() > 0 {
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
    }
    if last != [b'\n'] {
        file.write_all(b"\n")?;
    }
    Ok(file)
}

/// One call to the system: what it took is there when this process is killed.
fn keep(journal: &mut File, arrival: &Arrival) -> anyhow::Result<()> {
    let mut line = serde_json::to_vec(arrival)?;
    line.push(b'\n');
    journal.write_all(&line).context("write the journal")
}

/// Reads on in a journal that somebody else writes.
#[derive(Debug)]
pub(super) struct Tail {
    path: PathBuf,
    file: Option<File>,
    rest: Vec<u8>,
}

impl Tail {
    pub(super) fn new(path: PathBuf) -> Self {
        Self {
            path,
            file: None,
            rest: Vec::new(),
        }
    }

    /// The arrivals since the last time; none while there is no file.
    pub(super) fn read(&mut self) -> anyhow::Result<Vec<Arrival>> {
        if self.file.is_none() {
            self.file = File::open(&self.path).ok();
        }
        let Some(file) = &mut self.file else {
            return Ok(Vec::new());
        };
        file.read_to_end(&mut self.rest).context("read a journal")?;
        let Some(end) = self.rest.iter().rposition(|byte| *byte == b'\n') else {
            return Ok(Vec::new());
        };
        let rest = self.rest.split_off(end + 1);
        let lines = std::mem::replace(&mut self.rest, rest);
        let lines = lines.split(|byte| *byte == b'\n');
        // What a kill cut in two was not acknowledged, and comes again.
        let whole = lines.filter_map(|line| serde_json::from_slice(line).ok());
        Ok(whole.collect())
    }
}
