//! From raw scores to probabilities.

use serde::{Deserialize, Serialize};

use super::{Quality, sigmoid};
use crate::error::{Error, check_inside, check_length, check_weights};

/// Points of an isotonic curve beyond which a file is no calibration.
const MOST_POINTS: usize = 100_000;

/// Platt's sigmoid over the raw score z (Platt 1999), fitted out of fold.
#[derive(Copy, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    pub slope: f64,
    pub offset: f64,
}

/// A rising curve through points (Zadrozny and Elkan 2002), straight between them. Outside of them
/// a step of the score is the same step of log-odds, so that no two scores are one risk.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Isotonic {
    /// Raw scores, each above the one before.
    pub scores: Vec<f64>,
    /// The risk at each score, never falling, above 0 and below 1.
    pub risks: Vec<f64>,
}

/// How a raw score becomes a probability.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Calibrator {
    Platt(Calibration),
    Isotonic(Isotonic),
}

/// What holds once a shopper has been quiet for some time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CutOff {
    /// Seconds without an event of the shopper.
    pub quiet_s: u32,
    pub calibration: Calibrator,
    /// Of carts at this moment.
    pub quality: Quality,
}

impl Calibration {
    pub fn risk(self, raw: f64) -> f64 {
        sigmoid(self.slope * raw + self.offset)
    }

    pub(super) fn validate(self) -> Result<(), Error> {
        check_weights("calibration", &[self.slope, self.offset])
    }
}

impl Isotonic {
    pub fn risk(&self, raw: f64) -> f64 {
        let above = self.scores.partition_point(|score| *score <= raw);
        let point = |at: usize| Some((*self.scores.get(at)?, *self.risks.get(at)?));
        let below = above.checked_sub(1).and_then(point);
        match (below, point(above)) {
            (Some((from, low)), Some((to, high))) => {
                low + (high - low) * (raw - from) / (to - from)
            }
            (Some((end, risk)), None) | (None, Some((end, risk))) => {
                sigmoid((risk / (1.0 - risk)).ln() + raw - end)
            }
            (None, None) => 0.5,
        }
    }

    fn validate(&self) -> Result<(), Error> {
        if self.scores.is_empty() || self.scores.len() > MOST_POINTS {
            return Err(Error::TooMany {
                field: "isotonic scores, at least one",
                got: self.scores.len(),
                most: MOST_POINTS,
            });
        }
        check_length("isotonic risks", self.risks.len(), self.scores.len())?;
        check_weights("isotonic scores", &self.scores)?;
        check_inside("isotonic risks", &self.risks)?;
        let rises = self.scores.windows(2).all(|pair| pair[0] < pair[1]);
        check_order("isotonic scores", &self.scores, rises, "rising numbers are")?;
        let holds = self.risks.windows(2).all(|pair| pair[0] <= pair[1]);
        check_order(
            "isotonic risks",
            &self.risks,
            holds,
            "never falling numbers are",
        )
    }
}

impl Calibrator {
    /// 0 to 1.
    pub fn risk(&self, raw: f64) -> f64 {
        match self {
            Self::Platt(platt) => platt.risk(raw),
            Self::Isotonic(curve) => curve.risk(raw),
        }
    }

    fn validate(&self) -> Result<(), Error> {
        match self {
            Self::Platt(platt) => platt.validate(),
            Self::Isotonic(curve) => curve.validate(),
        }
    }
}

/// The last cut-off that was passed after `quiet_s` of quiet; the first when that is not known.
pub(super) fn passed(cut_offs: &[CutOff], quiet_s: Option<f64>) -> Option<&CutOff> {
    let is_passed = |one: &&CutOff| quiet_s.is_some_and(|quiet| f64::from(one.quiet_s) <= quiet);
    cut_offs.iter().rev().find(is_passed).or(cut_offs.first())
}

pub(super) fn check_cut_offs(cut_offs: &[CutOff]) -> Result<(), Error> {
    let quiet: Vec<f64> = cut_offs.iter().map(|one| f64::from(one.quiet_s)).collect();
    let rises = quiet.windows(2).all(|pair| pair[0] < pair[1]);
    check_order("quiet_s of cut_offs", &quiet, rises, "rising numbers are")?;
    cut_offs
        .iter()
        .try_for_each(|one| one.calibration.validate())
}

fn check_order(
    field: &'static str,
    values: &[f64],
    holds: bool,
    allowed: &'static str,
) -> Result<(), Error> {
    if holds {
        return Ok(());
    }
    let value = values.last().copied().unwrap_or_default();
    Err(Error::Value {
        field,
        value,
        allowed,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn curve() -> Isotonic {
        Isotonic {
            scores: vec![-1.0, 0.0, 2.0],
            risks: vec![0.1, 0.1, 0.9],
        }
    }

    #[test]
    fn a_curve_is_straight_between_points_and_goes_on_in_log_odds_outside() {
        let outside = [
            (-2.0, 1.0 / (1.0 + 9.0 * 1_f64.exp())),
            (3.0, 1.0 / (1.0 + (-1_f64).exp() / 9.0)),
        ];
        let inside = [(-1.0, 0.1), (-0.5, 0.1), (0.0, 0.1), (1.0, 0.5), (2.0, 0.9)];
        for (raw, risk) in inside.into_iter().chain(outside) {
            assert!((curve().risk(raw) - risk).abs() < 1e-12, "{raw}");
        }
    }

    #[test]
    fn the_last_cut_off_passed_counts() {
        let at = |quiet_s| CutOff {
            quiet_s,
            calibration: Calibrator::Isotonic(curve()),
            quality: Quality::default(),
        };
        let cut_offs = [at(0), at(300), at(1_800)];
        let found = |quiet| passed(&cut_offs, quiet).map(|one| one.quiet_s);
        assert_eq!(found(Some(299.9)), Some(0));
        assert_eq!(found(Some(300.0)), Some(300));
        assert_eq!(found(Some(1e9)), Some(1_800));
        assert_eq!(found(None), Some(0));
        assert_eq!(passed(&[], Some(1.0)), None);
        assert!(check_cut_offs(&cut_offs).is_ok());
        assert!(check_cut_offs(&[at(300), at(300)]).is_err());
    }

    #[test]
    fn refuses_a_curve_that_falls() {
        let falling = Isotonic {
            risks: vec![0.1, 0.9, 0.8],
            ..curve()
        };
        assert_eq!(
            falling.validate().unwrap_err().to_string(),
            "isotonic risks holds 0.8, never falling numbers are allowed"
        );
    }

    proptest! {
        #[test]
        fn a_higher_score_is_never_a_lower_risk(a in -3.0_f64..3.0, b in -3.0_f64..3.0) {
            let (low, high) = (a.min(b), a.max(b));
            prop_assert!(curve().risk(low) <= curve().risk(high));
        }
    }
}
