//! `serve`: runs one role, or all three in one process.

use std::path::PathBuf;

use clap::ValueEnum;
use jiff::Timestamp;
use kit::CancellationToken;
use kit::config::{self, Layers, Settings};

use crate::failure::{Failure, OrFail as _};
use crate::output;
use crate::roles::{self, Served};

/// Serves one role, or all three in one process
///
/// `all` listens on 7101 (features), 7102 (candidates) and 7103 (recovery), with metrics and probes
/// on 7100, and keeps state in an embedded store. Single roles share a Redis; their metrics are on
/// 7111, 7112 and 7113. Every setting has a default; --config FILE, then the environment
/// (`CARTWRIGHT_<ROLE>_<KEY>`), then flags change it. SIGTERM lets requests in flight finish.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cartwright serve all --snapshot model
  cartwright serve features --redis redis://127.0.0.1:6379
  cartwright serve recovery --snapshot model --redis redis://127.0.0.1:6379 --dump-config")]
pub(crate) struct Args {
    /// What to serve
    role: Role,
    /// Settings in TOML
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Snapshot to answer from (candidates, recovery, all)
    #[arg(long, value_name = "DIR")]
    snapshot: Option<PathBuf>,
    /// Registry to follow: what its newest activation names goes live. A folder, s3://, gs://, az://
    #[arg(long, value_name = "URL")]
    registry: Option<String>,
    /// Where snapshots of the registry are kept on this machine
    #[arg(long, value_name = "DIR")]
    cache: Option<PathBuf>,
    /// Store that several processes share; without it state is embedded (features, all)
    #[arg(long, value_name = "URL")]
    redis: Option<String>,
    /// Separates shops that share a Redis
    #[arg(long, value_name = "TEXT")]
    key_prefix: Option<String>,
    /// Folder of the embedded store (features, all)
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Where gRPC listens; port 0 picks a free one (single roles)
    #[arg(long, value_name = "ADDR")]
    addr: Option<String>,
    /// Where metrics and probes are served; `none` for nowhere
    #[arg(long, value_name = "ADDR")]
    admin: Option<String>,
    /// The features role (candidates, recovery)
    #[arg(long, value_name = "URL")]
    features: Option<String>,
    /// The candidates role (recovery)
    #[arg(long, value_name = "URL")]
    candidates: Option<String>,
    /// Listen beyond loopback without TLS and tokens
    #[arg(long)]
    insecure: bool,
    /// Simulate the clock: the time it starts at
    #[arg(long, value_name = "RFC3339")]
    clock_start: Option<Timestamp>,
    /// How fast the simulated clock runs
    #[arg(long, value_name = "N", requires = "clock_start")]
    clock_speed: Option<f64>,
    /// Machine time at which the simulated clock started, for processes that share one
    #[arg(long, value_name = "MS", requires = "clock_start", hide = true)]
    clock_since_ms: Option<i64>,
    /// What to log: a level, or directives such as info,features=debug
    #[arg(long, value_name = "FILTER")]
    log: Option<String>,
    /// Log one JSON object a line
    #[arg(long)]
    log_json: bool,
    /// Send traces to this OTLP receiver, e.g. http://127.0.0.1:4317
    #[arg(long, value_name = "URL")]
    otlp: Option<String>,
    /// How the receiver is spoken to: grpc, or http (protobuf)
    #[arg(long, value_name = "PROTOCOL")]
    otlp_protocol: Option<String>,
    /// Share of traces to send, 0 to 1; failed, degraded and slow requests are sent in any case
    #[arg(long, value_name = "RATIO")]
    trace_sample: Option<f64>,
    /// Threads that answer requests [default: half of the cores]
    #[arg(long, value_name = "N", env = "CARTWRIGHT_THREADS", value_parser = clap::value_parser!(u16).range(1..=1_024))]
    threads: Option<u16>,
    /// Print the settings in force as TOML, and end
    #[arg(long)]
    dump_config: bool,
    /// End when standard input closes, so that a parent that was killed leaves nothing behind
    #[arg(long, hide = true)]
    until_stdin_closes: bool,
}

#[derive(Copy, Clone, Debug, PartialEq, Eq, ValueEnum)]
enum Role {
    All,
    Features,
    Candidates,
    Recovery,
}

impl Role {
    fn name(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Features => "features",
            Self::Candidates => "candidates",
            Self::Recovery => "recovery",
        }
    }
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    match args.role {
        Role::All => serve(args, roles::all),
        Role::Features => serve(args, roles::features),
        Role::Candidates => serve(args, roles::candidates),
        Role::Recovery => serve(args, roles::recovery),
    }
}

fn serve<C, F>(args: &Args, start: impl FnOnce(C, CancellationToken) -> F) -> anyhow::Result<()>
where
    C: Served,
    F: Future<Output = anyhow::Result<()>>,
{
    let settings: C = load(args)?;
    if args.dump_config {
        output::result(config::dump(&settings)?.trim_end());
        return Ok(());
    }
    kit::telemetry::init(settings.log());
    super::block_on_threads(args.threads, async {
        let stop = kit::shutdown::on_signals()?;
        if args.until_stdin_closes {
            let stop = stop.clone();
            crate::children::when_stdin_closes(move || stop.cancel());
        }
        start(settings, stop).await
    })
}

fn load<C: Settings>(args: &Args) -> anyhow::Result<C> {
    let layers = Layers {
        role: args.role.name().to_owned(),
        file: args.config.clone(),
        environment: config::environment(),
        flags: flags(args)?,
    };
    config::load(&layers).or_usage(format!(
        "`cartwright serve {} --dump-config` prints the settings with their defaults",
        args.role.name()
    ))
}

/// The flags as settings. One that the role does not have is a mistake like any other.
fn flags(args: &Args) -> anyhow::Result<Vec<(String, String)>> {
    let path = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
    let speed = args
        .clock_start
        .map(|_| args.clock_speed.unwrap_or(1.0).to_string());
    let given = [
        ("snapshot", path(&args.snapshot)),
        ("registry", args.registry.clone()),
        ("cache", path(&args.cache)),
        ("redis", args.redis.clone()),
        ("log.filter", args.log.clone()),
        ("log.format", args.log_json.then(|| "json".to_owned())),
        ("telemetry.otlp", args.otlp.clone()),
        ("telemetry.protocol", args.otlp_protocol.clone()),
        (
            "telemetry.sample",
            args.trace_sample.map(|share| share.to_string()),
        ),
        ("key_prefix", args.key_prefix.clone()),
        ("data", path(&args.data)),
        ("addr", args.addr.clone()),
        ("admin", args.admin.clone()),
        ("features", args.features.clone()),
        ("candidates", args.candidates.clone()),
        (
            "clock.epoch_ms",
            args.clock_start.map(|at| at.as_millisecond().to_string()),
        ),
        ("clock.speed", speed),
        (
            "clock.start_ms",
            args.clock_since_ms.map(|ms| ms.to_string()),
        ),
        (
            "security.insecure",
            args.insecure.then(|| "true".to_owned()),
        ),
    ];
    let all = args.role == Role::All;
    if all && (args.addr.is_some() || args.features.is_some() || args.candidates.is_some()) {
        return Err(Failure::usage("--addr, --features and --candidates are for single roles")
            .hint("for `serve all` set features.addr, candidates.addr and recovery.addr in --config FILE")
            .into());
    }
    let given = given
        .into_iter()
        .filter_map(|(key, value)| Some((key.to_owned(), value?)));
    Ok(given.collect())
}
