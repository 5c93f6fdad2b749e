//! Event logs in, a snapshot out: readers, factorisation, co-visitation, risk.
