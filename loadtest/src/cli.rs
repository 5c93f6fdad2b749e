//! The command line and what its `--help` says.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, Parser};

use crate::period;
use crate::scenario::{Kind, UnknownScenario};
use crate::schedule::Shape;
use crate::slo::Slo;
use crate::targets::{Role, parse_url};

/// Measures whether Cartwright's latency objectives hold
///
/// Requests leave on a schedule made before the run, whatever the server does, and latency counts
/// from the intended start: a stalled server is seen as its callers see it. Answers are checked,
/// not only timed. A run in which this tool was the bottleneck is declared invalid.
///
/// Scenarios: features (GetFeatures of 50 features), retrieve, decide (PREVIEW), decide-commit,
/// events (PushEvents), mixed (events and decisions as in a real shop), freshness (push, then read
/// until it can be seen). A scenario may carry its own rate: decide@1500.
///
/// The table goes to stdout, all else to stderr. Exit code 0: every run is valid and every
/// objective holds; 1: not so, or a server cannot be reached; 64: bad usage.
#[derive(Debug, Parser)]
#[command(
    name = "cartwright-loadtest",
    version,
    after_help = "Examples:
  cartwright-loadtest features --rate 2000 --duration 30s --slo 'p99<10ms' 'errors<0.01%'
  cartwright-loadtest decide decide-commit --find-max --json report.json --html report.html
  cartwright-loadtest features@2000 retrieve@500 decide@1000 --item-ids model/items.jsonl"
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) run: RunArgs,
}

/// A scenario, perhaps with a rate of its own.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Chosen {
    pub(crate) kind: Kind,
    pub(crate) rate: Option<f64>,
}

impl FromStr for Chosen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, rate) = text
            .split_once('@')
            .map_or((text, None), |(n, r)| (n, Some(r)));
        let kind = name.parse().map_err(|e: UnknownScenario| e.to_string())?;
        let rate = rate.map(parse_rate).transpose()?;
        Ok(Self { kind, rate })
    }
}

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// What to send: one or more scenarios, run one after the other.
    #[arg(required = true, value_name = "SCENARIO")]
    pub(crate) scenarios: Vec<Chosen>,
    /// Server of events, features and items.
    #[arg(long, value_name = "URL", value_parser = parse_url, default_value = "http://127.0.0.1:7101")]
    pub(crate) features: String,
    /// Server of candidates.
    #[arg(long, value_name = "URL", value_parser = parse_url, default_value = "http://127.0.0.1:7102")]
    pub(crate) candidates: String,
    /// Server of decisions.
    #[arg(long, value_name = "URL", value_parser = parse_url, default_value = "http://127.0.0.1:7103")]
    pub(crate) recovery: String,
    #[command(flatten)]
    pub(crate) load: LoadArgs,
    #[command(flatten)]
    pub(crate) shop: ShopArgs,
    #[command(flatten)]
    pub(crate) generator: GeneratorArgs,
    /// Objectives: p50…p99.999, mean, max, lag (durations), errors, degraded (shares), rate.
    #[arg(long, value_name = "EXPR", num_args = 1.., value_delimiter = ',')]
    pub(crate) slo: Vec<Slo>,
    /// Search the highest rate of which 99 % is achieved with p99 below --find-max-p99; without
    /// --rate the entry is that of the run at 70 % of it.
    #[arg(long)]
    pub(crate) find_max: bool,
    /// Measured time of each step of the search.
    #[arg(long, value_name = "TIME", value_parser = period::positive, default_value = "5s")]
    pub(crate) find_max_step: Duration,
    /// What p99 has to stay below in the search.
    #[arg(long, value_name = "TIME", value_parser = period::positive, default_value = "25ms")]
    pub(crate) find_max_p99: Duration,
    /// Write the results as JSON, one entry per scenario.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Write a report to look at: one file, nothing else needed.
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Load")]
pub(crate) struct LoadArgs {
    /// Requests a second [default: 100, and where the search starts].
    #[arg(long, value_parser = parse_rate)]
    pub(crate) rate: Option<f64>,
    /// Measured time.
    #[arg(long, value_name = "TIME", value_parser = period::positive, default_value = "10s")]
    pub(crate) duration: Duration,
    /// Sent before it and not measured.
    #[arg(long, value_name = "TIME", value_parser = period::parse, default_value = "2s")]
    pub(crate) warmup: Duration,
    /// constant, poisson, ramp (a tenth of the rate up to it) or step:N (N equal steps up to it).
    #[arg(long, value_name = "SHAPE", default_value = "constant")]
    pub(crate) arrival: Shape,
    /// Deadline of a request; the server is told.
    #[arg(long, value_name = "TIME", value_parser = period::positive, default_value = "1s")]
    pub(crate) timeout: Duration,
    /// Seed of arrivals, shoppers and requests.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Shop")]
pub(crate) struct ShopArgs {
    /// Shoppers with carts, pushed before the run.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) shoppers: u32,
    /// Items made up and pushed before the run.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(10..=1_000_000))]
    pub(crate) items: u32,
    /// Items to use instead: ids one a line, or a snapshot's items.jsonl. Not pushed.
    #[arg(long, value_name = "FILE", conflicts_with = "items")]
    pub(crate) item_ids: Option<PathBuf>,
    /// Decide with COMMIT instead of PREVIEW.
    #[arg(long)]
    pub(crate) commit: bool,
    /// Generation to pin requests to [default: the live one].
    #[arg(long, value_name = "ID", default_value = "", hide_default_value = true)]
    pub(crate) generation: String,
    /// Candidates asked for by retrieve.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub(crate) k: u32,
    /// Shoppers in one request of features.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) entities: u16,
    /// Events in one request of events.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    pub(crate) batch: u16,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Generator")]
pub(crate) struct GeneratorArgs {
    /// Connections to each server.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    pub(crate) connections: u16,
    /// Threads that send and receive [default: half the cores].
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) threads: Option<u16>,
    /// Requests in flight at a time; a run that reaches it is invalid.
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) in_flight: u32,
    /// p99 of actual send less intended start above which a run is invalid.
    #[arg(long, value_name = "TIME", value_parser = period::positive, default_value = "10ms")]
    pub(crate) max_lag: Duration,
}

fn parse_rate(text: &str) -> Result<f64, String> {
    let rate = text
        .parse()
        .ok()
        .filter(|rate| (0.1..=1_000_000.0).contains(rate));
    rate.ok_or_else(|| format!("rate is {text:?}, 0.1 to 1000000 requests a second are allowed"))
}

impl RunArgs {
    /// `--commit` turns PREVIEW into COMMIT.
    pub(crate) fn chosen(&self) -> Vec<Chosen> {
        let commit = |kind| match kind {
            Kind::Decide { commit } => Kind::Decide {
                commit: commit || self.shop.commit,
            },
            Kind::Features | Kind::Retrieve | Kind::Events | Kind::Mixed | Kind::Freshness => kind,
        };
        let chosen = self.scenarios.iter();
        chosen
            .map(|c| Chosen {
                kind: commit(c.kind),
                rate: c.rate,
            })
            .collect()
    }

    pub(crate) fn url(&self, role: Role) -> &str {
        match role {
            Role::Features => &self.features,
            Role::Candidates => &self.candidates,
            Role::Recovery => &self.recovery,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(line.split_whitespace())
    }

    #[test]
    fn the_command_form_is_understood() {
        let line = "x decide retrieve@50 --features http://a:1 --candidates http://b:2 \
             --recovery http://c:3 --rate 1500 --duration 30s --slo p99<10ms errors<0.01% \
             --find-max --json j --html h";
        let run = parse(line).unwrap().run;
        assert_eq!(run.scenarios[1].rate, Some(50.0));
        assert_eq!(run.slo.len(), 2);
        assert_eq!(run.load.duration, Duration::from_secs(30));
        assert!(run.find_max);
        assert_eq!(run.url(Role::Recovery), "http://c:3");
    }

    #[test]
    fn commit_is_a_flag_or_a_scenario() {
        let commit = Kind::Decide { commit: true };
        for line in ["x decide --commit", "x decide-commit"] {
            let run = parse(line).unwrap().run;
            assert_eq!(run.chosen()[0].kind, commit, "{line}");
        }
        let run = parse("x features --commit").unwrap().run;
        assert_eq!(run.chosen()[0].kind, Kind::Features);
    }

    #[test]
    fn mistakes_are_refused_with_what_is_allowed() {
        for (line, needed) in [
            ("x", "required"),
            ("x swap", "allowed are features, retrieve"),
            ("x features@fast", "requests a second are allowed"),
            ("x features --rate 0", "requests a second are allowed"),
            ("x features --duration 0s", "a number with us, ms, s or m"),
            ("x features --slo p99", "a comparison is needed"),
            ("x features --features 127.0.0.1:7101", "http://HOST:PORT"),
            ("x features --arrival burst", "constant, poisson"),
            ("x features --items 50 --item-ids f", "cannot be used with"),
        ] {
            let error = parse(line).unwrap_err().to_string();
            assert!(error.contains(needed), "{line}: {error}");
        }
    }
}
