//! `build`: a snapshot of what a team has.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::json;
use trainer::build::{Built, Given};

use crate::commands::policy;
use crate::failure::{Failure, OrFail as _};
use crate::output;

/// Builds a snapshot of what a team has: items, vectors, a ranker, a risk model, a policy
///
/// Nothing is learned here: `cartwright train` learns from events. What is not given is filled in and
/// listed. Features go by the names of `cartwright features list`; those of the model may differ in
/// case and signs, and any other is mapped by --names.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cartwright snapshot build --items items.parquet --embeddings collab=E.npy --ranker model.txt --out model
  cartwright snapshot build --items items.jsonl --embeddings collab=C.safetensors --embeddings image=I.npy \\
      --ranker ranker.json --risk risk.txt --policy policy.toml --golden scores.jsonl --out model
  cartwright snapshot build --items items.jsonl --embeddings text=T.safetensors --tower text=shopper.onnx \\
      --fusion fusion.json --ranker ranker.onnx --out model

Items have item_id, and may have name, category (a.b.c), brand, price_minor, currency, cost_minor and
margin_rate. A .npy has a row for each line of the items; a .safetensors may name its rows in the metadata
`ids`, a JSON list. Golden scores are those of the library that trained the ranker, as JSON lines:
  {\"rows\": [[1.5, null, 3.0]], \"scores\": [0.25]}")]
pub(crate) struct Args {
    /// Items: parquet, CSV or JSON lines
    #[arg(long, value_name = "FILE")]
    items: PathBuf,
    /// Vectors of items, as NAME=FILE.npy or NAME=FILE.safetensors; `collab` is the space in which a cart
    /// becomes a vector by least squares, all others are of content. May be given again
    #[arg(long, value_name = "NAME=FILE", value_parser = parse_pair)]
    embeddings: Vec<(String, PathBuf)>,
    /// How much an interaction counts against none, in the factorisation that `collab` comes from
    #[arg(long, value_name = "X", default_value_t = 10.0)]
    alpha: f64,
    /// Weight of that factorisation's penalty
    #[arg(long, value_name = "X", default_value_t = 0.1)]
    regularisation: f64,
    /// A network that makes a shopper's vector in a space, as NAME=FILE.onnx. Its metadata name the run
    /// that made it as `tower_id` and what it reads as `feature_names` (docs/models.md). May be given again
    #[arg(long, value_name = "NAME=FILE", value_parser = parse_pair)]
    tower: Vec<(String, PathBuf)>,
    /// The run that made the vectors of a space, as NAME=RUN, where their file has no metadata `tower_id`;
    /// its tower must be of the same. May be given again
    #[arg(long, value_name = "NAME=RUN", value_parser = parse_run)]
    run: Vec<(String, String)>,
    /// Weights of sources and spaces, as JSON (docs/retrieval.md)
    #[arg(long, value_name = "FILE")]
    fusion: Option<PathBuf>,
    /// The ranker: LightGBM's text, XGBoost's JSON, a network in the ONNX format, or Cartwright's
    #[arg(long, value_name = "FILE")]
    ranker: Option<PathBuf>,
    /// The risk model: as the ranker, of an objective whose scores are chances
    #[arg(long, value_name = "FILE")]
    risk: Option<PathBuf>,
    /// The policy; the shipped one when absent
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Scores of the library that trained the ranker; made by this build, and labelled so, when absent
    #[arg(long, value_name = "FILE", requires = "ranker")]
    golden: Option<PathBuf>,
    /// Measured figures as JSON, such as {"risk_auc": 0.81}
    #[arg(long, value_name = "FILE")]
    quality: Option<PathBuf>,
    /// Names of the models' features to those of the registry, as JSON: {"theirs": "ours"}
    #[arg(long, value_name = "FILE")]
    names: Option<PathBuf>,
    /// The folder to write; a snapshot that is there is replaced
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Seed of everything random
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Print as JSON
    #[arg(long)]
    json: bool,
}

fn parse_pair(given: &str) -> Result<(String, PathBuf), String> {
    let pair = given.split_once('=');
    let (name, file) = pair.ok_or("give a name and a file, such as collab=E.npy")?;
    Ok((name.to_owned(), PathBuf::from(file)))
}

fn parse_run(given: &str) -> Result<(String, String), String> {
    let pair = given.split_once('=');
    let (name, run) = pair.ok_or("give a name and a run, such as text=2026-03-01")?;
    Ok((name.to_owned(), run.to_owned()))
}

/// Pairs of a flag by their names.
fn named<T: Clone>(flag: &str, pairs: &[(String, T)]) -> anyhow::Result<BTreeMap<String, T>> {
    let mut named = BTreeMap::new();
    for (name, value) in pairs {
        if named.insert(name.clone(), value.clone()).is_some() {
            return Err(Failure::usage(format!("--{flag} {name} is given twice")).into());
        }
    }
    Ok(named)
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let given = Given {
        items: args.items.clone(),
        embeddings: named("embeddings", &args.embeddings)?,
        towers: named("tower", &args.tower)?,
        runs: named("run", &args.run)?,
        fusion: args.fusion.clone(),
        alpha: args.alpha,
        regularisation: args.regularisation,
        ranker: args.ranker.clone(),
        risk: args.risk.clone(),
        policy: (args.policy.as_deref())
            .map(|file| policy::load(Some(file)))
            .transpose()?,
        golden: args.golden.clone(),
        quality: args.quality.clone(),
        names: names(args)?,
        created_at_ms: kit::Clock::real().now_ms(),
        seed: args.seed,
    };
    let built = trainer::build::build(&given, &args.out);
    let built =
        built.or_hint("`cartwright snapshot build --help` says what each file has to hold")?;
    if args.json {
        return output::json(&json!({
            "id": built.snapshot.id(),
            "filled": built.filled,
            "renamed": built.renamed,
        }));
    }
    print(args, &built);
    Ok(())
}

fn names(args: &Args) -> anyhow::Result<BTreeMap<String, String>> {
    let Some(file) = &args.names else {
        return Ok(BTreeMap::new());
    };
    let text = std::fs::read_to_string(file).or_usage("--names takes a file of JSON")?;
    serde_json::from_str(&text).or_usage("--names takes {\"theirs\": \"ours\"}")
}

fn print(args: &Args, built: &Built) {
    let mut table = output::table(["snapshot", built.snapshot.id()]);
    for (theirs, ours) in &built.renamed {
        table.add_row(["renamed".to_owned(), format!("{theirs} → {ours}")]);
    }
    for what in &built.filled {
        table.add_row(["filled in".to_owned(), what.clone()]);
    }
    output::result(table);
    output::note(format!(
        "next: cartwright snapshot verify {} --gates",
        args.out.display()
    ));
}
