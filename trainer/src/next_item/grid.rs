use retrieval::{SessionSettings, Sessions};

use super::{Log, score_sessions};
use crate::Error;
use crate::moments::thinned;

/// One setting and the values that are tried for it.
#[derive(Copy, Clone, Debug)]
pub struct Axis {
    pub name: &'static str,
    pub values: &'static [f32],
    pub get: fn(&SessionSettings) -> f32,
    set: fn(&mut SessionSettings, f32),
}

/// The grid. Settings are walked in this order, each taking its best value with all others held,
/// until a round changes nothing.
pub const AXES: &[Axis] = &[
    Axis {
        name: "revisit",
        values: &[0.0, 0.3, 0.6, 0.8, 1.0, 1.3],
        get: |s| s.revisit,
        set: |s, v| s.revisit = v,
    },
    Axis {
        name: "stay",
        values: &[0.0, 0.1, 0.3, 0.7, 1.0, 2.0],
        get: |s| s.stay,
        set: |s, v| s.stay = v,
    },
    Axis {
        name: "repeat",
        values: &[0.0, 0.2, 0.5, 1.0],
        get: |s| s.repeat,
        set: |s, v| s.repeat = v,
    },
    Axis {
        name: "position",
        values: &[0.5, 0.7, 0.9, 1.3, 2.0, 3.5],
        get: |s| s.position,
        set: |s, v| s.position = v,
    },
    Axis {
        name: "ahead",
        values: &[0.3, 0.45, 0.7, 1.0, 2.0, 4.0],
        get: |s| s.ahead,
        set: |s, v| s.ahead = v,
    },
    Axis {
        name: "behind",
        values: &[0.3, 0.45, 0.7, 1.0, 2.0, 4.0],
        get: |s| s.behind,
        set: |s, v| s.behind = v,
    },
    Axis {
        name: "behind_share",
        values: &[0.25, 0.5, 0.7, 1.0],
        get: |s| s.behind_share,
        set: |s, v| s.behind_share = v,
    },
    Axis {
        name: "age_days",
        values: &[7.0, 15.0, 30.0, 100.0, 1e6],
        get: |s| s.age_days,
        set: |s, v| s.age_days = v,
    },
    Axis {
        name: "idf",
        values: &[0.0, 0.5, 1.0],
        get: |s| s.idf,
        set: |s, v| s.idf = v,
    },
    Axis {
        name: "length",
        values: &[0.0, 0.25, 0.5],
        get: |s| s.length,
        set: |s, v| s.length = v,
    },
];

/// A share of the hit rate that the objective adds to MRR: two settings that put the next item
/// equally high differ by how often they name it at all.
const HIT_SHARE: f64 = 0.25;
/// Prefixes of a session that count while tuning, so that one session of hundreds of clicks does
/// not choose for all others.
const LONGEST: usize = 30;
/// Predictions that are enough to choose by, each setting being asked the same ones. More sessions
/// than hold so many are thinned evenly.
const ENOUGH: usize = 4_000;
const ROUNDS: usize = 3;

/// What tuning chose, with its figures on the validation sessions.
#[derive(Clone, Debug, PartialEq)]
pub struct Tuned {
    pub settings: SessionSettings,
    pub mrr: f64,
    pub hit_rate: f64,
    /// Settings that were tried.
    pub tried: usize,
}

impl Tuned {
    fn objective(&self) -> f64 {
        self.mrr + HIT_SHARE * self.hit_rate
    }
}

/// Settings that are tried at most.
#[must_use]
pub fn most_tried() -> usize {
    let values: usize = AXES.iter().map(|axis| axis.values.len()).sum();
    1 + ROUNDS * values
}

/// Walks the grid from the settings of `sessions`. Of equal values the one met first stays. `told`
/// hears how many settings were tried so far.
pub fn tune(
    sessions: &Sessions,
    valid: &Log,
    k: usize,
    told: &mut dyn FnMut(usize),
) -> Result<Tuned, Error> {
    let valid = &few(valid);
    let mut best = measure(sessions, valid, k, *sessions.settings())?;
    let mut tried = 1;
    told(tried);
    for _ in 0..ROUNDS {
        let before = best.settings;
        for axis in AXES {
            let start = best.settings;
            for value in axis.values {
                let mut settings = start;
                (axis.set)(&mut settings, *value);
                if settings == start {
                    continue;
                }
                let found = measure(sessions, valid, k, settings)?;
                tried += 1;
                told(tried);
                if found.objective() > best.objective() {
                    best = found;
                }
            }
        }
        if best.settings == before {
            break;
        }
    }
    Ok(Tuned { tried, ..best })
}

/// Evenly spread sessions with about as many predictions as are enough.
fn few(valid: &Log) -> Log {
    let asked = |items: &Vec<u32>| items.len().saturating_sub(1).min(LONGEST);
    let all: usize = valid.sessions.iter().map(asked).sum();
    let most = valid.sessions.len() * ENOUGH / all.max(ENOUGH);
    Log {
        sessions: thinned(valid.sessions.iter().collect(), most)
            .into_iter()
            .cloned()
            .collect(),
        ended: thinned(valid.ended.clone(), most),
    }
}

fn measure(
    sessions: &Sessions,
    valid: &Log,
    k: usize,
    settings: SessionSettings,
) -> Result<Tuned, Error> {
    let score = score_sessions(&sessions.with_settings(settings)?, valid, k, LONGEST);
    Ok(Tuned {
        settings,
        mrr: score.mrr(),
        hit_rate: score.hit_rate(),
        tried: 1,
    })
}
