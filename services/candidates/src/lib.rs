//! The candidates role: items for a shopper, from one generation.
