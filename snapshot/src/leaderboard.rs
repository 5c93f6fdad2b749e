use serde::{Deserialize, Serialize};

/// Every way of finding items, asked about the same later events that none had seen.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Leaderboard {
    /// Places that count.
    pub k: u32,
    /// When the first and the last of the events asked about happened.
    pub from_ms: i64,
    pub to_ms: i64,
    /// One for each slice and method, in the order in which they are shown.
    pub rows: Vec<LeaderboardRow>,
}

/// What one method scored on one slice of the predictions.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LeaderboardRow {
    /// `all`, or a part such as `cold_items`.
    pub slice: String,
    pub method: String,
    pub predictions: u64,
    /// Means over the predictions, 0 to 1.
    pub hit_rate: f64,
    pub mrr: f64,
    pub ndcg: f64,
    pub recall: f64,
    /// Share of the catalogue that was shown at least once.
    pub coverage: f64,
    /// What the method has over popularity; absent for popularity itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gain: Option<Gain>,
}

/// Differences of the means of one method and another over the same predictions.
#[derive(Copy, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Gain {
    pub hit_rate: Bounds,
    pub mrr: Bounds,
    pub ndcg: Bounds,
    pub recall: Bounds,
}

/// A difference of means, and what holds 95 % of its resampled values.
#[derive(Copy, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Bounds {
    pub mean: f64,
    pub low: f64,
    pub high: f64,
}

impl Leaderboard {
    /// The row of a slice and a method.
    #[must_use]
    pub fn row(&self, slice: &str, method: &str) -> Option<&LeaderboardRow> {
        self.rows
            .iter()
            .find(|row| row.slice == slice && row.method == method)
    }

    /// Slices in the order of their first row.
    #[must_use]
    pub fn slices(&self) -> Vec<&str> {
        let mut slices: Vec<&str> = Vec::new();
        for row in &self.rows {
            if !slices.contains(&row.slice.as_str()) {
                slices.push(&row.slice);
            }
        }
        slices
    }
}
