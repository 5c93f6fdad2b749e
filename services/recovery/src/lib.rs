//! The recovery role: rank and decide.
