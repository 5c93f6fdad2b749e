//! A real server on a free port, over an embedded store in a temporary folder.

mod catalog;
mod events;
mod malformed;
mod reading;
mod server;
mod shoppers;
mod support;
