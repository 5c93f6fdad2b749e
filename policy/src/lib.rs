//! Actions, eligibility and value: what to do about a cart.
