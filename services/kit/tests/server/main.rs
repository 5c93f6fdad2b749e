//! A role's life on real sockets: readiness, tokens, TLS, panics, metrics, draining.

mod life;
mod protection;
mod toy;
