//! An alarm when the sides are not split as they were meant to be.
//!
//! If one person in twenty is to be held out and it is one in eighteen, something lost or moved
//! people, and no difference between the sides means anything. The test may be asked at any time,
//! as often as one likes (Lindon and Malek, *Anytime-Valid Inference for Multinomial Count Data*,
//! NeurIPS 2022): the Bayes factor of a beta prior around the meant share `p`, with the weight of
//! `c` people, against the share itself,
//!
//! > E = B(cp + h, c(1−p) + t) / B(cp, c(1−p)) / ( p^h · (1−p)^t )
//!
//! is a martingale when the split is right, so it ever reaches `1/α` with probability at most `α`
//! (Ville). The highest that was seen counts: an alarm does not go away by itself.

use super::special::ln_gamma;

/// Weight of the prior, in people: how close to the meant share other shares are sought.
const WEIGHT: f64 = 1_000.0;

/// The running test.
#[derive(Copy, Clone, Debug, PartialEq)]
pub struct RatioAlarm {
    share: f64,
    ln_highest: f64,
}

/// A share that cannot be tested.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("holdout_share is {0}, it has to be above 0 and below 1")]
pub struct ShareError(pub f64);

impl RatioAlarm {
    /// # Errors
    /// A meant share outside of 0 to 1, or one of them.
    pub fn new(holdout_share: f64) -> Result<Self, ShareError> {
        if holdout_share > 0.0 && holdout_share < 1.0 {
            return Ok(Self {
                share: holdout_share,
                ln_highest: 0.0,
            });
        }
        Err(ShareError(holdout_share))
    }

    /// Looks at the people counted so far. Gives back the p-value of all looks together.
    pub fn look(&mut self, treated: u64, holdout: u64) -> f64 {
        let (t, h) = (as_f64(treated), as_f64(holdout));
        let (held, left) = (WEIGHT * self.share, WEIGHT * (1.0 - self.share));
        let ln_beta = |a: f64, b: f64| ln_gamma(a) + ln_gamma(b) - ln_gamma(a + b);
        let ln_factor = ln_beta(held + h, left + t)
            - ln_beta(held, left)
            - h * self.share.ln()
            - t * (1.0 - self.share).ln();
        self.ln_highest = self.ln_highest.max(ln_factor);
        self.p_value()
    }

    /// Valid whenever it is asked; 1 when nothing speaks against the split.
    #[must_use]
    pub fn p_value(&self) -> f64 {
        (-self.ln_highest).exp()
    }

    /// Whether the split is wrong; `alpha` is the chance of a false alarm over the whole run. 0.001
    /// is usual: such an alarm stops an experiment.
    #[must_use]
    pub fn rings(&self, alpha: f64) -> bool {
        self.p_value() <= alpha
    }
}

#[expect(clippy::cast_precision_loss, reason = "a count of people")]
fn as_f64(people: u64) -> f64 {
    people as f64
}
