//! The shell that every service shares.
