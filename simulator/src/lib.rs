//! A synthetic shop: catalogue, shoppers and what they do.
//!
//! [`Shop::generate`] is a pure function of a seed and [`Options`]. It uses its own generator of
//! random numbers and no function whose last bit depends on the platform, so that a seed means the
//! same shop for ever. [`demo`] is the shop that `cartwright demo` shows when no log is given.
//!
//! | module | holds |
//! |---|---|
//! | `random` | the generator of random numbers |
//! | `catalogue`, `words` | items with names, prices, costs, stock, and what is bought together |
//! | `shopper` | kinds of shoppers, their true risk, and their taste |
//! | `visit` | what a shopper does: views, a cart, and what becomes of it |
//! | `arrival` | duplicates and late arrivals |

mod arrival;
mod catalogue;
mod random;
mod shop;
mod shopper;
mod visit;
mod words;

pub use shop::{Options, Shop, demo};
pub use shopper::{Shopper, ShopperKind};
