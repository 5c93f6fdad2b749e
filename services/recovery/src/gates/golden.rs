//! Carts, ranked rows and decisions that the snapshot holds with what came of them when it was
//! made.

use kit::causes::causes;
use policy::{Decision, Inputs};
use ranking::Matrix;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use snapshot::{Snapshot, Verdict, files, gates};

use crate::ROLE;
use crate::generation::Generation;

/// A line of `golden/risk.jsonl`.
#[derive(Debug, Deserialize)]
struct Cart {
    /// In the order of the model's feature names.
    values: Vec<Option<f64>>,
    risk: f64,
    tolerance: f64,
}

/// A line of `golden/rank.jsonl`: rows in the order of the ranker's columns, and their scores.
#[derive(Debug, Deserialize)]
struct Block {
    rows: Vec<Vec<Option<f32>>>,
    scores: Vec<f64>,
    /// What another library's scores may be off by, where the line does not say.
    #[serde(default = "of_libraries")]
    tolerance: f64,
}

fn of_libraries() -> f64 {
    1e-5
}

/// A line of `golden/policy.jsonl`.
#[derive(Debug, Deserialize)]
struct Decided {
    inputs: Inputs,
    seed: u64,
    decision: Decision,
    tolerance: f64,
}

/// What was asked, and how far the worst answer was off.
#[derive(Debug, Default)]
struct Asked {
    carts: usize,
    rows: usize,
    decisions: usize,
    worst: f64,
}

pub(super) fn golden(new: &Generation, snapshot: &Snapshot) -> Verdict {
    let mut asked = Asked::default();
    let outcome = carts(new, snapshot, &mut asked)
        .and_then(|()| blocks(new, snapshot, &mut asked))
        .and_then(|()| decisions(new, snapshot, &mut asked));
    let (measured, passed) = match outcome {
        Ok(()) => (
            format!(
                "{} carts, {} ranked rows, {} decisions, off by at most {:.1e}",
                asked.carts, asked.rows, asked.decisions, asked.worst
            ),
            true,
        ),
        Err(other) => (other, false),
    };
    let bar = "the same risk, scores and decisions within each line's tolerance";
    Verdict::new(gates::GOLDEN, ROLE, measured, bar, passed)
}

fn carts(new: &Generation, snapshot: &Snapshot, asked: &mut Asked) -> Result<(), String> {
    for (cart, line) in lines::<Cart>(snapshot, files::GOLDEN_RISK)?.iter().zip(1..) {
        let at = || format!("{} line {line}", files::GOLDEN_RISK);
        let inputs = new.risk.feature_names().len();
        if cart.values.len() != inputs {
            let found = cart.values.len();
            return Err(format!("{}: {found} values for {inputs} inputs", at()));
        }
        asked.compare(at, new.risk.risk(&cart.values), cart.risk, cart.tolerance)?;
        asked.carts += 1;
    }
    Ok(())
}

fn blocks(new: &Generation, snapshot: &Snapshot, asked: &mut Asked) -> Result<(), String> {
    let blocks = lines::<Block>(snapshot, files::GOLDEN_RANK)?;
    let Some(ranker) = new.ranker.as_ref().filter(|_| !blocks.is_empty()) else {
        return Ok(());
    };
    for (block, line) in blocks.iter().zip(1..) {
        let at = || format!("{} line {line}", files::GOLDEN_RANK);
        let columns = ranker.columns().len();
        let values = block.rows.iter().flatten();
        let values = values.map(|value| value.unwrap_or(f32::NAN)).collect();
        let rows = Matrix::from_values(columns, values);
        let rows = rows.map_err(|error| format!("{}: {error}", at()))?;
        let mut scores = Vec::new();
        let scored = ranker.score(&rows, &mut scores);
        scored.map_err(|error| format!("{}: {error}", at()))?;
        if scores.len() != block.scores.len() {
            let (got, was) = (scores.len(), block.scores.len());
            return Err(format!("{}: {got} scores, {was} when it was made", at()));
        }
        for (score, before) in scores.iter().zip(&block.scores) {
            asked.compare(at, *score, *before, block.tolerance)?;
            asked.rows += 1;
        }
    }
    Ok(())
}

fn decisions(new: &Generation, snapshot: &Snapshot, asked: &mut Asked) -> Result<(), String> {
    let decisions = lines::<Decided>(snapshot, files::GOLDEN_POLICY)?;
    for (decided, line) in decisions.iter().zip(1..) {
        let at = || format!("{} line {line}", files::GOLDEN_POLICY);
        let (found, before) = (
            new.policy.decide(&decided.inputs, decided.seed),
            &decided.decision,
        );
        if found.arm != before.arm || found.action != before.action {
            let (now, then) = (&found.arm, &before.arm);
            return Err(format!("{}: {now:?}, {then:?} when it was made", at()));
        }
        asked.compare(at, found.value, before.value, decided.tolerance)?;
        asked.decisions += 1;
    }
    Ok(())
}

impl Asked {
    fn compare(
        &mut self,
        at: impl Fn() -> String,
        found: f64,
        before: f64,
        tolerance: f64,
    ) -> Result<(), String> {
        let off = (found - before).abs();
        self.worst = self.worst.max(off);
        // Written so that what is no number is another.
        if off <= tolerance {
            return Ok(());
        }
        Err(format!("{}: {found}, {before} when it was made", at()))
    }
}

/// None when the snapshot has no such file.
fn lines<T: DeserializeOwned>(snapshot: &Snapshot, file: &str) -> Result<Vec<T>, String> {
    if !snapshot.has(file) {
        return Ok(Vec::new());
    }
    let bytes = snapshot.read(file).map_err(|error| causes(&error))?;
    let lines = bytes.split(|&byte| byte == b'\n').zip(1..);
    let lines = lines.filter(|(line, _)| !line.is_empty());
    lines
        .map(|(line, at)| {
            let parsed = serde_json::from_slice(line);
            parsed.map_err(|error| format!("{file} line {at}: {error}"))
        })
        .collect()
}
