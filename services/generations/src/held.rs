//! The generations that a role holds: never more than two, and each of them whole.

use std::fmt::Debug;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kit::{Live, NotHeld, Problem};

/// One loaded snapshot of a role.
pub trait Generation: Debug + Send + Sync + 'static {
    /// Id of the snapshot.
    fn id(&self) -> &str;
    /// When it was loaded, by the role's clock.
    fn loaded_at_ms(&self) -> i64;
    /// Items of its catalogue.
    fn items(&self) -> usize;
    /// Memory that it takes, as its snapshot states.
    fn resident_bytes(&self) -> u64;
}

/// What is held at one moment.
#[derive(Debug)]
pub struct Held<G> {
    /// Answers requests that name none.
    pub live: Option<Arc<G>>,
    /// Was live before, and is kept for going back.
    pub previous: Option<Arc<G>>,
    /// Is ready to go live.
    pub prepared: Option<Arc<G>>,
}

impl<G> Default for Held<G> {
    fn default() -> Self {
        Self {
            live: None,
            previous: None,
            prepared: None,
        }
    }
}

impl<G> Clone for Held<G> {
    fn clone(&self) -> Self {
        Self {
            live: self.live.clone(),
            previous: self.previous.clone(),
            prepared: self.prepared.clone(),
        }
    }
}

impl<G: Generation> Held<G> {
    /// All of them, the live one first, then those that a caller would rather have: the newer one
    /// before the older.
    pub fn all(&self) -> impl Iterator<Item = &Arc<G>> {
        [&self.live, &self.prepared, &self.previous]
            .into_iter()
            .flatten()
    }

    fn find(&self, id: &str) -> Option<&Arc<G>> {
        self.all().find(|one| one.id() == id)
    }

    fn not(&self, asked: &str) -> NotHeld {
        NotHeld {
            asked: asked.to_owned(),
            held: self.all().map(|one| one.id().to_owned()).collect(),
        }
    }
}

/// A change of the live generation.
#[derive(Clone, Debug)]
pub struct Swap<G> {
    /// The one that is live now.
    pub live: Arc<G>,
    /// The one before, which is still held.
    pub previous: Option<Arc<G>>,
    /// False when it was live already.
    pub changed: bool,
}

/// The generations of one role. A request takes one and keeps it to its end, whatever goes live
/// meanwhile.
///
/// A generation is some gigabytes, and freeing it takes its time, so no request ever frees one:
/// what is let go of stays in a list of its own until nobody else has it, and
/// [`Generations::free_unused`], called by the loader's thread, drops it there.
#[derive(Debug)]
pub struct Generations<G> {
    held: Live<Held<G>>,
    /// Held while `held` is changed, so that changes follow each other; and what was let go of.
    retired: Mutex<Vec<Arc<G>>>,
}

impl<G> Default for Generations<G> {
    fn default() -> Self {
        Self {
            held: Live::new(Held::default()),
            retired: Mutex::default(),
        }
    }
}

impl<G: Generation> Generations<G> {
    /// The generation that `pinned` names, or the live one when it is empty.
    ///
    /// # Errors
    /// UNAVAILABLE before the first is loaded; [`NotHeld`] for one that is not held.
    pub fn get(&self, pinned: &str) -> Result<Arc<G>, Problem> {
        let held = self.held.guard();
        let Some(live) = &held.live else {
            let said = "no generation is loaded yet".to_owned();
            return Err(Problem::Unavailable(said));
        };
        if pinned.is_empty() {
            return Ok(live.clone());
        }
        let found = held.find(pinned).cloned();
        found.ok_or_else(|| Problem::NotHeld(held.not(pinned)))
    }

    /// The live generation.
    pub fn live(&self) -> Option<Arc<G>> {
        self.held.guard().live.clone()
    }

    /// What is held now.
    pub fn held(&self) -> Arc<Held<G>> {
        self.held.load()
    }

    /// A generation that is held here and is among `ids`: the live one before others.
    pub fn among(&self, ids: &[String]) -> Option<Arc<G>> {
        let held = self.held.guard();
        let found = held.all().find(|one| ids.iter().any(|id| id == one.id()));
        found.cloned()
    }

    /// Holds one that is ready to go live, in place of one prepared before.
    pub fn prepare(&self, generation: Arc<G>) {
        self.change(|held, retired| retired.extend(held.prepared.replace(generation)));
    }

    /// Makes a held generation the live one; the live one becomes the one before.
    ///
    /// # Errors
    /// It is not held.
    pub fn activate(&self, id: &str) -> Result<Swap<G>, NotHeld> {
        self.change(|held, retired| {
            let next = held.find(id).cloned().ok_or_else(|| held.not(id))?;
            let changed = held.live.as_ref().is_none_or(|live| live.id() != id);
            if changed {
                let before = held.live.replace(next.clone());
                // The same generation may stand in only one place.
                for place in [&mut held.previous, &mut held.prepared] {
                    if place.as_ref().is_some_and(|one| one.id() == id) {
                        *place = None;
                    }
                }
                retired.extend(std::mem::replace(&mut held.previous, before));
            }
            Ok(Swap {
                live: next,
                previous: held.previous.clone(),
                changed,
            })
        })
    }

    /// Lets go of all but the live one, so that another can be loaded.
    pub fn release(&self) {
        self.change(|held, retired| {
            retired.extend(held.previous.take());
            retired.extend(held.prepared.take());
        });
    }

    /// Lets go of the prepared one, because it shall not go live.
    pub fn discard(&self) {
        self.change(|held, retired| retired.extend(held.prepared.take()));
    }

    /// Frees what was let go of and is used by no request any more; how many are left. For the
    /// loader's thread.
    pub fn free_unused(&self) -> usize {
        // The last owner is here: nobody can take another from it.
        let unused: Vec<_> = {
            let mut retired = self.retired();
            retired
                .extract_if(.., |one| Arc::strong_count(one) == 1)
                .collect()
        };
        for generation in unused {
            let id = generation.id().to_owned();
            drop(generation);
            tracing::debug!(generation = id, "freed");
        }
        self.retiring()
    }

    /// How many were let go of and are not freed yet.
    pub fn retiring(&self) -> usize {
        self.retired().len()
    }

    fn change<T>(&self, change: impl FnOnce(&mut Held<G>, &mut Vec<Arc<G>>) -> T) -> T {
        let mut retired = self.retired();
        let mut held = Held::clone(&self.held.guard());
        let outcome = change(&mut held, &mut retired);
        // What is let go of is in the list before readers see it gone.
        self.held.store(Arc::new(held));
        outcome
    }

    fn retired(&self) -> MutexGuard<'_, Vec<Arc<G>>> {
        self.retired.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use proptest::prelude::*;

    use super::*;

    /// Says on which thread it is freed.
    #[derive(Debug)]
    struct Toy {
        id: String,
        freed: Arc<Mutex<Vec<std::thread::ThreadId>>>,
        alive: Arc<AtomicUsize>,
    }

    impl Generation for Toy {
        fn id(&self) -> &str {
            &self.id
        }
        fn loaded_at_ms(&self) -> i64 {
            0
        }
        fn items(&self) -> usize {
            0
        }
        fn resident_bytes(&self) -> u64 {
            0
        }
    }

    impl Drop for Toy {
        fn drop(&mut self) {
            self.alive.fetch_sub(1, Ordering::SeqCst);
            self.freed.lock().unwrap().push(std::thread::current().id());
        }
    }

    #[derive(Default)]
    struct Shelf {
        generations: Generations<Toy>,
        freed: Arc<Mutex<Vec<std::thread::ThreadId>>>,
        alive: Arc<AtomicUsize>,
    }

    impl Shelf {
        fn prepare(&self, id: &str) {
            self.alive.fetch_add(1, Ordering::SeqCst);
            self.generations.prepare(Arc::new(Toy {
                id: id.to_owned(),
                freed: self.freed.clone(),
                alive: self.alive.clone(),
            }));
        }

        fn ids(&self) -> [Option<String>; 3] {
            let held = self.generations.held();
            [&held.live, &held.previous, &held.prepared]
                .map(|one| one.as_ref().map(|one| one.id.clone()))
        }
    }

    fn some(id: &str) -> Option<String> {
        Some(id.to_owned())
    }

    #[test]
    fn nothing_answers_before_the_first() {
        let shelf = Shelf::default();
        let refused = shelf.generations.get("").unwrap_err();
        assert!(matches!(refused, Problem::Unavailable(_)), "{refused:?}");
    }

    #[test]
    fn the_one_before_stays_for_going_back_until_the_next_is_loaded() {
        let shelf = Shelf::default();
        shelf.prepare("a");
        shelf.generations.activate("a").unwrap();
        shelf.prepare("b");
        assert_eq!(shelf.generations.get("").unwrap().id, "a");
        assert_eq!(shelf.generations.get("b").unwrap().id, "b");
        let swap = shelf.generations.activate("b").unwrap();
        assert!(swap.changed);
        drop(swap);
        assert_eq!(shelf.ids(), [some("b"), some("a"), None]);
        shelf.generations.activate("a").unwrap();
        assert_eq!(shelf.ids(), [some("a"), some("b"), None]);
        shelf.generations.release();
        assert_eq!(shelf.ids(), [some("a"), None, None]);
        assert_eq!(shelf.generations.free_unused(), 0);
        assert_eq!(shelf.alive.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn what_is_live_already_stays_as_it_is() {
        let shelf = Shelf::default();
        shelf.prepare("a");
        shelf.generations.activate("a").unwrap();
        let again = shelf.generations.activate("a").unwrap();
        assert!(!again.changed);
        assert_eq!(shelf.ids(), [some("a"), None, None]);
    }

    #[test]
    fn a_refusal_names_what_is_held_the_live_one_first() {
        let shelf = Shelf::default();
        for id in ["a", "b"] {
            shelf.prepare(id);
            shelf.generations.activate(id).unwrap();
        }
        let Err(Problem::NotHeld(refused)) = shelf.generations.get("c") else {
            panic!("c is not held");
        };
        assert_eq!(refused.held, ["b", "a"]);
        assert_eq!(shelf.generations.activate("c").unwrap_err(), refused);
        let both = ["x".to_owned(), "a".to_owned()];
        assert_eq!(shelf.generations.among(&both).unwrap().id, "a");
        assert!(shelf.generations.among(&["x".to_owned()]).is_none());
    }

    #[test]
    fn a_request_that_outlives_its_generation_does_not_free_it() {
        let shelf = Shelf::default();
        shelf.prepare("a");
        shelf.generations.activate("a").unwrap();
        let request = shelf.generations.get("").unwrap();
        shelf.prepare("b");
        shelf.generations.activate("b").unwrap();
        shelf.generations.release();
        assert_eq!(shelf.generations.free_unused(), 1, "the request has it");
        std::thread::spawn(move || drop(request)).join().unwrap();
        assert!(shelf.freed.lock().unwrap().is_empty());
        assert_eq!(shelf.generations.free_unused(), 0);
        assert_eq!(
            *shelf.freed.lock().unwrap(),
            [std::thread::current().id()],
            "whoever frees does it here"
        );
    }

    proptest! {
        #[test]
        fn no_order_of_changes_holds_more_than_two_or_loses_the_live_one(
            changes in proptest::collection::vec((0..5_u8, 0..4_u8), 1..40)
        ) {
            let shelf = Shelf::default();
            for (what, which) in changes {
                let id = format!("g{which}");
                match what {
                    // As the loader does it: room is made before another is there.
                    0 | 1 => {
                        if shelf.generations.held().find(&id).is_none() {
                            shelf.generations.release();
                            shelf.generations.free_unused();
                            shelf.prepare(&id);
                        }
                    }
                    2 | 3 => {
                        let known = shelf.generations.held().find(&id).is_some();
                        prop_assert_eq!(shelf.generations.activate(&id).is_ok(), known);
                    }
                    _ => shelf.generations.discard(),
                }
                shelf.generations.free_unused();
                let held: Vec<_> = shelf.ids().into_iter().flatten().collect();
                prop_assert!(held.len() <= 2, "{:?}", held);
                prop_assert_eq!(shelf.alive.load(Ordering::SeqCst), held.len());
                let mut unique = held.clone();
                unique.dedup();
                prop_assert_eq!(unique.len(), held.len());
            }
        }
    }
}
