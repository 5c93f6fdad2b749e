//! The features role: events in, features, profiles and items out.
