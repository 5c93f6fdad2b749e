//! Which candidates to show first: a ranker of either kind, and its file in a snapshot.
//!
//! ```json
//! {"kind": "linear", "columns": ["fused"], "means": [0], "scales": [1], "weights": [1], "note": ""}
//! {"kind": "forest", "note": "", "forest": {"format": "cartwright-forest", …}}
//! ```
//!
//! A file without a kind is linear: the first version knew no other. The columns of a forest are
//! its features. A model of LightGBM, XGBoost or ONNX is a ranker as it is: its features are
//! columns by their names.

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::forest::{File, Forest};
use crate::linear::Linear;
use crate::matrix::{Columns, Matrix};
use crate::model::{Foreign, Format};

/// Scores rows: the higher, the earlier an item is shown. Scores are comparable only inside one
/// call.
#[derive(Clone, Debug, PartialEq)]
pub struct Ranker {
    columns: Columns,
    kind: RankerKind,
    /// Where it comes from, in a sentence.
    note: String,
}

#[derive(Clone, Debug, PartialEq)]
pub enum RankerKind {
    Linear(Linear),
    Forest(Box<Forest>),
    Foreign(Foreign),
}

impl Ranker {
    /// The file of a snapshot that holds it.
    pub const FILE: &'static str = "ranker.json";
    /// The files that may hold it; a snapshot has one of them at most.
    pub const FILES: [&'static str; 3] = [Self::FILE, "ranker.txt", "ranker.onnx"];

    /// The file of a snapshot for a model of a format.
    #[must_use]
    pub fn file_for(format: Format) -> &'static str {
        match format {
            Format::Cartwright | Format::XgBoost => Self::FILE,
            Format::LightGbm => "ranker.txt",
            Format::Onnx => "ranker.onnx",
        }
    }

    /// Reads a file of any format.
    ///
    /// # Errors
    /// A file that is damaged or of no format that is read; a feature that is no column, with those
    /// whose names are near.
    pub fn load(bytes: &[u8]) -> Result<Self, Error> {
        let format = Format::sniff(bytes)?;
        match format {
            Format::Cartwright => Self::parse(&String::from_utf8_lossy(bytes)),
            Format::LightGbm | Format::XgBoost | Format::Onnx => {
                let foreign = Foreign::read(bytes, format)?;
                Ok(Self {
                    columns: Columns::resolve(foreign.model().features())?,
                    kind: RankerKind::Foreign(foreign),
                    note: "trained elsewhere".to_owned(),
                })
            }
        }
    }

    pub fn parse(json: &str) -> Result<Self, Error> {
        let head: Head = serde_json::from_str(json)?;
        match head.kind.as_deref() {
            None | Some(LINEAR) => {
                let file: LinearFile = serde_json::from_str(json)?;
                let linear = Linear {
                    means: file.means,
                    scales: file.scales,
                    weights: file.weights,
                };
                Self::linear(&file.columns, linear, &file.note)
            }
            Some(FOREST) => {
                let file: ForestFile = serde_json::from_str(json)?;
                Self::forest(file.forest.into_forest()?, &file.note)
            }
            Some(other) => Err(Error::Name {
                field: "kind",
                name: other.to_owned(),
                allowed: format!("{LINEAR} and {FOREST} are allowed"),
            }),
        }
    }

    /// Keeps the order of retrieval: weight 1 on the fused score and nothing else.
    pub fn retrieval_order(note: &str) -> Self {
        let fused = ["fused".to_owned()];
        let linear = Linear {
            means: vec![0.0],
            scales: vec![1.0],
            weights: vec![1.0],
        };
        Self {
            columns: Columns::resolve(&fused).unwrap_or_default(),
            kind: RankerKind::Linear(linear),
            note: note.to_owned(),
        }
    }

    /// Weights of columns, on standardised values.
    pub fn linear(columns: &[String], linear: Linear, note: &str) -> Result<Self, Error> {
        let columns = Columns::resolve(columns)?;
        linear.validate(&columns)?;
        Ok(Self {
            columns,
            kind: RankerKind::Linear(linear),
            note: note.to_owned(),
        })
    }

    /// A forest whose features are columns.
    pub fn forest(forest: Forest, note: &str) -> Result<Self, Error> {
        Ok(Self {
            columns: Columns::resolve(forest.features())?,
            kind: RankerKind::Forest(Box::new(forest)),
            note: note.to_owned(),
        })
    }

    pub fn to_json(&self) -> Result<String, Error> {
        let note = self.note.clone();
        match &self.kind {
            RankerKind::Linear(linear) => Ok(serde_json::to_string_pretty(&LinearFile {
                kind: LINEAR.to_owned(),
                columns: self.columns.names().to_vec(),
                means: linear.means.clone(),
                scales: linear.scales.clone(),
                weights: linear.weights.clone(),
                note,
            })?),
            RankerKind::Forest(forest) => Ok(serde_json::to_string(&ForestFile {
                kind: FOREST.to_owned(),
                note,
                forest: File::of(forest),
            })?),
            RankerKind::Foreign(foreign) => Err(foreign.refuse_writing()),
        }
    }

    /// What the rows to score must hold.
    pub fn columns(&self) -> &Columns {
        &self.columns
    }

    pub fn kind(&self) -> &RankerKind {
        &self.kind
    }

    /// The same ranker with another note.
    #[must_use]
    pub fn noted(self, note: &str) -> Self {
        Self {
            note: note.to_owned(),
            ..self
        }
    }

    /// What it looks at, and where it comes from.
    pub fn describe(&self) -> String {
        let what = match &self.kind {
            RankerKind::Linear(linear) => {
                format!("linear ranker: {}", linear.describe(&self.columns))
            }
            RankerKind::Forest(forest) => format!(
                "forest of {} trees over {} columns",
                forest.trees().len(),
                self.columns.len()
            ),
            RankerKind::Foreign(foreign) => foreign.describe(),
        };
        format!("{what}; {}", self.note)
    }

    /// Clears `out` and fills it with one finite score per row.
    pub fn score(&self, rows: &Matrix, out: &mut Vec<f64>) -> Result<(), Error> {
        if rows.columns() != self.columns.len() && !rows.is_empty() {
            return Err(Error::Shape {
                got: rows.values().len(),
                columns: self.columns.len(),
            });
        }
        out.clear();
        match &self.kind {
            RankerKind::Linear(linear) => out.extend(rows.rows().map(|row| linear.score(row))),
            RankerKind::Forest(forest) => {
                out.resize(rows.len(), 0.0);
                forest.score_rows(rows.values(), self.columns.len(), out)?;
            }
            RankerKind::Foreign(foreign) => {
                out.resize(rows.len(), 0.0);
                foreign.score(rows.values(), out)?;
            }
        }
        Ok(())
    }
}

const LINEAR: &str = "linear";
const FOREST: &str = "forest";

/// What is read of a file first.
#[derive(Deserialize)]
struct Head {
    kind: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LinearFile {
    #[serde(default)]
    kind: String,
    columns: Vec<String>,
    means: Vec<f64>,
    scales: Vec<f64>,
    weights: Vec<f64>,
    note: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ForestFile {
    kind: String,
    note: String,
    forest: File,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::forest::{Node, Side, Split, Tree};

    fn linear(weights: Vec<f64>, scales: Vec<f64>) -> Result<Ranker, Error> {
        let columns = ["fused", "revisit"].map(str::to_owned);
        let means = vec![0.5; 2];
        let linear = Linear {
            means,
            scales,
            weights,
        };
        Ranker::linear(&columns, linear, "x")
    }

    fn stump() -> Ranker {
        let split = Split {
            feature: 1,
            below: 0.1,
            missing: Side::Left,
            left: 1,
            right: 2,
        };
        let nodes = vec![Node::Split(split), Node::Leaf(-1.0), Node::Leaf(2.0)];
        let features = ["item.view_count_24h", "rank_revisit"].map(str::to_owned);
        let forest = Forest::new(features.to_vec(), 0.0, vec![Tree { nodes }]).unwrap();
        Ranker::forest(forest, "a stump").unwrap()
    }

    #[test]
    fn keeps_the_order_of_retrieval_by_default() {
        let ranker = Ranker::retrieval_order("too few examples");
        assert_eq!(ranker.columns().names(), ["fused"]);
        let matrix = Matrix::from_values(1, vec![0.4, 0.9]).unwrap();
        let mut scores = vec![7.0];
        ranker.score(&matrix, &mut scores).unwrap();
        assert!(scores.len() == 2 && scores[1] > scores[0]);
        assert_eq!(
            ranker.describe(),
            "linear ranker: fused +1.000; too few examples"
        );
    }

    #[test]
    fn a_gap_reads_as_nothing_said() {
        let ranker = linear(vec![1.0, 2.0], vec![1.0; 2]).unwrap();
        let rows = Matrix::from_values(2, vec![0.5, f32::NAN, 0.5, 0.0]).unwrap();
        let mut scores = Vec::new();
        ranker.score(&rows, &mut scores).unwrap();
        assert!((scores[0] - scores[1]).abs() < 1e-12);
        let mut of_stump = Vec::new();
        stump().score(&rows, &mut of_stump).unwrap();
        assert_eq!(of_stump, [-1.0, -1.0]);
    }

    #[test]
    fn reads_what_it_wrote() {
        for ranker in [stump(), linear(vec![1.0, -2.0], vec![0.5; 2]).unwrap()] {
            assert_eq!(Ranker::parse(&ranker.to_json().unwrap()).unwrap(), ranker);
        }
        assert_eq!(
            stump().describe(),
            "forest of 1 trees over 2 columns; a stump"
        );
    }

    #[test]
    fn refuses_what_it_does_not_know() {
        let json = stump().to_json().unwrap();
        let problem = |from: &str, to: &str| {
            let problem = Ranker::parse(&json.replace(from, to)).unwrap_err();
            problem.to_string()
        };
        assert_eq!(
            problem("\"forest\",", "\"oak\","),
            "kind names \"oak\", linear and forest are allowed"
        );
        assert!(problem("rank_revisit", "colour").starts_with("columns names \"colour\""));
        assert_eq!(
            problem("\"left\":1", "\"left\":7"),
            "tree 0: node 0 leads to node 7, the tree has 3"
        );
    }

    #[test]
    fn refuses_a_missing_weight_a_wild_one_and_rows_of_another_shape() {
        let field = |ranker: Result<Ranker, Error>| match ranker {
            Err(Error::Length { field, .. } | Error::Value { field, .. }) => field,
            other => panic!("{other:?}"),
        };
        assert_eq!(field(linear(vec![0.0], vec![1.0; 2])), "weights");
        assert_eq!(field(linear(vec![f64::NAN; 2], vec![1.0; 2])), "weights");
        assert_eq!(field(linear(vec![1.0; 2], vec![0.0; 2])), "scales");
        let rows = Matrix::from_values(3, vec![0.0; 3]).unwrap();
        assert!(stump().score(&rows, &mut Vec::new()).is_err());
    }

    proptest! {
        #[test]
        fn scores_are_finite(
            values in prop::collection::vec(any::<f32>(), 16),
            weights in prop::collection::vec(-1e6_f64..1e6, 2),
            scales in prop::collection::vec(1e-9_f64..1e15, 2),
        ) {
            let matrix = Matrix::from_values(2, values).unwrap();
            for ranker in [linear(weights, scales).unwrap(), stump()] {
                let mut scores = Vec::new();
                ranker.score(&matrix, &mut scores).unwrap();
                prop_assert!(scores.iter().all(|score| score.is_finite()));
            }
        }
    }
}
