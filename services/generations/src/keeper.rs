//! Brings another generation into the place of the live one, and goes back.

use std::fmt::Debug;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use kit::causes::causes;
use kit::metrics::{GenerationMetrics, Registry};
use kit::{Clock, Problem};
use snapshot::{Manifest, Snapshot, Verdict, crash, gates};

use crate::book::{Book, Failure, Loading, Step};
use crate::error::{LoadError, StartError};
use crate::held::{Generation, Generations};
use crate::loader::Loader;
use crate::metrics::{Metrics, Why};
use crate::settings::{Settings, Setup};
use crate::source::{Remembered, Source};
use crate::trial::Trial;

/// How a role makes a generation. All of it runs on the loader's thread.
pub trait Role: Debug + Send + Sync + 'static {
    /// What the role answers from.
    type Generation: Generation;
    /// Why it cannot be made.
    type Error: std::error::Error + Send + Sync + 'static;

    /// The role's name.
    fn name(&self) -> &'static str;

    /// Makes a generation of a snapshot, touches all that answering will touch, and may take as
    /// long as that takes.
    ///
    /// # Errors
    /// What is wrong with the snapshot.
    fn load(&self, snapshot: &Snapshot) -> Result<Self::Generation, Self::Error>;

    /// Makes a generation of the manifest alone, for a role that needs no file of a snapshot.
    fn note(&self, _id: &str, _manifest: &Manifest) -> Option<Self::Generation> {
        None
    }

    /// The verdict on a snapshot that cannot be loaded.
    fn refusal(&self, error: &Self::Error) -> Verdict {
        let bar = "a generation can be made of it";
        Verdict::new(gates::LOAD, self.name(), causes(error), bar, false)
    }

    /// What the role's own gates measure of the files, before anything is loaded.
    fn inspect(&self, _snapshot: &Snapshot) -> Vec<Verdict> {
        Vec::new()
    }

    /// What the role's own gates measure before a generation may go live.
    fn examine(
        &self,
        _new: &Self::Generation,
        _snapshot: &Snapshot,
        _live: Option<&Self::Generation>,
    ) -> Vec<Verdict> {
        Vec::new()
    }

    /// Brings to a generation what changes without one, before it can be asked for.
    fn warm(&self, _generation: &Arc<Self::Generation>) {}
}

/// Keeps the generations of one role. Cloning shares it.
#[derive(Debug)]
pub struct Keeper<R: Role>(pub(crate) Arc<Kept<R>>);

impl<R: Role> Clone for Keeper<R> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

#[derive(Debug)]
pub(crate) struct Kept<R: Role> {
    pub(crate) role: R,
    pub(crate) setup: Setup,
    pub(crate) source: Option<Source>,
    pub(crate) generations: Arc<Generations<R::Generation>>,
    pub(crate) loader: Loader,
    pub(crate) metrics: Metrics,
    pub(crate) clock: Clock,
    book: Arc<Mutex<Book>>,
    shown: GenerationMetrics,
    trial: Mutex<Option<Trial>>,
    /// Snapshots that were begun to be prepared so far.
    pub(crate) begun: AtomicUsize,
}

impl<R: Role> Keeper<R> {
    /// Holds nothing yet.
    ///
    /// # Errors
    /// A registry that cannot be used; a system without a thread to give.
    pub fn start(
        role: R,
        setup: Setup,
        registry: &mut Registry,
        clock: Clock,
    ) -> Result<Self, StartError> {
        let source = Source::open(role.name(), &setup)?;
        let generations = Arc::new(Generations::default());
        let book = Arc::<Mutex<Book>>::default();
        let metrics = Metrics::register(registry, &generations);
        Metrics::watch_registry(registry, &book, source.is_some());
        let freed = generations.clone();
        let loader = Loader::start(role.name(), move || {
            freed.free_unused();
        })?;
        Ok(Self(Arc::new(Kept {
            role,
            setup,
            source,
            generations,
            loader,
            metrics,
            clock,
            book,
            shown: GenerationMetrics::register(registry),
            trial: Mutex::default(),
            begun: AtomicUsize::new(0),
        })))
    }

    /// What can be asked.
    #[must_use]
    pub fn generations(&self) -> &Arc<Generations<R::Generation>> {
        &self.0.generations
    }

    /// The role's own part.
    #[must_use]
    pub fn role(&self) -> &R {
        &self.0.role
    }

    /// The registry that is followed; empty when none is.
    pub(crate) fn registry_url(&self) -> &str {
        let source = self.0.source.as_ref();
        source.map_or("", |source| source.following.url())
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.0.setup.settings
    }

    /// Loads the first generation from a folder, and makes it the live one.
    ///
    /// # Errors
    /// What is wrong with the folder.
    pub async fn first(&self, dir: &Path) -> Result<(), LoadError<R::Error>> {
        let (kept, dir) = (self.0.clone(), dir.to_owned());
        let loaded = self.0.loader.run(move |_| kept.load_folder(&dir)).await?;
        let generation = loaded?;
        let id = generation.id().to_owned();
        self.0.generations.prepare(generation);
        // It was put there a moment ago, and nobody else knows its name.
        let _ = self.go_live(&id, 0, Why::Start);
        Ok(())
    }

    /// Makes a held generation the live one, because of the record `sequence` (0: without one).
    ///
    /// # Errors
    /// It is not held, it is blocked, or the record is older than the one in force.
    pub(crate) fn go_live(&self, id: &str, sequence: u64, why: Why) -> Result<(), Problem> {
        let mut book = self.0.book();
        let newest = book.sequence;
        if sequence != 0 && sequence < newest {
            let said = format!("record {sequence} is older than {newest}, which is in force");
            return Err(Problem::Precondition(said));
        }
        if sequence == 0 && book.blocked.iter().any(|blocked| blocked == id) {
            let said = format!("snapshot {id} is blocked by a record of the registry");
            return Err(Problem::Precondition(said));
        }
        self.0.reached("swap.activate");
        let swap = self.0.generations.activate(id).map_err(Problem::NotHeld)?;
        book.sequence = newest.max(sequence);
        book.newest = book.newest.max(sequence);
        book.failure = None;
        drop(book);
        self.0.reached("swap.live");
        if swap.changed {
            self.0.went_live(&swap.live, swap.previous.as_deref(), why);
        }
        if swap.changed || sequence > newest {
            self.0.remember(id, sequence.max(newest));
        }
        Ok(())
    }

    pub(crate) fn trial(&self) -> Option<Trial> {
        self.0.trial_lock().clone()
    }

    /// A trial that ended badly.
    pub(crate) fn give_up_trial(&self, generation: &str) {
        let mut trial = self.0.trial_lock();
        if trial
            .as_ref()
            .is_some_and(|one| one.generation == generation)
        {
            *trial = None;
        }
    }

    pub(crate) fn end_trial(&self, ended: &Trial) {
        let mut trial = self.0.trial_lock();
        if trial.as_ref() == Some(ended) {
            *trial = None;
            let (role, generation) = (self.0.role.name(), &ended.generation);
            tracing::info!(role, generation, "does as well as the one before");
        }
    }

    /// Whether a generation is on its way, here or in the other roles that will go live with it.
    pub(crate) fn is_between(&self) -> bool {
        self.0.book().loading.is_some() || self.generations().held().prepared.is_some()
    }

    /// What is under way and what went wrong.
    pub(crate) fn book(&self) -> Book {
        self.0.book().clone()
    }
}

impl<R: Role> Kept<R> {
    pub(crate) fn source(&self) -> Result<&Source, Problem> {
        self.source.as_ref().ok_or_else(|| {
            let said = "this server follows no registry: start it with --registry URL --cache DIR";
            Problem::Precondition(said.to_owned())
        })
    }

    pub(crate) fn load_folder(
        &self,
        dir: &Path,
    ) -> Result<Arc<R::Generation>, LoadError<R::Error>> {
        let started = Instant::now();
        let outcome = self.of_folder(dir);
        self.book().loading = None;
        match &outcome {
            Ok(generation) => {
                let (took, items) = (started.elapsed(), generation.items());
                self.metrics.load.observe(took);
                let role = self.role.name();
                tracing::info!(role, generation = generation.id(), items, ?took, "loaded");
            }
            Err(error) => self.failed(&dir.display().to_string(), Step::Loading, causes(error)),
        }
        outcome
    }

    fn of_folder(&self, dir: &Path) -> Result<Arc<R::Generation>, LoadError<R::Error>> {
        self.step(&dir.display().to_string(), Step::Loading);
        let dir = dir.to_owned();
        let snapshot = match Snapshot::open(&dir) {
            Ok(snapshot) => snapshot,
            Err(source) => return Err(LoadError::Open { dir, source }),
        };
        let loaded = self.role.load(&snapshot);
        let generation = Arc::new(loaded.map_err(|source| LoadError::Load { dir, source })?);
        self.step(snapshot.id(), Step::Warming);
        self.role.warm(&generation);
        Ok(generation)
    }

    fn went_live(&self, live: &R::Generation, previous: Option<&R::Generation>, why: Why) {
        self.shown
            .live(live.id(), live.loaded_at_ms(), live.items());
        self.metrics.swapped(why);
        let previous = previous.map(Generation::id);
        // Only what somebody chose anew is on trial: the way back was good before.
        *self.trial_lock() = (why == Why::Activate && previous.is_some()).then(|| Trial {
            generation: live.id().to_owned(),
            begun: Instant::now(),
        });
        let (role, generation, why) = (self.role.name(), live.id(), why.as_str());
        tracing::info!(role, generation, previous, why, "went live");
    }

    /// Remembers what is live, for a start without the registry, and forgets on disk what is held
    /// no more; later, on the loader's thread.
    pub(crate) fn remember(self: &Arc<Self>, id: &str, sequence: u64) {
        if self.source.is_none() || sequence == 0 {
            return;
        }
        let (kept, remembered) = (
            self.clone(),
            Remembered {
                snapshot: id.to_owned(),
                sequence,
            },
        );
        self.loader.later(move || {
            if let Some(source) = &kept.source {
                kept.note_down(source, &remembered);
            }
            kept.reached("swap.remembered");
        });
    }

    fn note_down(&self, source: &Source, remembered: &Remembered) {
        if let Err(error) = source.remember(remembered) {
            tracing::warn!(%error, "could not note down what is live");
        }
        // Others that share the cache may be at the next one by now, or still at the one before.
        let held = self.generations.held();
        let mut keep: Vec<_> = held.all().map(|one| one.id().to_owned()).collect();
        keep.extend([remembered.snapshot.clone()]);
        match source.tidy(&keep) {
            Ok(removed) if removed.is_empty() => {}
            Ok(removed) => tracing::info!(?removed, "removed from the cache"),
            Err(error) => tracing::warn!(error = causes(&error), "could not tidy the cache"),
        }
    }

    /// For tests of what a crash leaves behind: `STEP.N` is a step of the N-th snapshot that is
    /// prepared in this process.
    pub(crate) fn reached(&self, step: &str) {
        crash::reached_nth(step, self.begun.load(Ordering::Relaxed));
    }

    pub(crate) fn step(&self, snapshot: &str, step: Step) {
        let mut book = self.book();
        let since_ms = match &book.loading {
            Some(loading) => loading.since_ms,
            None => self.clock.now_ms(),
        };
        book.loading = Some(Loading {
            snapshot: snapshot.to_owned(),
            step,
            done_bytes: 0,
            total_bytes: 0,
            since_ms,
        });
    }

    pub(crate) fn fetched(&self, progress: &snapshot::Progress) {
        if let Some(loading) = &mut self.book().loading {
            loading.done_bytes = progress.done_bytes;
            loading.total_bytes = progress.total_bytes;
        }
    }

    pub(crate) fn failed(&self, snapshot: &str, step: Step, message: String) {
        self.metrics.failed(step);
        let (role, at) = (self.role.name(), step.as_str());
        tracing::error!(
            role,
            snapshot,
            step = at,
            message,
            "a snapshot does not go live; what is live stays"
        );
        self.book().failure = Some(Failure {
            snapshot: snapshot.to_owned(),
            step,
            message,
            at_ms: self.clock.now_ms(),
        });
    }

    pub(crate) fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn trial_lock(&self) -> MutexGuard<'_, Option<Trial>> {
        self.trial.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
