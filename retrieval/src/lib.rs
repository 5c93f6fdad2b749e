//! Candidate sources over a loaded generation, their fusion and filters.
