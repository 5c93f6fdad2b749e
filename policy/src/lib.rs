//! Actions, eligibility and value: what to do about a cart.
//!
//! A [`Policy`] is a TOML file, checked and compiled. [`Policy::decide`] is a pure function of the
//! policy, the [`Inputs`] and the seed: no clock, no IO, no map order. What is logged with a
//! decision is [`Inputs::encode`], from which it can be made again bit for bit.
//!
//! | module | holds |
//! |---|---|
//! | `file` | reading the policy file: sections, arms, every mistake with its place |
//! | `settings` | the file after checking |
//! | `rules` | eligibility rules in CEL: what they may say, compiling, evaluating |
//! | `cart` | price, margin and the most that each line may give away |
//! | `discount` | what an arm takes off, line by line |
//! | `weigh` | the value formula and its derivation |
//! | `eligibility` | consent, reach, caps, margin, rules |
//! | `decide` | the choice; its order of preference |
//! | `flips` | when the runner-up would win, solved in closed form |
//! | `reasons` | all of it in plain words |
//! | `encoding`, `digest` | inputs for the decision log, and what a replay is compared by |
//!
//! Around the decision about one cart stands the loop, in modules that can be read alone:
//!
//! | module | holds |
//! |---|---|
//! | [`account`] | a budget as it is stored: the ledger of a period and its price |
//! | [`allocate`] | one budget over many carts: the shadow price, and how far from the best it is |
//! | [`campaign`] | offers on chosen items for a while, laid over the policy |
//! | [`coupon`] | codes: unique, signed, expiring |
//! | [`guard`] | may an action go out now, later or never: consent, quiet hours, caps, stock, price, budget |
//! | [`holdout`] | who is left alone for good, to measure against |
//! | [`ledger`] | a campaign's budget in a period: reserve, commit, release, expire |
//! | [`measure`] | what acting is worth against the holdout, with intervals that one may watch |
//! | [`pace`] | the shadow price through a period |
//! | [`person`] | all of it that lies in one person's value |
//! | [`propensity`] | exploration with logged probabilities |
//! | [`restore`] | links that bring a cart back, and the cart at today's prices |
//! | [`sequence`] | steps of recovery, when they are due and what ends them |
//! | [`token`] | keys of codes and links |

pub mod account;
mod action;
pub mod allocate;
pub mod campaign;
mod cart;
pub mod coupon;
mod decide;
mod decision;
mod digest;
mod discount;
mod draw;
mod eligibility;
mod encoding;
mod file;
mod flips;
pub mod guard;
pub mod holdout;
mod inputs;
pub mod ledger;
pub mod measure;
mod money;
pub mod pace;
pub mod person;
mod policy;
mod problem;
pub mod propensity;
mod reasons;
pub mod restore;
mod rules;
pub mod sequence;
mod settings;
pub mod token;
mod weigh;

pub use action::Action;
pub use decision::{Considered, Decision, Offer, RunnerUp};
pub use encoding::DecodeError;
pub use inputs::{Inputs, Line};
pub use policy::{ArmSummary, Policy};
pub use problem::Problem;
