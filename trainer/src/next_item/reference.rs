use std::collections::BTreeMap;

use super::Log;
use crate::metrics::real;

/// VMIS-kNN (Kersbergen, Sprangers and Schelter, "Serenade", SIGMOD 2022), as a yardstick: no item
/// order in past sessions, linear decay by position, the newest `m` sessions that share an item.
///
/// The original leaves the order of ties to hash maps; here newer sessions and smaller item
/// numbers come first.
#[derive(Clone, Debug)]
pub struct VmisKnn {
    /// Newest sessions of all that share an item.
    pub m: usize,
    /// Most similar ones that vote.
    pub k: usize,
    /// Latest items of the current session that count.
    pub last: usize,
    /// Distinct items of each session, newest session first.
    sessions: Vec<Vec<u32>>,
    postings: Vec<Vec<u32>>,
}

impl VmisKnn {
    /// With the settings that its authors publish for their example data.
    #[must_use]
    pub fn published(past: &Log, items: usize) -> Self {
        let mut order: Vec<usize> = (0..past.sessions.len()).collect();
        order.sort_by_key(|&at| std::cmp::Reverse((past.ended[at], at)));
        let distinct = |at: usize| {
            let mut items = past.sessions[at].clone();
            items.sort_unstable();
            items.dedup();
            items
        };
        let sessions: Vec<Vec<u32>> = order.into_iter().map(distinct).collect();
        let mut postings = vec![Vec::new(); items];
        for (number, session) in (0u32..).zip(&sessions) {
            for &item in session {
                postings[item as usize].push(number);
            }
        }
        Self {
            m: 1_502,
            k: 288,
            last: 4,
            sessions,
            postings,
        }
    }

    /// The `count` best next items of a session, newest first.
    #[must_use]
    pub fn next(&self, newest_first: &[u32], count: usize) -> Vec<u32> {
        let mut current: Vec<u32> = Vec::new();
        for &item in newest_first.iter().take(self.last) {
            if !current.contains(&item) {
                current.push(item);
            }
        }
        let mut scores: BTreeMap<u32, f64> = BTreeMap::new();
        for (session, similarity) in self.neighbours(&current) {
            let items = &self.sessions[session as usize];
            let first = current
                .iter()
                .position(|item| items.contains(item))
                .unwrap_or(0);
            let place = (1.0 - 0.1 * real(first + 1)).max(0.0);
            for &item in items {
                *scores.entry(item).or_default() += place * self.idf(item) * similarity;
            }
        }
        scores.remove(newest_first.first().unwrap_or(&u32::MAX));
        let mut ranked: Vec<(u32, f64)> = scores.into_iter().collect();
        ranked.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        ranked
            .into_iter()
            .take(count)
            .map(|(item, _)| item)
            .collect()
    }

    fn neighbours(&self, current: &[u32]) -> Vec<(u32, f64)> {
        let mut similar: BTreeMap<u32, f64> = BTreeMap::new();
        for (place, &item) in current.iter().enumerate() {
            let decay = real(current.len() - place) / real(current.len());
            // The m newest of all are among the m newest of each item.
            let holders = self.postings.get(item as usize).into_iter().flatten();
            for &session in holders.take(self.m) {
                *similar.entry(session).or_default() += decay;
            }
        }
        // Sessions are numbered newest first.
        let mut newest: Vec<(u32, f64)> = similar.into_iter().take(self.m).collect();
        newest.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        newest.truncate(self.k);
        newest
    }

    fn idf(&self, item: u32) -> f64 {
        let holders = self.postings.get(item as usize).map_or(1, Vec::len);
        (real(self.sessions.len()) / real(holders.max(1))).ln()
    }
}
