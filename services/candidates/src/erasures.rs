//! Who was erased, and past sessions without them.
//!
//! One thread takes the sessions of erased shoppers out of every generation that is held: it makes the
//! table of sessions anew without them and swaps it in, so that a search neither waits nor looks
//! whether somebody was erased. Until all erased shoppers are known, a generation whose sessions can
//! be told apart answers without session neighbours, and says so.

use std::sync::{Arc, PoisonError, Weak};

use kit::causes::causes;
use proto::v1 as pb;
use retrieval::{Erased, Model, Sessions};
use tokio::sync::{mpsc, oneshot};

use crate::desk;
use crate::generation::Generation;
use crate::metrics::Metrics;

const UNKNOWN: &str = "features has not told who is erased";
const OTHER_KEY: &str = "made with another privacy key, so it cannot be told whose are erased";

#[derive(Debug)]
enum Message {
    Told(Box<pb::Erasures>),
    LayOver(Arc<Generation>, oneshot::Sender<()>),
}

/// A handle to what is known. Cloning shares it; its thread ends with the last handle.
#[derive(Clone, Debug)]
pub(crate) struct Erasures(mpsc::Sender<Message>);

impl Erasures {
    /// Starts the thread. Without a features role nobody can be told to be erased, and nobody is.
    pub(crate) fn start(has_features: bool, metrics: Metrics) -> std::io::Result<Self> {
        let mut desk = Desk {
            has_features,
            erased: Erased::new(),
            key: None,
            laid: Vec::new(),
            replaced: Vec::new(),
            metrics,
        };
        let take = move |message| desk.take(message);
        Ok(Self(desk::start("candidates-erasures", take)?))
    }

    /// Takes in what the stream said.
    pub(crate) async fn told(&self, erasures: pb::Erasures) {
        // The thread ends after all handles, so it is there.
        let _ = self.0.send(Message::Told(Box::new(erasures))).await;
    }

    /// Takes everybody who is known to be erased out of a generation that was just loaded, and
    /// whoever follows from then on. Waits for that: not for a thread of the runtime.
    pub(crate) fn lay_over(&self, generation: &Arc<Generation>) {
        let (told, done) = oneshot::channel();
        let message = Message::LayOver(generation.clone(), told);
        if self.0.blocking_send(message).is_ok() {
            let _ = done.blocking_recv();
        }
    }
}

/// What the thread owns.
struct Desk {
    has_features: bool,
    /// Only ever grows while the key is the same.
    erased: Erased,
    /// The key of the MACs, once all that was erased is known.
    key: Option<String>,
    laid: Vec<Weak<Generation>>,
    /// Kept until nobody reads it, so that no request frees it.
    replaced: Vec<Arc<Model>>,
    metrics: Metrics,
}

impl Desk {
    fn take(&mut self, message: Message) {
        self.replaced.retain(|model| Arc::strong_count(model) > 1);
        match message {
            Message::Told(told) => self.hear(&told),
            Message::LayOver(generation, done) => {
                self.settle(&generation);
                self.laid.push(Arc::downgrade(&generation));
                drop(generation);
                // Nobody may be waiting any more.
                let _ = done.send(());
            }
        }
    }

    fn hear(&mut self, told: &pb::Erasures) {
        let other_key = self.key.as_ref().is_some_and(|key| *key != told.key);
        if other_key {
            tracing::warn!("features tells of erasures under another privacy key than before");
            self.erased.clear();
            self.key = None;
        }
        let mut news = false;
        for one in &told.erased {
            let until = u64::try_from(one.erased_at_ms / 1_000).unwrap_or(0);
            let known = self.erased.entry(one.shopper).or_default();
            news |= until > *known;
            *known = until.max(*known);
        }
        let became_known = told.complete && self.key.is_none();
        if told.complete {
            self.key = Some(told.key.clone());
        }
        let shoppers = i64::try_from(self.erased.len()).unwrap_or(i64::MAX);
        self.metrics.erasures.shoppers.set(shoppers);
        if became_known || other_key || news {
            let laid = std::mem::take(&mut self.laid);
            for generation in laid {
                if let Some(held) = generation.upgrade() {
                    self.settle(&held);
                    self.laid.push(generation);
                }
            }
        }
    }

    /// Takes erased shoppers out of a generation's sessions, and lets it answer from what is left, or
    /// from none while it is not known who is erased.
    fn settle(&mut self, generation: &Generation) {
        let sessions = generation.sessions.lock();
        let mut sessions = sessions.unwrap_or_else(PoisonError::into_inner);
        let Some(held) = sessions.as_mut() else {
            return;
        };
        let unkeyed = if held.is_keyed() { 0 } else { held.len() };
        let unkeyed_shown = i64::try_from(unkeyed).unwrap_or(i64::MAX);
        self.metrics.erasures.unkeyed.set(unkeyed_shown);
        if unkeyed > 0 {
            return;
        }
        let changed = self.leave_out(generation, held);
        let why = self.why_not(generation);
        self.metrics.erasures.withheld.set(why.is_some().into());
        let model = generation.model.load();
        let answers = model.sessions().is_some();
        let new = match why {
            Some(why) if answers => {
                let generation = &generation.id;
                tracing::warn!(generation, why, "answers without session neighbours");
                model.without_sessions(why)
            }
            None if changed || !answers => model.with_sessions(held.clone()),
            Some(_) | None => return,
        };
        drop(model);
        self.replaced.push(generation.model.swap(Arc::new(new)));
    }

    /// Whether any were left out.
    fn leave_out(&self, generation: &Generation, held: &mut Sessions) -> bool {
        match held.without(&self.erased) {
            Ok(None) => false,
            Ok(Some((left, gone))) => {
                *held = left;
                self.metrics.erasures.masked.add(gone as u64);
                let generation = &generation.id;
                tracing::info!(
                    generation,
                    sessions = gone,
                    "took sessions of erased shoppers out"
                );
                true
            }
            // A part of a table that was checked is one that passes the check.
            Err(error) => {
                tracing::error!(error = causes(&error), "cannot leave sessions out");
                false
            }
        }
    }

    /// Why session neighbours may not be used now.
    fn why_not(&self, generation: &Generation) -> Option<&'static str> {
        if !self.has_features {
            return None;
        }
        match &self.key {
            None => Some(UNKNOWN),
            Some(_) if self.erased.is_empty() => None,
            Some(key) if generation.sessions_key.as_ref() == Some(key) => None,
            Some(_) => Some(OTHER_KEY),
        }
    }
}
