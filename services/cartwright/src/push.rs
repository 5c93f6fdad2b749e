//! Sending events to a running server: in batches, several at a time, each shopper's in order.

mod lane;
mod sorter;
mod source;

use std::time::Duration;

use anyhow::Context as _;
use proto::v1 as pb;
use serde::Serialize;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::remote;

use lane::Lane;
use sorter::{Sorter, Stopped};
pub(crate) use source::{InMemory, Source};

/// Events in one request.
const BATCH: usize = 500;
/// Requests on their way at a time. A shopper's events all take the same lane.
const LANES: usize = 4;
/// Batches that wait for a lane before reading stops.
const QUEUE: usize = 4;

/// What became of the events.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Totals {
    pub(crate) pushed: u64,
    pub(crate) accepted: u64,
    pub(crate) duplicate: u64,
    pub(crate) rejected: u64,
}

/// How to push.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) url: String,
    pub(crate) access: remote::Access,
    /// Events in a second; as fast as the server takes them when absent.
    pub(crate) rate: Option<u32>,
    /// How long to try again while the server is away.
    pub(crate) patience: Duration,
}

/// An event or a line that was not taken.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) line: u64,
    pub(crate) reason: String,
    /// The line, or the event's id where the server refused it.
    pub(crate) raw: String,
}

/// News of a push, as it goes.
#[derive(Debug)]
pub(crate) enum News {
    /// A batch was answered.
    Answered(Totals),
    /// A line is no event.
    BadLine(Refusal),
    /// The server refused an event.
    Refused(Refusal),
}

/// How a push went, also where it failed half way.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) totals: Totals,
    pub(crate) bad_lines: u64,
    pub(crate) result: anyhow::Result<()>,
}

#[derive(Debug)]
struct Numbered {
    line: u64,
    event: pb::Event,
}

/// Pushes the lines of a file or of memory, and tells what happens as it goes.
pub(crate) async fn push<S: Source>(
    settings: &Settings,
    lines: S,
    hear: &mut dyn FnMut(&News),
) -> Report {
    let mut report = Report {
        totals: Totals::default(),
        bad_lines: 0,
        result: Ok(()),
    };
    let mut work = JoinSet::new();
    let mut news = match start(settings, lines, &mut work) {
        Ok(news) => news,
        Err(error) => {
            return Report {
                result: Err(error),
                ..report
            };
        }
    };
    while let Some(said) = news.recv().await {
        report.count(&said);
        hear(&said);
    }
    // Every lane has ended by now: they hold the senders of `news`.
    while let Some(ended) = work.join_next().await {
        let ended = ended.context("push events").flatten();
        report.result = report.result.and(ended);
    }
    report
}

impl Report {
    fn count(&mut self, news: &News) {
        match news {
            News::Answered(totals) => self.totals.add(totals),
            News::BadLine(_) => self.bad_lines += 1,
            News::Refused(_) => {}
        }
    }
}

impl Totals {
    fn add(&mut self, other: &Self) {
        self.pushed += other.pushed;
        self.accepted += other.accepted;
        self.duplicate += other.duplicate;
        self.rejected += other.rejected;
    }
}

/// One thread that reads, and the lanes that send what it read.
fn start<S: Source>(
    settings: &Settings,
    mut lines: S,
    work: &mut JoinSet<anyhow::Result<()>>,
) -> anyhow::Result<mpsc::Receiver<News>> {
    let (say, news) = mpsc::channel(64);
    let channel = remote::connect_lazily(&settings.url, &settings.access)?;
    let mut senders = Vec::with_capacity(LANES);
    for _ in 0..LANES {
        let (sender, batches) = mpsc::channel(QUEUE);
        senders.push(sender);
        let lane = Lane::new(channel.clone(), settings, say.clone());
        work.spawn(lane.run(batches));
    }
    work.spawn_blocking(move || {
        // A lane that stopped has its own error to tell, so the reader just ends.
        match (Sorter { senders, say }).read(&mut lines) {
            Ok(()) => lines.end(),
            Err(Stopped) => Ok(()),
        }
    });
    Ok(news)
}
