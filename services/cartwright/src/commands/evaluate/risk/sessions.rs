//! A public table of labelled sessions, beside published figures.

use std::path::Path;

use indicatif::ProgressBar;
use serde_json::{Value, json};
use trainer::readers::{ShopperSession, online_shoppers};
use trainer::risk::{
    Group, IntentModel, IntentOptions, IntentRun, Measures, intent_difference, predict_intent,
    reliability,
};

use super::{Args, as_json, bins_as_json, bounds, bounds_as_json, cells, diagram};
use crate::failure::OrFail as _;
use crate::output;

/// Columns are left out in one table and not in the other.
const TABLES: [(&str, &str, &[Group]); 2] = [
    (
        "without_page_values",
        "without PageValues",
        &[Group::PageValues],
    ),
    (
        "with_page_values",
        "with PageValues, which knows of the outcome",
        &[],
    ),
];

/// The runs of one model on one table, seed by seed.
struct Row {
    key: &'static str,
    model: IntentModel,
    runs: Vec<IntentRun>,
}

struct Ablation {
    group: Group,
    log_loss: Option<trainer::bootstrap::Bounds>,
    auc: Option<trainer::bootstrap::Bounds>,
}

pub(super) fn run(args: &Args, file: &Path) -> anyhow::Result<()> {
    let (sessions, bad) =
        online_shoppers(file).or_usage("--data takes the UCI table of online shoppers")?;
    if let Some(first) = bad.first() {
        output::note(format!(
            "{} left out, the first: {first}",
            output::counted(bad.len(), "line")
        ));
    }
    let asked = Asked {
        args,
        sessions: &sessions,
        bar: output::count_bar(None, "judging sessions"),
    };
    let rows = asked.rows()?;
    let ablation = if args.ablation {
        asked.ablation(&rows)?
    } else {
        Vec::new()
    };
    asked.bar.finish_and_clear();
    super::super::answer(
        args.json.as_deref(),
        || value(args, &sessions, &rows, &ablation),
        || print(args, &rows, &ablation),
    )
}

struct Asked<'a> {
    args: &'a Args,
    sessions: &'a [ShopperSession],
    bar: ProgressBar,
}

impl Asked<'_> {
    fn rows(&self) -> anyhow::Result<Vec<Row>> {
        let mut rows = Vec::new();
        for (key, _, without) in TABLES {
            for model in [IntentModel::Boosted, IntentModel::Logistic] {
                let runs = seeds(self.args).map(|seed| self.predict(model, without, seed));
                rows.push(Row {
                    key,
                    model,
                    runs: runs.collect::<anyhow::Result<_>>()?,
                });
            }
        }
        Ok(rows)
    }

    fn predict(
        &self,
        model: IntentModel,
        without: &[Group],
        seed: u64,
    ) -> anyhow::Result<IntentRun> {
        self.bar
            .set_message(format!("judging sessions: {}, seed {seed}", name(model)));
        self.bar.tick();
        let options = IntentOptions {
            folds: usize::from(self.args.folds),
            seed,
            ..IntentOptions::default()
        };
        predict_intent(self.sessions, model, without, &options)
            .or_hint("the table needs sessions of both kinds for each fold")
    }

    /// Of the first seed's boosted trees, without PageValues.
    fn ablation(&self, rows: &[Row]) -> anyhow::Result<Vec<Ablation>> {
        let Some(all) = rows.first().and_then(|row| row.runs.first()) else {
            return Ok(Vec::new());
        };
        let groups = Group::ALL
            .into_iter()
            .filter(|group| *group != Group::PageValues);
        groups
            .map(|group| {
                let without = [group, Group::PageValues];
                let run = self.predict(IntentModel::Boosted, &without, self.args.seed)?;
                let (log_loss, auc) = intent_difference(&run, all);
                Ok(Ablation {
                    group,
                    log_loss,
                    auc,
                })
            })
            .collect()
    }
}

fn seeds(args: &Args) -> impl Iterator<Item = u64> {
    (args.seed..).take(usize::from(args.repeats))
}

fn name(model: IntentModel) -> &'static str {
    match model {
        IntentModel::Boosted => "boosted trees",
        IntentModel::Logistic => "logistic",
    }
}

fn mean(runs: &[IntentRun]) -> Measures {
    Measures::mean(&runs.iter().map(IntentRun::measures).collect::<Vec<_>>())
}

fn print(args: &Args, rows: &[Row], ablation: &[Ablation]) {
    for (key, title, _) in TABLES {
        output::note(format!(
            "{title}; {} stratified folds, {}",
            args.folds,
            output::counted(usize::from(args.repeats), "seed")
        ));
        let mut table = output::table([
            "model", "n", "buy", "log-loss", "AUC", "lowest", "AP", "Brier", "ECE", "highest",
        ]);
        for row in rows.iter().filter(|row| row.key == key) {
            let measures = mean(&row.runs);
            let each = || row.runs.iter().map(IntentRun::measures);
            let lowest = each().map(|one| one.auc).fold(f64::INFINITY, f64::min);
            let highest = each().map(|one| one.ece).fold(0.0, f64::max);
            let mut line = vec![
                comfy_table::Cell::new(name(row.model)),
                output::number(output::thousands(measures.count)),
                output::number(format!("{:.3}", measures.base_rate)),
            ];
            line.extend(cells(&measures));
            line.insert(5, output::number(format!("{lowest:.4}")));
            line.push(output::number(format!("{highest:.4}")));
            table.add_row(line);
        }
        output::result(table);
    }
    if let Some(run) = rows.first().and_then(|row| row.runs.first()) {
        output::note("boosted trees without PageValues");
        output::result(diagram(&reliability(&run.risks, &run.labels)));
    }
    if !ablation.is_empty() {
        output::note(
            "boosted trees without PageValues: what changes when a group is left out as well",
        );
        let mut table = output::table(["without", "log-loss (95 %)", "AUC (95 %)"]);
        for one in ablation {
            let group = comfy_table::Cell::new(one.group.as_str());
            table.add_row([group, bounds(one.log_loss), bounds(one.auc)]);
        }
        output::result(table);
    }
}

fn value(args: &Args, sessions: &[ShopperSession], rows: &[Row], ablation: &[Ablation]) -> Value {
    let table = |key: &str| -> Value {
        let of_table = rows.iter().filter(|row| row.key == key);
        let model = |row: &Row| {
            let runs = seeds(args).zip(&row.runs).map(|(seed, run)| {
                let mut run = as_json(&run.measures());
                run["seed"] = json!(seed);
                run
            });
            let mut found = as_json(&mean(&row.runs));
            found["runs"] = runs.collect();
            let first = row
                .runs
                .first()
                .map(|run| reliability(&run.risks, &run.labels));
            found["reliability"] = bins_as_json(first.as_ref().map_or(&[], |bins| bins.as_slice()));
            found
        };
        let named = of_table.map(|row| match row.model {
            IntentModel::Boosted => ("boosted".to_owned(), model(row)),
            IntentModel::Logistic => ("logistic".to_owned(), model(row)),
        });
        Value::Object(named.collect())
    };
    let without = |one: &Ablation| {
        json!({
            "without": one.group.as_str(),
            "log_loss": bounds_as_json(one.log_loss),
            "auc": bounds_as_json(one.auc),
        })
    };
    json!({
        "format": "online-shoppers",
        "sessions": sessions.len(),
        "folds": args.folds,
        "seeds": seeds(args).collect::<Vec<_>>(),
        "without_page_values": table("without_page_values"),
        "with_page_values": table("with_page_values"),
        "ablation": ablation.iter().map(without).collect::<Vec<_>>(),
    })
}
