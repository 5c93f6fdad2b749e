//! A real server on a free port, over a small snapshot, with a stand-in for the features role.

mod features;
mod malformed;
mod overlay;
mod retrieving;
mod server;
mod support;
