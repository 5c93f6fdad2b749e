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
//!
//! [`World`] is a shop that lives: its shoppers leave carts, are written to or left alone, and
//! react. What each of them would do under any messages is a function of the seed, so the effect
//! of every message is known and not estimated.
//!
//! | module | holds |
//! |---|---|
//! | `world` | shoppers with consent, channels, time zones and devices, and the carts they leave |
//! | `response` | how likely each kind reacts to each arm, given delay and fatigue |
//! | `life` | what one shopper does under given messages: the potential outcomes |

mod arrival;
mod catalogue;
mod life;
mod random;
mod response;
mod shop;
mod shopper;
mod visit;
mod words;
mod world;

pub use life::{Act, Life, Message, Money, Order, What};
pub use random::Random;
pub use response::{Arm, Response};
pub use shop::{Options, Shop, demo};
pub use shopper::{Shopper, ShopperKind};
pub use world::{Line, Person, Visit, World};
