//! Learning the order in which candidates are shown.
//!
//! An example is a moment of a visit, the candidates that serving would have found then, and what
//! the shopper turned to. Three orders are compared on later examples, fold by fold: that of
//! retrieval, a linear one and a forest; another than retrieval's is taken only when it is surely better.
//!
//! | module | what it does |
//! |---|---|
//! | `asked` | moments as serving would have met them |
//! | [`scene`] | the numbers of a moment, as serving computes them |
//! | `linear`, `forest` | the two that learn |
//! | `compared` | which order is better |

mod asked;
mod compared;
mod forest;
mod linear;
pub mod scene;
#[cfg(test)]
mod tests;

use feature_store::{Event, ShopperView};
use ranking::{Columns, Ranker, RankerKind};
use retrieval::Model;

use crate::Error;
use crate::moments::{Moment, moments, thinned};
use crate::parts::{self, Parts};
use crate::sessions::{GAP, sessions};
use crate::views::views;
pub(crate) use asked::{CANDIDATES, Shown};
use compared::{Compared, Lists};
pub use compared::{Comparison, Order, Versus};
use scene::Reader;

/// Examples below which the order of retrieval is kept.
const FEWEST: usize = 200;
/// Moments at most.
const MOST: usize = 4_000;
/// Shares of the examples, the earliest: what is learned from those before one is compared on those
/// up to the next.
const FOLDS: [f64; 4] = [0.4, 0.6, 0.8, 1.0];
/// Places that count.
const PLACES: usize = 20;
const SEED: u64 = 1;

/// What a ranker may look at, besides what [`ranking::Column`] computes from the candidates. None
/// tells how long a shopper has been quiet: examples are from the midst of visits, and carts are
/// decided on after a while.
const FEATURES: [&str; 15] = [
    "shopper.visit_count",
    "shopper.view_count_24h",
    "shopper.add_to_cart_count_24h",
    "shopper.purchase_count_30d",
    "shopper.category_concentration",
    "shopper.top_category_root_share",
    "item.view_count_24h",
    "item.add_to_cart_count_24h",
    "item.purchase_count_24h",
    "item.view_count_30d",
    "item.add_to_cart_count_30d",
    "item.purchase_count_30d",
    "item.cart_to_view_30d",
    "item.purchase_to_view_30d",
    "item.purchase_to_cart_30d",
];

/// A ranker and how it came about.
#[derive(Debug)]
pub(crate) struct Ranked {
    pub(crate) ranker: Ranker,
    pub(crate) quality: Vec<(String, f64)>,
}

/// All that a ranker can look at.
pub fn columns() -> Result<Columns, Error> {
    let mut names = ranking::Column::names();
    names.extend(FEATURES.map(str::to_owned));
    Ok(Columns::resolve(&names)?)
}

/// Learns from events that `model` has not seen, in the order of time; `before` are the parts that
/// came before them.
pub(crate) fn learn(model: &Model, before: &[&[Event]], unseen: &[Event]) -> Result<Ranked, Error> {
    let columns = columns()?;
    let shown = examples(model, before, unseen, &columns, MOST)?;
    let told = shown.iter().filter(|one| one.next.is_some()).count();
    if told < FEWEST {
        let note = format!(
            "keeps the order of retrieval: {told} examples are too few to learn from, {FEWEST} are \
             needed"
        );
        return Ok(Ranked {
            ranker: Ranker::retrieval_order(&note),
            quality: Vec::new(),
        });
    }
    let (compared, trees) = fold_by_fold(&columns, &shown, model.catalogue().len())?;
    let chosen = compared.choose();
    let note = compared.note(chosen, shown.len());
    let ranker = match chosen {
        Order::Retrieval => Ranker::retrieval_order(&note),
        Order::Linear => linear::fit(&columns, &shown)?.noted(&note),
        Order::Forest => {
            let grown = forest::refit(&columns, &shown, trees, SEED)?;
            forest::ranker(&grown.forest, &note)?
        }
    };
    Ok(Ranked {
        ranker,
        quality: compared.named(),
    })
}

/// Compares what is learned from the earlier examples on the next ones, again and again: on one short
/// stretch of time a gain may be chance. Also says how many trees a forest of most of the examples
/// has.
fn fold_by_fold(
    columns: &Columns,
    shown: &[Shown<'_>],
    items: usize,
) -> Result<(Compared, usize), Error> {
    let (mut linear, mut forest, mut trees) = (Vec::new(), Vec::new(), 0);
    for (early, end) in FOLDS.iter().zip(&FOLDS[1..]) {
        let (early, rest) = parts::share(shown, *early);
        let late = &rest[..parts::share(shown, *end).0.len() - early.len()];
        let learned = Learned::from(columns, early)?;
        let lists = learned.lists(late)?;
        linear.extend(lists.0);
        forest.extend(lists.1);
        trees = learned.trees();
    }
    let (_, compared) = parts::share(shown, FOLDS[0]);
    Ok((Compared::of(compared, items, PLACES, linear, forest), trees))
}

/// Learns from one part of the log and compares on the next; none of the two is known to `model`,
/// and `past` came before them. `None` where there is too little to learn from or to compare on.
pub(crate) fn compare(
    model: &Model,
    parts: Parts<'_>,
    k: usize,
    most: usize,
) -> Result<Option<Comparison>, Error> {
    let columns = columns()?;
    let fit = examples(model, &[parts.past], parts.fit, &columns, MOST)?;
    let judge = examples(model, &[parts.past, parts.fit], parts.judge, &columns, most)?;
    if fit.iter().filter(|one| one.next.is_some()).count() < FEWEST || judge.is_empty() {
        return Ok(None);
    }
    let learned = Learned::from(&columns, &fit)?;
    let compared = learned.compare(&judge, model.catalogue().len(), k)?;
    Ok(Some(compared.comparison(&columns, &learned.gains)))
}

/// Moments of a part of the log with what was shown, in the order of time.
fn examples<'a>(
    model: &Model,
    before: &[&'a [Event]],
    unseen: &'a [Event],
    columns: &Columns,
    most: usize,
) -> Result<Vec<Shown<'a>>, Error> {
    let sessions = sessions(unseen, GAP);
    let mut moments: Vec<Moment<'a>> = moments(&sessions);
    moments.sort_by_key(|moment| moment.next.occurred_at);
    let parts: Vec<&[Event]> = before.iter().copied().chain([unseen]).collect();
    let moments = thinned(moments, most);
    let views = views(&parts, &moments);
    let reader = Reader::new(columns)?;
    asked::ask(model, &parts, moments, &views, &reader, CANDIDATES)
}

/// What a ranker shows of `k` candidates at each moment with its view, best first: ordinals, in the
/// order of the moments. `parts` are all events in the order of time, those of the moments among
/// them.
pub(crate) fn lists<'a>(
    ranker: &Ranker,
    model: &Model,
    parts: &[&'a [Event]],
    moments: &[Moment<'a>],
    views: &[ShopperView],
    k: usize,
) -> Result<Vec<Vec<u32>>, Error> {
    let reader = Reader::new(ranker.columns())?;
    let shown = asked::ask(model, parts, moments.to_vec(), views, &reader, k)?;
    let mut lists = vec![Vec::new(); moments.len()];
    for one in &shown {
        lists[one.at] = order(ranker, one)?;
    }
    Ok(lists)
}

/// Both that learn, from the same examples.
struct Learned {
    linear: Ranker,
    forest: Ranker,
    gains: Vec<f64>,
}

impl Learned {
    fn from(columns: &Columns, shown: &[Shown<'_>]) -> Result<Self, Error> {
        let grown = forest::fit(columns, shown, SEED)?;
        Ok(Self {
            linear: linear::fit(columns, shown)?,
            forest: Ranker::forest(grown.forest, "")?,
            gains: grown.gains,
        })
    }

    fn trees(&self) -> usize {
        match self.forest.kind() {
            RankerKind::Forest(forest) => forest.trees().len(),
            RankerKind::Linear(_) | RankerKind::Foreign(_) => 0,
        }
    }

    /// The rows of `shown` hold all columns, which the forest reads; the linear one picks its own.
    fn compare(&self, shown: &[Shown<'_>], items: usize, k: usize) -> Result<Compared, Error> {
        let (linear, forest) = self.lists(shown)?;
        Ok(Compared::of(shown, items, k, linear, forest))
    }

    fn lists(&self, shown: &[Shown<'_>]) -> Result<(Lists, Lists), Error> {
        let by = |ranker| shown.iter().map(move |one| order(ranker, one));
        let linear = by(&self.linear).collect::<Result<_, _>>()?;
        let forest = by(&self.forest).collect::<Result<_, _>>()?;
        Ok((linear, forest))
    }
}

/// Ordinals of a moment's candidates in a ranker's order; equals in that of retrieval.
fn order(ranker: &Ranker, shown: &Shown<'_>) -> Result<Vec<u32>, Error> {
    let rows = shown.rows_of(ranker.columns())?;
    let mut scores = Vec::new();
    ranker.score(&rows, &mut scores)?;
    let mut places: Vec<usize> = (0..scores.len()).collect();
    places.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]).then(a.cmp(b)));
    Ok(places.into_iter().map(|at| shown.ordinals[at]).collect())
}
