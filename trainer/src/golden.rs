//! Requests with the answers that the models gave when they were made. Whoever loads a snapshot
//! asks them again; another answer means that the file or the code is not what was measured.

use std::time::Duration;

use feature_store::Millis;
use policy::{Decision, Inputs, Policy};
use ranking::RiskModel;
use retrieval::{Gate, Kind, Model, Query, Recent};
use serde::{Deserialize, Serialize};
use snapshot::{Catalogue, Snapshot, files};

use crate::covisitation::Rows;
use crate::metrics::real;
use crate::moments::thinned;
use crate::risk::Sample;
use crate::sessions::GAP;
use crate::{Error, walks};

/// How far a score may be from the recorded one.
pub const TOLERANCE: f64 = 1e-6;

const REQUESTS: usize = 20;
const RISKS: usize = 20;
const DECISIONS: usize = 10;
const CANDIDATES: usize = 20;

/// A line of `golden/retrieve.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Retrieval {
    /// (item, kind, age in ms); kinds are view, add, remove, checkout and purchase.
    pub recent: Vec<(String, String, u64)>,
    pub exclude: Vec<String>,
    pub k: usize,
    /// Absent in lines written when what was bought could be answered without asking for it: such
    /// a line says nothing about this build where it has a purchase.
    #[serde(default)]
    pub rebuy: Option<bool>,
    /// (item, score), best first.
    pub answer: Vec<(String, f64)>,
    pub tolerance: f64,
}

/// A line of `golden/risk.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Risk {
    /// In the order of the model's feature names.
    pub values: Vec<Option<f64>>,
    pub risk: f64,
    pub tolerance: f64,
}

/// A line of `golden/policy.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Policed {
    pub inputs: Inputs,
    pub seed: u64,
    pub decision: Decision,
    pub tolerance: f64,
}

/// Asks every golden request of a snapshot again. Says how many lines were asked; the first that
/// answers otherwise is an error that names its file and line.
pub fn check(snapshot: &Snapshot) -> Result<usize, Error> {
    let model = Model::load(snapshot)?;
    let gate = Gate::open(model.catalogue().len());
    let requests = lines::<Retrieval>(snapshot, files::GOLDEN_RETRIEVE)?;
    let comparable = requests
        .iter()
        .zip(1..)
        .filter(|(one, _)| !one.is_outdated());
    for (golden, line) in comparable {
        let found = answer(&model, &golden.query()?, &gate)?;
        let same = golden.answer.len() == found.len()
            && golden
                .answer
                .iter()
                .zip(&found)
                .all(|(a, b)| a.0 == b.0 && (a.1 - b.1).abs() <= golden.tolerance);
        same.then_some(()).ok_or(Error::Golden {
            file: files::GOLDEN_RETRIEVE,
            line,
        })?;
    }
    let risk = RiskModel::parse(&text(snapshot, files::RISK)?)?;
    let risks = lines::<Risk>(snapshot, files::GOLDEN_RISK)?;
    for (golden, line) in risks.iter().zip(1..) {
        let same = (risk.risk(&golden.values) - golden.risk).abs() <= golden.tolerance;
        same.then_some(()).ok_or(Error::Golden {
            file: files::GOLDEN_RISK,
            line,
        })?;
    }
    let policy = parse_policy(&text(snapshot, files::POLICY)?)?;
    let decisions = lines::<Policed>(snapshot, files::GOLDEN_POLICY)?;
    for (golden, line) in decisions.iter().zip(1..) {
        let found = policy.decide(&golden.inputs, golden.seed);
        let same = found.arm == golden.decision.arm
            && found.action == golden.decision.action
            && (found.value - golden.decision.value).abs() <= golden.tolerance;
        same.then_some(()).ok_or(Error::Golden {
            file: files::GOLDEN_POLICY,
            line,
        })?;
    }
    Ok(requests.len() + risks.len() + decisions.len())
}

impl Retrieval {
    fn is_outdated(&self) -> bool {
        let bought = |(_, kind, _): &(String, String, u64)| kind == "purchase";
        self.rebuy.is_none() && self.recent.iter().any(bought)
    }

    fn query(&self) -> Result<Query, Error> {
        let recent = self.recent.iter().map(|(item_id, name, age)| {
            let kind = KINDS
                .iter()
                .find(|(known, _)| known == name)
                .map(|(_, kind)| *kind);
            let age = Duration::from_millis(*age);
            kind.map(|kind| Recent {
                item_id: item_id.clone(),
                kind,
                age,
            })
        });
        let recent: Option<Vec<Recent>> = recent.collect();
        let recent = recent.ok_or(Error::Golden {
            file: files::GOLDEN_RETRIEVE,
            line: 0,
        })?;
        Ok(Query {
            recent,
            exclude: self.exclude.clone(),
            k: self.k,
            rebuy: self.rebuy.unwrap_or(false),
            ..Query::default()
        })
    }
}

const KINDS: [(&str, Kind); 5] = [
    ("view", Kind::View),
    ("add", Kind::Add),
    ("remove", Kind::Remove),
    ("checkout", Kind::Checkout),
    ("purchase", Kind::Purchase),
];

fn name(kind: Kind) -> &'static str {
    KINDS
        .iter()
        .find(|(_, known)| *known == kind)
        .map_or("view", |(name, _)| name)
}

pub(crate) fn parse_policy(text: &str) -> Result<Policy, Error> {
    Policy::parse(text).map_err(|problems| {
        let shown: Vec<String> = problems
            .iter()
            .map(|p| format!("line {}, column {}: {}", p.line, p.column, p.message))
            .collect();
        Error::Policy {
            problems: shown.join("; "),
        }
    })
}

/// Requests about items that people see together, all over the catalogue.
pub(crate) fn retrieve(model: &Model, pairs: &Rows) -> Result<Vec<u8>, Error> {
    asked(
        model,
        walks::questions(pairs, model.catalogue(), REQUESTS, CANDIDATES),
    )
}

/// The same of questions that somebody else asks.
pub(crate) fn asked(model: &Model, queries: Vec<Query>) -> Result<Vec<u8>, Error> {
    let gate = Gate::open(model.catalogue().len());
    let mut out = Vec::new();
    for query in queries {
        push(&mut out, &recorded(model, &query, &gate)?)?;
    }
    Ok(out)
}

/// A question with the answer that the model gives now.
fn recorded(model: &Model, query: &Query, gate: &Gate) -> Result<Retrieval, Error> {
    let millis = |age: Duration| u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
    let recent = query.recent.iter();
    let recent = recent.map(|one| {
        let kind = name(one.kind).to_owned();
        (one.item_id.clone(), kind, millis(one.age))
    });
    Ok(Retrieval {
        recent: recent.collect(),
        exclude: query.exclude.clone(),
        k: query.k,
        rebuy: Some(query.rebuy),
        answer: answer(model, query, gate)?,
        tolerance: TOLERANCE,
    })
}

fn answer(model: &Model, query: &Query, gate: &Gate) -> Result<Vec<(String, f64)>, Error> {
    let candidates = model.retrieve(query, gate)?.candidates;
    Ok(candidates
        .into_iter()
        .map(|one| (one.item_id, one.score))
        .collect())
}

/// Carts that nobody had, each value of another cart of the log, and one of which nothing is known.
pub(crate) fn risk(model: &RiskModel, samples: &[Sample]) -> Result<Vec<u8>, Error> {
    let columns = model.feature_names().len();
    let lent = thinned(samples.iter().collect(), columns.max(RISKS));
    let value = |row: usize, column: usize| {
        let lender = lent.get((row + column) % lent.len().max(1));
        lender.and_then(|sample: &&Sample| sample.values.get(column).copied().flatten())
    };
    let row = |row: usize| (0..columns).map(|column| value(row, column)).collect();
    let mut rows: Vec<Vec<Option<f64>>> = (0..lent.len().min(RISKS - 1)).map(row).collect();
    rows.push(vec![None; columns]);
    let mut out = Vec::new();
    for values in rows {
        push(
            &mut out,
            &Risk {
                risk: model.risk(&values),
                values,
                tolerance: TOLERANCE,
            },
        )?;
    }
    Ok(out)
}

/// Carts of growing size and value at growing risk, of items of the catalogue.
pub(crate) fn policed(
    policy: &Policy,
    catalogue: &Catalogue,
    end: Millis,
) -> Result<Vec<u8>, Error> {
    let mut out = Vec::new();
    for (at, seed) in (0..DECISIONS).zip(1_u64..) {
        let inputs = inputs(catalogue, at, end);
        let decision = policy.decide(&inputs, seed);
        push(
            &mut out,
            &Policed {
                inputs,
                seed,
                decision,
                tolerance: TOLERANCE,
            },
        )?;
    }
    Ok(out)
}

fn inputs(catalogue: &Catalogue, at: usize, end: Millis) -> Inputs {
    let items = catalogue.items().iter().filter(|item| item.price_minor > 0);
    let items: Vec<_> = items.skip(at * 7).take(1 + at % 4).collect();
    let lines = items.iter().map(|item| policy::Line {
        item_id: item.item_id.clone(),
        quantity: 1,
        price_minor: item.price_minor,
        cost_minor: item.cost_minor,
        margin_rate: item.margin_rate,
        category: item.category_path.join("."),
        brand: item.brand.clone(),
    });
    Inputs {
        lines: lines.collect(),
        currency: items
            .first()
            .map(|item| item.currency.clone())
            .unwrap_or_default(),
        risk: 0.05 + real(at) / real(DECISIONS),
        consented_channels: vec!["email".to_owned()],
        idle: GAP,
        now_ms: end.0,
        ..Inputs::default()
    }
}

fn push(out: &mut Vec<u8>, line: &impl Serialize) -> Result<(), Error> {
    let written = serde_json::to_writer(&mut *out, line);
    written.map_err(|source| Error::Json {
        what: "golden requests",
        source,
    })?;
    out.push(b'\n');
    Ok(())
}

fn text(snapshot: &Snapshot, file: &'static str) -> Result<String, Error> {
    let bytes = snapshot.read(file)?;
    String::from_utf8(bytes).map_err(|_| Error::Golden { file, line: 0 })
}

fn lines<T: for<'a> Deserialize<'a>>(
    snapshot: &Snapshot,
    file: &'static str,
) -> Result<Vec<T>, Error> {
    let text = text(snapshot, file)?;
    let parsed = text
        .lines()
        .map(serde_json::from_str)
        .collect::<Result<_, _>>();
    parsed.map_err(|source| Error::Json { what: file, source })
}
