//! Whether a generation is worse than the live one, by what was measured when each was made.

use super::{FILES, QUALITY};
use crate::{Manifest, Verdict};

/// How much worse than the live generation another may be, as a share of its figure: two logs of
/// different days alone make a few per cent.
pub const MARGIN: f64 = 0.1;

/// The slice and the ways of finding items that count: what shoppers are shown, best first.
const SLICE: &str = "all";
const SHOWN: [&str; 2] = ["ranked", "fused"];

/// Compares what shoppers are shown (MRR and recall of the leaderboard) and how well the risk model
/// tells carts apart (AUC, and log loss where less is better).
#[must_use]
pub fn quality(new: &Manifest, live: Option<&Manifest>) -> Verdict {
    let figures = figures(new);
    let percent = MARGIN * 100.0;
    let bar = format!("each at most {percent:.0} % worse than the live one's");
    let Some(live) = live else {
        let said: Vec<String> = (figures.iter())
            .map(|one| format!("{} {:.4}", one.name, one.value))
            .collect();
        let measured = if said.is_empty() {
            "not measured".to_owned()
        } else {
            said.join(", ")
        };
        return Verdict::new(
            QUALITY,
            FILES,
            measured,
            "no live generation to compare with",
            true,
        );
    };
    let mut said = Vec::new();
    let mut passed = true;
    for before in self::figures(live) {
        match figures.iter().find(|now| now.name == before.name) {
            Some(now) => {
                let worse = now.is_worse_than(&before);
                passed &= !worse;
                let mark = if worse { " (worse)" } else { "" };
                let (name, now, before) = (&now.name, now.value, before.value);
                said.push(format!("{name} {now:.4}, live {before:.4}{mark}"));
            }
            None => {
                passed = false;
                said.push(format!(
                    "{} not measured, live {:.4}",
                    before.name, before.value
                ));
            }
        }
    }
    if said.is_empty() {
        said.push("the live generation has no figures".to_owned());
    }
    Verdict::new(QUALITY, FILES, said.join("; "), bar, passed)
}

struct Figure {
    name: String,
    value: f64,
    less_is_better: bool,
}

impl Figure {
    fn is_worse_than(&self, before: &Self) -> bool {
        let limit = if self.less_is_better {
            self.value <= before.value * (1.0 + MARGIN)
        } else {
            self.value >= before.value * (1.0 - MARGIN)
        };
        // What is not a number is worse than anything.
        !limit
    }
}

fn figures(manifest: &Manifest) -> Vec<Figure> {
    let mut figures = Vec::new();
    let more = |name: String, value: f64| Figure {
        name,
        value,
        less_is_better: false,
    };
    let board = manifest.leaderboard.as_ref();
    let shown = board.and_then(|board| {
        let mut ways = SHOWN.iter();
        ways.find_map(|method| Some((board, board.row(SLICE, method)?)))
    });
    if let Some((board, row)) = shown {
        figures.push(more(format!("MRR@{}", board.k), row.mrr));
        figures.push(more(format!("recall@{}", board.k), row.recall));
    }
    for (name, less_is_better) in [("risk_auc", false), ("risk_log_loss", true)] {
        if let Some(&value) = manifest.quality.get(name) {
            figures.push(Figure {
                less_is_better,
                ..more(name.to_owned(), value)
            });
        }
    }
    figures
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Leaderboard, LeaderboardRow};

    fn manifest(mrr: f64, auc: f64, log_loss: f64) -> Manifest {
        let row = |method: &str, mrr| LeaderboardRow {
            slice: "all".into(),
            method: method.into(),
            mrr,
            recall: 0.5,
            ..LeaderboardRow::default()
        };
        Manifest {
            leaderboard: Some(Leaderboard {
                k: 20,
                rows: vec![row("fused", 0.9), row("ranked", mrr)],
                ..Leaderboard::default()
            }),
            quality: [("risk_auc", auc), ("risk_log_loss", log_loss)]
                .map(|(name, value)| (name.to_owned(), value))
                .into(),
            ..Manifest::default()
        }
    }

    #[test]
    fn a_tenth_worse_is_let_through_and_more_is_not() {
        let live = manifest(0.30, 0.80, 0.40);
        assert!(quality(&live, None).passed);
        assert!(quality(&manifest(0.271, 0.721, 0.439), Some(&live)).passed);
        for worse in [
            manifest(0.269, 0.80, 0.40),
            manifest(0.30, 0.719, 0.40),
            manifest(0.30, 0.80, 0.441),
            manifest(f64::NAN, 0.80, 0.40),
        ] {
            let verdict = quality(&worse, Some(&live));
            assert!(!verdict.passed, "{verdict:?}");
            assert!(verdict.measured.contains("(worse)"), "{verdict:?}");
        }
    }

    #[test]
    fn what_was_not_measured_is_not_taken_to_be_as_good() {
        let live = manifest(0.30, 0.80, 0.40);
        let verdict = quality(&Manifest::default(), Some(&live));
        assert!(!verdict.passed);
        assert!(
            verdict
                .measured
                .contains("MRR@20 not measured, live 0.3000")
        );
        assert!(quality(&live, Some(&Manifest::default())).passed);
    }
}
