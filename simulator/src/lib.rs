//! A synthetic shop: catalogue, shoppers and what they do.
