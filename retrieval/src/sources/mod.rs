//! The sources of candidates. Each fills a list with allowed items, best first, at most `depth`
//! of them, every score above 0 but popularity's.

mod collaborative;
mod content;
mod covisitation;
mod popularity;
mod revisit;
mod space;

pub(crate) use collaborative::Collaborative;
pub(crate) use content::{Asking, Content, ContentScratch};
pub(crate) use covisitation::Covisitation;
pub(crate) use popularity::Popularity;
pub(crate) use revisit::{rebuy, revisit};
