//! What XGBoost makes of a sum of leaves, and of its base score, which it keeps as predictions are.

use crate::error::Error;
use crate::model::Output;

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Objective {
    Identity,
    /// Trees add up log-odds.
    Logistic,
    /// Trees add up logarithms.
    Logarithm,
    Hinge,
}

impl Objective {
    pub(super) fn named(name: &str) -> Result<Self, Error> {
        Ok(match name {
            "binary:logistic" | "reg:logistic" => Self::Logistic,
            "count:poisson" | "reg:gamma" | "reg:tweedie" | "survival:cox" | "survival:aft" => {
                Self::Logarithm
            }
            "binary:hinge" => Self::Hinge,
            // Its base score is kept as log-odds, unlike that of `binary:logistic`.
            "binary:logitraw"
            | "reg:squarederror"
            | "reg:linear"
            | "reg:squaredlogerror"
            | "reg:pseudohubererror"
            | "reg:absoluteerror"
            | "reg:quantileerror"
            | "rank:pairwise"
            | "rank:ndcg"
            | "rank:map" => Self::Identity,
            "multi:softmax" | "multi:softprob" => {
                return Err(Error::Refused {
                    what: format!("the objective {name}"),
                    instead: "one score a row is supported",
                });
            }
            _ => {
                return Err(Error::field(
                    "learner.objective.name",
                    name,
                    "XGBoost's objectives of one output are",
                ));
            }
        })
    }

    /// Where the sum begins.
    pub(super) fn margin(self, base_score: f32) -> Result<f32, Error> {
        let margin = match self {
            Self::Identity | Self::Hinge => base_score,
            Self::Logistic => -((1.0 / base_score - 1.0).ln()),
            Self::Logarithm => base_score.ln(),
        };
        if margin.is_finite() {
            return Ok(margin);
        }
        Err(Error::field(
            "learner.learner_model_param.base_score",
            &base_score.to_string(),
            match self {
                Self::Logistic => "above 0 and below 1 is",
                Self::Logarithm => "above 0 is",
                Self::Identity | Self::Hinge => "a finite number is",
            },
        ))
    }

    pub(super) fn output(self) -> Output {
        match self {
            Self::Identity => Output::Identity,
            Self::Logistic => Output::Sigmoid { k: 1.0 },
            Self::Logarithm => Output::Exp,
            Self::Hinge => Output::Step,
        }
    }
}
