//! Peers of the role, on real sockets, and a small generation.

pub(crate) mod peers;
pub(crate) mod world;
