//! Stock and prices as the shop states them, laid over every generation that is held as its gate.
//!
//! They outlive generations: a table by item id is kept beside them, and a generation gets its gate
//! from it before it can be asked for. One thread owns the table and does one thing after another,
//! so that no change falls between filling a gate and following it.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use proto::v1 as pb;
use retrieval::Gate;
use tokio::sync::{mpsc, oneshot};

use crate::desk;
use crate::generation::Generation;
use crate::metrics::Metrics;

/// What the shop said of one item.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Word {
    blocked: bool,
    /// 0: the catalogue's.
    price_minor: i64,
}

impl Word {
    fn of(item: &pb::Item) -> Self {
        Self {
            blocked: item.unsellable || item.stock.is_some_and(|units| units <= 0),
            price_minor: item.price_minor.max(0),
        }
    }
}

type Table = HashMap<Box<str>, Word>;

#[derive(Debug)]
enum Message {
    /// A stream begins: what follows is a whole table.
    Begin,
    Updates(Box<pb::ItemUpdates>),
    LayOver(Arc<Generation>, oneshot::Sender<()>),
}

/// A handle to the overlay. Cloning shares it; its thread ends with the last handle.
#[derive(Clone, Debug)]
pub(crate) struct Overlay(mpsc::Sender<Message>);

impl Overlay {
    /// Starts the thread.
    pub(crate) fn start(metrics: Metrics) -> std::io::Result<Self> {
        let mut desk = Desk {
            table: Table::new(),
            incoming: Table::new(),
            complete: false,
            laid: Vec::new(),
            metrics,
        };
        let take = move |message| desk.take(message);
        Ok(Self(desk::start("candidates-overlay", take)?))
    }

    /// A new stream of updates begins; what it says counts once its table is complete, because half
    /// a table would open what the one before had blocked.
    pub(crate) async fn begin(&self) {
        // The thread ends after all handles, so it is there.
        let _ = self.0.send(Message::Begin).await;
    }

    /// Takes in what the stream said.
    pub(crate) async fn updates(&self, updates: pb::ItemUpdates) {
        let _ = self.0.send(Message::Updates(Box::new(updates))).await;
    }

    /// Fills the gate of a generation that was just loaded and keeps it filled from then on. Waits
    /// for that: not for a thread of the runtime.
    pub(crate) fn lay_over(&self, generation: &Arc<Generation>) {
        let (told, done) = oneshot::channel();
        let message = Message::LayOver(generation.clone(), told);
        if self.0.blocking_send(message).is_ok() {
            // An end without a word leaves the gate open, as it was.
            let _ = done.blocking_recv();
        }
    }
}

/// What the thread owns.
struct Desk {
    table: Table,
    /// The table of the stream that just began.
    incoming: Table,
    /// Whether the stream has brought its whole table.
    complete: bool,
    laid: Vec<Laid>,
    metrics: Metrics,
}

/// A gate in the making, and whose it is.
struct Laid {
    generation: Weak<Generation>,
    gate: Gate,
}

impl Desk {
    fn take(&mut self, message: Message) {
        match message {
            Message::Begin => {
                self.incoming = Table::new();
                self.complete = false;
            }
            Message::Updates(updates) => self.hear(&updates),
            Message::LayOver(generation, told) => {
                let laid = Laid::fill(&generation, &self.table);
                laid.publish(&generation);
                self.show(&laid.gate);
                self.laid.push(laid);
                drop(generation);
                // Nobody may be waiting any more.
                let _ = told.send(());
            }
        }
    }

    fn hear(&mut self, updates: &pb::ItemUpdates) {
        let words = updates.items.iter();
        let words = words.map(|item| (item.item_id.as_str(), Word::of(item)));
        if self.complete {
            let words: Vec<_> = words.collect();
            for (id, word) in &words {
                self.table.insert((*id).into(), *word);
            }
            if !words.is_empty() {
                self.follow(|laid, generation| laid.change(generation, &words));
            }
            return;
        }
        self.incoming
            .extend(words.map(|(id, word)| (Box::from(id), word)));
        if updates.table_complete {
            self.complete = true;
            self.table = std::mem::take(&mut self.incoming);
            let table = std::mem::take(&mut self.table);
            self.follow(|laid, generation| *laid = Laid::fill(generation, &table));
            self.table = table;
        }
    }

    /// Changes the gates of the generations that are still held.
    fn follow(&mut self, change: impl Fn(&mut Laid, &Arc<Generation>)) {
        let mut blocked = None;
        self.laid.retain_mut(|laid| {
            let Some(generation) = laid.generation.upgrade() else {
                return false;
            };
            change(laid, &generation);
            laid.publish(&generation);
            blocked = Some(laid.gate.blocked_count());
            true
        });
        if let Some(blocked) = blocked {
            self.metrics
                .blocked_items
                .set(i64::try_from(blocked).unwrap_or(i64::MAX));
        }
    }

    fn show(&self, gate: &Gate) {
        let blocked = i64::try_from(gate.blocked_count()).unwrap_or(i64::MAX);
        self.metrics.blocked_items.set(blocked);
    }
}

impl Laid {
    fn fill(generation: &Arc<Generation>, table: &Table) -> Self {
        let model = generation.model.load();
        let catalogue = model.catalogue();
        let mut gate = Gate::open(catalogue.len());
        for (id, word) in table {
            lay(&mut gate, catalogue.ordinal(id), *word);
        }
        Self {
            generation: Arc::downgrade(generation),
            gate,
        }
    }

    fn change(&mut self, generation: &Generation, words: &[(&str, Word)]) {
        let model = generation.model.load();
        for (id, word) in words {
            let ordinal = model.catalogue().ordinal(id);
            lay(&mut self.gate, ordinal, *word);
        }
    }

    fn publish(&self, generation: &Generation) {
        generation.gate.store(Arc::new(self.gate.clone()));
    }
}

fn lay(gate: &mut Gate, ordinal: Option<u32>, word: Word) {
    let Some(ordinal) = ordinal else {
        return;
    };
    if word.blocked {
        gate.block(ordinal);
    } else {
        gate.unblock(ordinal);
    }
    if word.price_minor > 0 {
        gate.set_price(ordinal, word.price_minor);
    }
}
