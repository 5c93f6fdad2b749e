/// Where a candidate came from.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// The shopper dealt with it lately.
    Revisit,
    /// The shopper bought it before, and may again.
    Rebuy,
    /// It came next in past sessions like this one.
    Sessions,
    /// It shared sessions with the recent items.
    Covisitation,
    /// It is near the shopper's vector.
    Collaborative,
    /// It is described, or looks, like the recent items.
    Content,
    /// Many shoppers want it; first in the categories of the recent items.
    Popularity,
}

impl Source {
    pub const COUNT: usize = 7;

    pub const ALL: [Self; Self::COUNT] = [
        Self::Revisit,
        Self::Rebuy,
        Self::Sessions,
        Self::Covisitation,
        Self::Collaborative,
        Self::Content,
        Self::Popularity,
    ];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Revisit => "revisit",
            Self::Rebuy => "rebuy",
            Self::Sessions => "sessions",
            Self::Covisitation => "covisitation",
            Self::Collaborative => "collaborative",
            Self::Content => "content",
            Self::Popularity => "popularity",
        }
    }
}

/// What one source says of a candidate.
#[derive(Copy, Clone, Debug, PartialEq)]
pub struct SourceScore {
    pub source: Source,
    /// The source's own score, above 0 except for popularity, where it may be 0.
    pub score: f64,
    /// 0 = the source's best.
    pub rank: u32,
}

/// An item to consider.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    pub item_id: String,
    pub ordinal: u32,
    /// Fused; above 1 when a source that knows the shopper named the item, at most 1 when only
    /// popularity did. Comparable within one answer.
    pub score: f64,
    /// The sources that named it, the one that added most first.
    pub sources: Vec<SourceScore>,
}

/// What the sources say of an item that the query asked about.
#[derive(Clone, Debug, PartialEq)]
pub struct Scored {
    pub item_id: String,
    /// `false` when the generation does not know the item; the rest is then 0 and empty.
    pub known: bool,
    /// The fused score that the item would have as a candidate of this answer, were it the only
    /// one of those ruled out that is let in.
    pub score: f64,
    /// As of a candidate; ranks are among the items of the answer.
    pub sources: Vec<SourceScore>,
}

/// How complete an answer is.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum PlanKind {
    /// Every eligible item was scored by every source.
    Exact,
    /// A part of the vector index was probed.
    Approximate,
    /// Fewer than k items are eligible; all of them are here.
    Short,
}

impl PlanKind {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Approximate => "approximate",
            Self::Short => "short",
        }
    }
}

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct AnswerPlan {
    pub kind: PlanKind,
    /// Items that filter, gate and exclusions left.
    pub eligible: u64,
    /// Inverted lists probed; 0 when the vectors were scanned or not searched.
    pub lists_probed: u32,
}

/// Best first; equal scores by item id.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    pub candidates: Vec<Candidate>,
    /// One for each entry of [`Query::score`](crate::Query::score), in its order.
    pub scored: Vec<Scored>,
    pub plan: AnswerPlan,
    /// Recent items that the generation does not know, in the query's order.
    pub unknown: Vec<String>,
    /// Sources that should have answered and could not.
    pub degraded: Vec<String>,
}
