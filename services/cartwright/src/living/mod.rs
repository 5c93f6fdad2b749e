//! Simulated shoppers who live against real servers, in the time of a clock that may run fast.
//!
//! A [`lane::Lane`] leads some of the shoppers: it tells the servers what they do when it is time, and
//! never goes on before that is acknowledged. Whatever is sent to a shopper arrives as an
//! [`Arrival`], and changes what they do from then on.

pub(crate) mod arrival;
pub(crate) mod crowd;
pub(crate) mod lane;
pub(crate) mod offline;
pub(crate) mod past;
pub(crate) mod receiver;
pub(crate) mod teller;
pub(crate) mod truth;

pub(crate) use arrival::Arrival;
