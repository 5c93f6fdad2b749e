//! From a published snapshot to a generation that is ready: fetched, examined, loaded, on the
//! loader's thread from end to end.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use kit::Problem;
use kit::causes::causes;
use snapshot::{Activation, Error, Manifest, Registry, Snapshot, Verdict, gates};
use tokio::runtime::Runtime;

use crate::book::Step;
use crate::held::Generation;
use crate::keeper::{Keeper, Kept, Role};
use crate::source::Source;

/// How long requests may hold on to a generation that was let go of before loading gives up: their
/// deadlines end long before.
const LONGEST_REQUEST: Duration = Duration::from_secs(60);
/// How long another role of this machine may load before this one does so as well.
const LONGEST_TURN: Duration = Duration::from_secs(120);
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// What became of a wish for a snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prepared {
    /// What the gates measured.
    pub verdicts: Vec<Verdict>,
    /// Why it is not ready; `None` when it is.
    pub refusal: Option<String>,
}

/// Why there is no generation, and no gate is the reason.
struct Failed(Step, Problem);

impl<R: Role> Keeper<R> {
    /// Holds a snapshot of the registry ready. One is prepared after another; whoever asks for the
    /// same gets the same answer.
    ///
    /// # Errors
    /// No registry, no such snapshot, a registry that does not answer.
    pub async fn prepare(&self, id: &str, force: &[String]) -> Result<Prepared, Problem> {
        let kept = &self.0;
        if let Some(known) = kept.known(id) {
            return Ok(known);
        }
        kept.source()?;
        let (kept, id, force) = (kept.clone(), id.to_owned(), force.to_vec());
        let job = move |runtime: &Runtime| kept.prepare(runtime, &id, &force);
        let outcome = self.0.loader.run(job).await;
        outcome.map_err(|broken| Problem::Internal(broken.to_string()))?
    }
}

impl<R: Role> Kept<R> {
    /// What is known of a generation that is held.
    fn known(&self, id: &str) -> Option<Prepared> {
        self.generations.get(id).ok()?;
        let verdicts = self.book().verdicts.get(id).cloned();
        Some(Prepared {
            verdicts: verdicts.unwrap_or_default(),
            refusal: None,
        })
    }

    fn prepare(&self, runtime: &Runtime, id: &str, force: &[String]) -> Result<Prepared, Problem> {
        // It may have come while this one waited.
        if let Some(known) = self.known(id) {
            return Ok(known);
        }
        let started = Instant::now();
        self.begun.fetch_add(1, Ordering::Relaxed);
        let mut examined = Examined {
            force,
            verdicts: Vec::new(),
        };
        let made = self.make(runtime, id, &mut examined);
        self.book().loading = None;
        let verdicts = examined.verdicts;
        match made {
            Ok(Some(generation)) => {
                let (took, items) = (started.elapsed(), generation.items());
                self.metrics.load.observe(took);
                self.generations.prepare(generation);
                {
                    let mut book = self.book();
                    book.keep(id, verdicts.clone(), &self.generations.held());
                }
                self.reached("swap.prepared");
                let role = self.role.name();
                tracing::info!(role, generation = id, items, ?took, "ready to go live");
                Ok(Prepared {
                    verdicts,
                    refusal: None,
                })
            }
            Ok(None) => {
                let refusal = refusal(&verdicts);
                self.failed(id, Step::Examining, refusal.clone());
                Ok(Prepared {
                    verdicts,
                    refusal: Some(refusal),
                })
            }
            Err(Failed(step, problem)) => {
                self.failed(id, step, problem.to_string());
                Err(problem)
            }
        }
    }

    /// The generation; `None` when a gate refuses it.
    fn make(
        &self,
        runtime: &Runtime,
        id: &str,
        examined: &mut Examined<'_>,
    ) -> Result<Option<Arc<R::Generation>>, Failed> {
        let source = self
            .source()
            .map_err(|problem| Failed(Step::Fetching, problem))?;
        self.step(id, Step::Fetching);
        let Some(fetched) = self.fetch(runtime, source, id, examined)? else {
            return Ok(None);
        };
        let (snapshot, _turn) = match fetched {
            Fetched::Noted(generation) => return Ok(Some(Arc::new(generation))),
            Fetched::Folder { snapshot, turn } => (snapshot, turn),
        };
        self.reached("swap.fetched");
        self.step(id, Step::Releasing);
        self.make_room(runtime)?;
        self.reached("swap.released");
        self.step(id, Step::Loading);
        let generation = match self.role.load(&snapshot) {
            Ok(generation) => generation,
            Err(error) => {
                examined.pass([self.role.refusal(&error)]);
                return Ok(None);
            }
        };
        self.reached("swap.loaded");
        self.step(id, Step::Examining);
        let live = self.generations.live();
        let verdicts = self.role.examine(&generation, &snapshot, live.as_deref());
        drop(live);
        if !examined.pass(verdicts) {
            return Ok(None);
        }
        self.step(id, Step::Warming);
        let generation = Arc::new(generation);
        self.role.warm(&generation);
        Ok(Some(generation))
    }

    fn fetch(
        &self,
        runtime: &Runtime,
        source: &Source,
        id: &str,
        examined: &mut Examined<'_>,
    ) -> Result<Option<Fetched<R::Generation>>, Failed> {
        let registry = &source.loading;
        let history = runtime.block_on(registry.history()).map_err(fetching)?;
        if let Some(record) = Activation::blocking(&history, id)
            && !examined.pass([blocked(record)])
        {
            return Ok(None);
        }
        let manifest = match runtime.block_on(registry.manifest(id)) {
            Ok(manifest) => manifest,
            Err(error) => return examined.refused(error).map(|()| None),
        };
        let fingerprint = self.setup.fingerprint.as_deref();
        if !examined.pass(fingerprint.map(|server| gates::schema(&manifest, server))) {
            return Ok(None);
        }
        let before = self.live_manifest(runtime, registry, id)?;
        if !examined.pass([gates::quality(&manifest, before.as_ref())]) {
            return Ok(None);
        }
        if let Some(noted) = self.role.note(id, &manifest) {
            return Ok(Some(Fetched::Noted(noted)));
        }
        let turn = runtime.block_on(source.turn(LONGEST_TURN));
        // What is let go of before loading can be had as well.
        let held = self.generations.held();
        let leaving = [&held.previous, &held.prepared];
        let leaving = leaving.into_iter().flatten();
        let freed: u64 = leaving.map(|one| one.resident_bytes()).sum();
        let available = gates::available_bytes().map(|bytes| bytes.saturating_add(freed));
        if !examined.pass([gates::memory(&manifest, available)]) {
            return Ok(None);
        }
        let tell = |progress: snapshot::Progress| self.fetched(&progress);
        let fetching = registry.fetch(id, &source.cache, &tell);
        let snapshot = match runtime.block_on(fetching) {
            Ok(snapshot) => snapshot,
            Err(error) => return examined.refused(error).map(|()| None),
        };
        let fits = examined.pass([gates::integrity(&snapshot)])
            && examined.pass(self.role.inspect(&snapshot));
        Ok(fits.then(|| Fetched::Folder {
            snapshot: Box::new(snapshot),
            turn,
        }))
    }

    /// Of what is live, when it is another and of the registry: a folder of this machine is not
    /// what a publisher compares with.
    fn live_manifest(
        &self,
        runtime: &Runtime,
        registry: &Registry,
        id: &str,
    ) -> Result<Option<Manifest>, Failed> {
        let live = self.generations.live();
        let Some(live) = live.filter(|live| live.id() != id) else {
            return Ok(None);
        };
        match runtime.block_on(registry.manifest(live.id())) {
            Ok(manifest) => Ok(Some(manifest)),
            Err(error @ (Error::Store { .. } | Error::Io { .. })) => Err(fetching(error)),
            Err(_) => Ok(None),
        }
    }

    /// A generation of a folder in the cache, if every byte of it is what was published.
    pub(crate) fn remembered(&self, folder: &Path) -> Option<Arc<R::Generation>> {
        let whole = gates::open(folder).map_err(|verdict| *verdict);
        let whole = whole.and_then(|snapshot| {
            let verdict = gates::integrity(&snapshot);
            if verdict.passed { Ok(()) } else { Err(verdict) }
        });
        match whole {
            Ok(()) => self.load_folder(folder).ok(),
            Err(verdict) => {
                let said = refusal(&[verdict]);
                self.failed(&folder.display().to_string(), Step::Examining, said);
                None
            }
        }
    }

    /// Lets go of all but the live generation, and waits until it is freed: there are never more
    /// than two.
    fn make_room(&self, runtime: &Runtime) -> Result<(), Failed> {
        self.generations.release();
        let begun = Instant::now();
        while self.generations.free_unused() > 0 {
            if begun.elapsed() > LONGEST_REQUEST {
                let said = "a request still uses the generation that has to make room";
                return Err(Failed(
                    Step::Releasing,
                    Problem::Unavailable(said.to_owned()),
                ));
            }
            runtime.block_on(tokio::time::sleep(LOOK_AGAIN));
        }
        Ok(())
    }
}

enum Fetched<G> {
    /// The manifest was enough.
    Noted(G),
    Folder {
        snapshot: Box<Snapshot>,
        /// Until it is ready, the other roles of this machine wait.
        turn: Option<File>,
    },
}

/// The verdicts so far, and the gates that need not pass.
struct Examined<'a> {
    force: &'a [String],
    verdicts: Vec<Verdict>,
}

impl Examined<'_> {
    /// Takes verdicts in; whether none of them refuses.
    fn pass(&mut self, verdicts: impl IntoIterator<Item = Verdict>) -> bool {
        let mut new: Vec<_> = verdicts.into_iter().collect();
        Verdict::force(&mut new, self.force);
        let ready = Verdict::ready(&new);
        self.verdicts.extend(new);
        ready
    }

    /// A snapshot that is not what was published is refused by a gate; a registry that does not
    /// answer says nothing of the snapshot.
    fn refused(&mut self, error: Error) -> Result<(), Failed> {
        let gate = match &error {
            Error::Store { .. } | Error::Io { .. } | Error::Gone { .. } => {
                return Err(fetching(error));
            }
            Error::NotPublished { .. } | Error::Id { .. } => {
                let said = causes(&error);
                return Err(Failed(Step::Fetching, Problem::NotFound(said)));
            }
            Error::Checksum { .. } | Error::Size { .. } | Error::Missing { .. } => gates::INTEGRITY,
            Error::NotASnapshot { .. }
            | Error::Occupied { .. }
            | Error::Manifest { .. }
            | Error::TooNew { .. }
            | Error::Format { .. }
            | Error::Name { .. }
            | Error::Twice { .. }
            | Error::Unlisted { .. }
            | Error::Catalogue { .. }
            | Error::Tensors { .. }
            | Error::Url { .. }
            | Error::Record { .. }
            | Error::Conflict { .. }
            | Error::Ahead { .. }
            | Error::Blocked { .. }
            | Error::Collecting { .. } => gates::MANIFEST,
        };
        let (measured, bar) = (causes(&error), "what was published, readable by this build");
        self.pass([Verdict::new(gate, gates::FILES, measured, bar, false)]);
        Ok(())
    }
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "the shape that map_err takes"
)]
fn fetching(error: Error) -> Failed {
    Failed(Step::Fetching, Problem::Unavailable(causes(&error)))
}

fn blocked(record: &Activation) -> Verdict {
    let measured = format!("blocked by record {}: {}", record.sequence, record.why);
    let bar = "no record that blocks it";
    Verdict::new(gates::BLOCKED, gates::FILES, measured, bar, false)
}

/// The gates that refuse, in words.
fn refusal(verdicts: &[Verdict]) -> String {
    let refusing = verdicts.iter().filter(|verdict| verdict.refuses());
    let said: Vec<_> = refusing
        .map(|one| {
            format!(
                "gate {} refuses: {}, required {}",
                one.gate, one.measured, one.bar
            )
        })
        .collect();
    said.join("; ")
}
