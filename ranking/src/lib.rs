//! Scoring: the ranker and the abandonment-risk model.
