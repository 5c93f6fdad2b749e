//! Events, shopper state, windowed features, items, and the two online stores.
