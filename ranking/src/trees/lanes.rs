//! Rows in, bytes out: what the questions of all trees need to know of a value.
//!
//! A feature is asked about at a few thresholds only, so a value is no more than its rank among
//! them: how many it is above. A rank fits a byte once thresholds are cut into pages of 255, and
//! comparing ranks is as exact as comparing values. What is missing ranks below all or above all,
//! by the way that it is to go; whoever wants both has two lanes. A set of categories is a lane
//! that is 0 or 1.

use std::collections::{BTreeMap, BTreeSet};

use super::question::{Gaps, NEARLY_ZERO, Node, Question, Set, Way, key};

/// Rows that are looked at together.
pub(super) const ROWS: usize = 64;
/// Thresholds of a page.
const PAGE: usize = 255;

/// One byte a row; −128 is rank 0, so that a signed comparison, which processors have, orders them.
pub(super) type Lane = [i8; ROWS];

/// Which lane to look at; a byte above `limit` leads right.
#[derive(Copy, Clone, Debug)]
pub(super) struct Step {
    pub(super) lane: u32,
    pub(super) limit: i8,
}

impl Step {
    /// No byte is above it.
    pub(super) const LEFT: Self = Self {
        lane: 0,
        limit: i8::MAX,
    };

    #[inline]
    pub(super) fn leads_right(self, lanes: &[Lane], row: usize) -> bool {
        lanes[self.lane as usize][row % ROWS] > self.limit
    }

    /// For the only row there is, with one byte for each lane.
    #[inline]
    pub(super) fn leads_right_alone(self, bytes: &[i8]) -> bool {
        bytes[self.lane as usize] > self.limit
    }
}

/// A feature with the thresholds that it is compared with.
#[derive(Clone, Debug)]
struct Ranked {
    feature: usize,
    /// Sorted, each once, and as many of `u32::MAX` behind them as make a power of two less one.
    limits: Vec<u32>,
    lanes: Vec<RankLane>,
}

#[derive(Copy, Clone, Debug)]
struct RankLane {
    lane: usize,
    /// Rank of the first threshold of the page.
    from: usize,
    gaps: Gaps,
}

/// Of one feature: all thresholds, and each with every treatment of gaps.
type Asked = (BTreeSet<u32>, BTreeSet<(Gaps, u32)>);

#[derive(Clone, Debug, Default)]
pub(super) struct Lanes {
    ranked: Vec<Ranked>,
    /// With its lane.
    sets: Vec<(usize, Set)>,
    /// The lane of each, for whoever builds steps.
    places: BTreeMap<(u32, Gaps, usize), u32>,
    first_set: u32,
    count: usize,
}

impl Lanes {
    pub(super) fn new<'a>(trees: impl Iterator<Item = &'a Node>, sets: Vec<Set>) -> Self {
        let mut asked: BTreeMap<u32, Asked> = BTreeMap::new();
        for node in trees {
            if let Node::Ask {
                question:
                    Question::Number {
                        feature,
                        limit,
                        gaps,
                    },
                ..
            } = node
            {
                let (limits, wanted) = asked.entry(*feature).or_default();
                limits.insert(*limit);
                wanted.insert((*gaps, *limit));
            }
        }
        let mut lanes = Self::default();
        for (feature, (limits, wanted)) in asked {
            lanes.rank(feature, limits.into_iter().collect(), wanted);
        }
        lanes.first_set = u32::try_from(lanes.count).unwrap_or(u32::MAX);
        for set in sets {
            lanes.sets.push((lanes.count, set));
            lanes.count += 1;
        }
        // Steps that ask nothing look at some lane.
        lanes.count = lanes.count.max(1);
        lanes
    }

    fn rank(&mut self, feature: u32, mut limits: Vec<u32>, wanted: BTreeSet<(Gaps, u32)>) {
        let mut pages = BTreeSet::new();
        for (gaps, limit) in wanted {
            pages.insert((gaps, limits.partition_point(|other| *other < limit) / PAGE));
        }
        let mut own = Vec::with_capacity(pages.len());
        for (gaps, page) in pages {
            let lane = self.count;
            self.count += 1;
            let number = u32::try_from(lane).unwrap_or(u32::MAX);
            self.places.insert((feature, gaps, page), number);
            own.push(RankLane {
                lane,
                from: page * PAGE,
                gaps,
            });
        }
        limits.resize((limits.len() + 1).next_power_of_two() - 1, u32::MAX);
        self.ranked.push(Ranked {
            feature: feature as usize,
            limits,
            lanes: own,
        });
    }

    pub(super) fn step(&self, question: &Question) -> Step {
        match question {
            Question::Category { set } => Step {
                lane: self.first_set + set,
                limit: byte(0),
            },
            Question::Number {
                feature,
                limit,
                gaps,
            } => {
                let place = self
                    .ranked
                    .binary_search_by_key(&(*feature as usize), |ranked| ranked.feature);
                let limits = place.map_or(&[][..], |at| &self.ranked[at].limits);
                let rank = limits.partition_point(|other| other < limit);
                let lane = self.places.get(&(*feature, *gaps, rank / PAGE)).copied();
                Step {
                    lane: lane.unwrap_or(0),
                    limit: byte(rank % PAGE),
                }
            }
        }
    }

    /// Ranks up to [`ROWS`] rows of `columns` values.
    pub(super) fn fill(&self, rows: &[f32], columns: usize, lanes: &mut Vec<Lane>) {
        lanes.resize(self.count, [i8::MIN; ROWS]);
        let count = rows.len().checked_div(columns).unwrap_or(0).min(ROWS);
        let mut values = [0.0; ROWS];
        for ranked in &self.ranked {
            gather(rows, columns, ranked.feature, &mut values);
            ranked.fill(&values, count, lanes);
        }
        for (lane, set) in &self.sets {
            gather(rows, columns, set.feature as usize, &mut values);
            for (byte_of, value) in lanes[*lane].iter_mut().zip(values).take(count) {
                *byte_of = byte(usize::from(set.way(value) == Way::Right));
            }
        }
    }

    /// Ranks one row: one byte for each lane, so that all of them lie together.
    pub(super) fn fill_alone(&self, row: &[f32], bytes: &mut Vec<i8>) {
        bytes.clear();
        bytes.resize(self.count, i8::MIN);
        for ranked in &self.ranked {
            let (value, mut rank) = (row[ranked.feature], [0]);
            search::<1>(&ranked.limits, &[value], &mut rank);
            for to in &ranked.lanes {
                bytes[to.lane] = to.byte(value, rank[0]);
            }
        }
        for (lane, set) in &self.sets {
            let way = set.way(row[set.feature as usize]);
            bytes[*lane] = byte(usize::from(way == Way::Right));
        }
    }
}

fn gather(rows: &[f32], columns: usize, feature: usize, values: &mut [f32; ROWS]) {
    for (value, row) in values.iter_mut().zip(rows.chunks_exact(columns)) {
        *value = row[feature];
    }
}

impl Ranked {
    fn fill(&self, values: &[f32; ROWS], count: usize, lanes: &mut [Lane]) {
        let mut ranks = [0_usize; ROWS];
        // Several searches at once, since each step of one waits for the step before.
        let whole = count.div_ceil(8);
        let chunks = ranks.chunks_mut(8).zip(values.chunks(8)).take(whole);
        chunks.for_each(|(ranks, values)| search::<8>(&self.limits, values, ranks));
        for to in &self.lanes {
            let bytes = lanes[to.lane].iter_mut().zip(values).zip(ranks).take(count);
            for ((byte_of, value), rank) in bytes {
                *byte_of = to.byte(*value, rank);
            }
        }
    }
}

impl RankLane {
    #[inline]
    fn byte(&self, value: f32, rank: usize) -> i8 {
        let rank = rank.saturating_sub(self.from).min(PAGE);
        let at = |way| byte(if way == Way::Right { PAGE } else { 0 });
        if value.is_nan() {
            return at(self.gaps.nan);
        }
        match self.gaps.zero {
            Some(way) if value.abs() <= NEARLY_ZERO => at(way),
            Some(_) | None => byte(rank),
        }
    }
}

/// How many limits each value's key is above. `limits` has a power of two less one.
#[inline]
fn search<const L: usize>(limits: &[u32], values: &[f32], ranks: &mut [usize]) {
    let mut keys = [0; L];
    for (to, value) in keys.iter_mut().zip(values) {
        *to = key(*value);
    }
    let mut found = [0_usize; L];
    let mut half = limits.len().div_ceil(2);
    while half > 0 {
        for (found, key) in found.iter_mut().zip(keys) {
            let is_above = limits[*found + half - 1] < key;
            *found += if is_above { half } else { 0 };
        }
        half /= 2;
    }
    for (rank, found) in ranks.iter_mut().zip(found) {
        *rank = found;
    }
}

/// A rank of up to 255 as it lies in a lane.
#[inline]
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "ranks are at most 255, and 255 − 128 fits"
)]
const fn byte(rank: usize) -> i8 {
    (rank as u8 ^ 0x80) as i8
}
