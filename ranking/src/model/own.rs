//! Files of our own trainer, as models like any other.

use serde::Deserialize;

use super::{Model, check_rows};
use crate::error::Error;
use crate::forest::Forest;
use crate::matrix::Matrix;
use crate::ranker::Ranker;
use crate::risk::RiskModel;

#[derive(Deserialize)]
struct Head {
    format: Option<String>,
    kind: Option<String>,
}

pub(super) fn parse(json: &str) -> Result<Box<dyn Model>, Error> {
    let head: Head = serde_json::from_str(json)?;
    match (head.format, head.kind.as_deref()) {
        (Some(_), _) => Ok(Box::new(Forest::parse(json)?)),
        (None, Some("boosted" | "logistic" | "prior")) => {
            Ok(Box::new(Risk::new(RiskModel::parse(json)?)))
        }
        (None, _) => Ok(Box::new(Ranker::parse(json)?)),
    }
}

impl Model for Forest {
    fn features(&self) -> &[String] {
        self.features()
    }

    fn score(&self, rows: &[f32], out: &mut [f64]) -> Result<(), Error> {
        self.score_rows(rows, self.features().len(), out)
    }

    fn describe(&self) -> Vec<(&'static str, String)> {
        vec![
            ("format", "cartwright forest".to_owned()),
            ("score", "the sum".to_owned()),
            ("trees", self.trees().len().to_string()),
            ("base", self.base_score().to_string()),
        ]
    }
}

impl Model for Ranker {
    fn features(&self) -> &[String] {
        self.columns().names()
    }

    fn score(&self, rows: &[f32], out: &mut [f64]) -> Result<(), Error> {
        let columns = self.columns().len();
        check_rows(columns, rows, out)?;
        let mut scores = Vec::with_capacity(out.len());
        Ranker::score(
            self,
            &Matrix::from_values(columns, rows.to_vec())?,
            &mut scores,
        )?;
        out.copy_from_slice(&scores);
        Ok(())
    }

    fn describe(&self) -> Vec<(&'static str, String)> {
        vec![
            ("format", "cartwright ranker".to_owned()),
            ("order", Ranker::describe(self)),
        ]
    }
}

#[derive(Debug)]
struct Risk {
    model: RiskModel,
    features: Vec<String>,
}

impl Risk {
    fn new(model: RiskModel) -> Self {
        let features = model.feature_names().to_vec();
        Self { model, features }
    }
}

impl Model for Risk {
    fn features(&self) -> &[String] {
        &self.features
    }

    fn score(&self, rows: &[f32], out: &mut [f64]) -> Result<(), Error> {
        let columns = self.features.len();
        check_rows(columns, rows, out)?;
        for (row, score) in out.iter_mut().enumerate() {
            let values = rows.iter().skip(row * columns).take(columns);
            let known = values.map(|value| (!value.is_nan()).then(|| f64::from(*value)));
            *score = self.model.risk(&known.collect::<Vec<_>>());
        }
        Ok(())
    }

    fn describe(&self) -> Vec<(&'static str, String)> {
        vec![
            ("format", "cartwright risk model".to_owned()),
            ("risk", self.model.describe()),
        ]
    }
}
