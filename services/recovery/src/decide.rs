//! A decision: features → candidates → rank → policy, each under its share of what is left of the
//! caller's time, each with a fallback that the answer names.

mod answer;
pub(crate) mod candidates;
pub(crate) mod features;
mod inputs;
mod miss;
mod notes;
mod order;
mod question;
pub(crate) mod rank;
mod stages;

use std::sync::Arc;
use std::time::Instant;

use futures::stream::{self, StreamExt as _};
use generations::Generations;
use kit::trace::{self, STAGE};
use kit::{Clock, Deadline, Problem};
use policy::campaign::LineOffer;
use policy::{Inputs, Policy};
use proto::v1 as pb;
use ranking::Standing;
use tracing::{Instrument as _, info_span};

use crate::cart::{self, PricedCart};
use crate::commit::{Books, Found};
use crate::generation::Generation;
use crate::record;
use crate::request::{Mode, Request};
use crate::shopper::Shopper;
use answer::within;
pub(crate) use miss::Miss;
pub(crate) use notes::{Notes, Reason, Stage};
pub(crate) use order::Ordered;
use question::{Opened, Question};
use rank::{Moment, Ranked};
pub(crate) use stages::Stages;

/// Share of the time that looking for an earlier answer may take.
const LOOKUP_SHARE: f64 = 0.5;
/// Decisions of one batch that are worked on at a time.
const AT_A_TIME: usize = 32;

/// Makes decisions.
#[derive(Debug)]
pub(crate) struct Decider {
    pub(crate) generations: Arc<Generations<Generation>>,
    pub(crate) stages: Stages,
    /// `None`: previews only.
    pub(crate) books: Option<Books>,
    pub(crate) clock: Clock,
}

/// A decision with all that led to it.
#[derive(Clone, Debug)]
pub(crate) struct Decided {
    pub(crate) decision_id: String,
    pub(crate) shopper_id: String,
    pub(crate) decision: policy::Decision,
    /// What each line gets from campaigns; none while there is none.
    pub(crate) line_offers: Vec<LineOffer>,
    pub(crate) inputs: Inputs,
    pub(crate) seed: u64,
    pub(crate) shown: Vec<Ranked>,
    pub(crate) notes: Notes,
    pub(crate) generation: String,
    pub(crate) cart_value_minor: i64,
    /// Of the stored cart; 0 when the request brought its own.
    pub(crate) cart_version: u64,
}

impl Decided {
    /// Decides again, on what is known better by now.
    pub(crate) fn decide_again(&mut self, policy: &Policy, learn: impl FnOnce(&mut Inputs)) {
        learn(&mut self.inputs);
        self.decision = policy.decide(&self.inputs, self.seed);
    }
}

type Answer = Result<pb::Decision, Problem>;

impl Decider {
    /// Decides for one shopper.
    pub(crate) async fn decide(&self, request: Request, deadline: Deadline) -> Answer {
        let mut answers = self.decide_all(vec![Ok(request)], deadline).await;
        answers.pop().unwrap_or_else(|| {
            Err(Problem::Internal(
                "a request was left unanswered".to_owned(),
            ))
        })
    }

    /// Decides for many, with one features call for all of them. A refused request stays refused.
    pub(crate) async fn decide_all(
        &self,
        requests: Vec<Result<Request, Problem>>,
        deadline: Deadline,
    ) -> Vec<Answer> {
        let live = match self.generations.get("") {
            Ok(live) => live,
            Err(problem) => return requests.iter().map(|_| Err(problem.clone())).collect(),
        };
        trace::note("generation", live.id());
        let clock_ms = self.clock.now_ms();
        let mut opened: Vec<Opened> = stream::iter(requests)
            .map(|request| self.open(request, &live, clock_ms, deadline))
            .buffered(AT_A_TIME)
            .collect()
            .await;
        let asked = opened.iter_mut().filter_map(Opened::asked).collect();
        self.read(asked, deadline).await;
        stream::iter(opened)
            .map(|one| self.finish(one, deadline))
            .buffered(AT_A_TIME)
            .collect()
            .await
    }

    /// A committed request is answered from the log, before anything else is asked of it.
    async fn open(
        &self,
        request: Result<Request, Problem>,
        live: &Arc<Generation>,
        clock_ms: i64,
        deadline: Deadline,
    ) -> Opened {
        let opened = match request {
            Ok(request) => self.look_up(request, live, clock_ms, deadline).await,
            Err(problem) => Err(problem),
        };
        opened.unwrap_or_else(|problem| Opened::Done(Box::new(Err(problem))))
    }

    async fn look_up(
        &self,
        request: Request,
        live: &Arc<Generation>,
        clock_ms: i64,
        deadline: Deadline,
    ) -> Result<Opened, Problem> {
        let mut notes = Notes::default();
        let mut person = None;
        if request.mode == Mode::Commit {
            let started = Instant::now();
            let lookup = deadline.share(LOOKUP_SHARE);
            let found = within(lookup, self.books()?.find(&request));
            let found = found.instrument(info_span!(target: STAGE, "lookup"));
            match found.await? {
                Found::Answered(before) => return Ok(Opened::Done(Box::new(Ok(*before)))),
                Found::Open(read) => person = Some(read),
            }
            notes.took(Stage::Commit, started);
        }
        let generation = match request.generation.as_str() {
            "" => live.clone(),
            pinned => self.generations.get(pinned)?,
        };
        Ok(Opened::Asked(Box::new(Question {
            now_ms: request.now_ms.unwrap_or(clock_ms),
            request,
            generation,
            notes,
            person,
            shopper: Err(Miss::Odd("no row".to_owned())),
        })))
    }

    fn books(&self) -> Result<&Books, Problem> {
        self.books.as_ref().ok_or_else(|| {
            Problem::Precondition(
                "mode is COMMIT and this server has no store: it answers PREVIEW only".to_owned(),
            )
        })
    }

    /// The price of the budget and what is left of it; without a store nothing is known of it.
    fn money(&self, policy: &Policy) -> (f64, Option<i64>) {
        let books = self.books.as_ref();
        books.map_or((0.0, None), |books| {
            books.budget.view(policy.budget(), self.clock.now_ms())
        })
    }

    fn line_offers(&self, policy: &Policy, inputs: &Inputs) -> Vec<LineOffer> {
        let books = self.books.as_ref();
        books.map_or_else(Vec::new, |books| books.campaigns.offers(policy, inputs))
    }

    /// Reads the shoppers of all questions: one call for those that share a generation, which is
    /// nearly always all of them.
    async fn read(&self, asked: Vec<&mut Question>, deadline: Deadline) {
        let groups = question::by_generation(asked).into_iter();
        let reading = groups.map(|(generation, group)| async move {
            self.read_group(group, &generation, deadline).await;
        });
        futures::future::join_all(reading).await;
    }

    async fn read_group(
        &self,
        mut asked: Vec<&mut Question>,
        generation: &Generation,
        deadline: Deadline,
    ) {
        let started = Instant::now();
        let wanted: Vec<(&str, i64)> = asked
            .iter()
            .map(|question| (question.request.shopper_id.as_str(), question.now_ms))
            .collect();
        if let [(shopper, _)] = *wanted {
            trace::shopper(shopper);
        }
        let reading = self.stages.read(&wanted, generation, deadline);
        let stage = info_span!(target: STAGE, "features", shoppers = wanted.len());
        let shoppers = reading.instrument(stage).await;
        for (question, shopper) in asked.iter_mut().zip(shoppers) {
            question.shopper = shopper;
            question.notes.took(Stage::Features, started);
        }
    }

    /// A decision is of one generation from its features to its policy. When the candidates role
    /// does not hold that one, all of it is done once more with one that both hold.
    async fn finish(&self, opened: Opened, deadline: Deadline) -> Answer {
        let mut question = match opened {
            Opened::Done(answer) => return *answer,
            Opened::Asked(question) => question,
        };
        let other = match self.attempt(&mut question, deadline, true).await {
            Ok(answer) => return answer,
            Err(other) => other,
        };
        trace::note("generation.retried", other.id());
        self.stages.metrics.repinned();
        question.begin_again(other);
        self.read(vec![&mut question], deadline).await;
        match self.attempt(&mut question, deadline, false).await {
            Ok(answer) => answer,
            Err(_) => Err(Problem::Internal("a second other generation".to_owned())),
        }
    }

    /// Decides with the question's generation, or names the one to begin again with.
    async fn attempt(
        &self,
        question: &mut Question,
        deadline: Deadline,
        may_repin: bool,
    ) -> Result<Answer, Arc<Generation>> {
        let generation = question.generation.clone();
        let generation = &*generation;
        let shopper = self.shopper_or_request(question);
        let given = !question.request.cart.is_empty();
        let lines = if given {
            &question.request.cart
        } else {
            &shopper.cart.lines
        };
        let cart = cart::price(lines, generation, &self.stages.items);
        let (now_ms, notes) = (question.now_ms, &mut question.notes);
        let query = candidates::query(lines, &shopper.recent, now_ms);
        let (found, standing) = if lines.is_empty() {
            Default::default()
        } else {
            let finding = self
                .stages
                .find(&query, generation, now_ms, deadline, notes);
            let stage = info_span!(target: STAGE, "candidates", recent = query.recent.len());
            match finding.instrument(stage).await {
                Ok(found) => found,
                Err(miss) => {
                    let may_repin = may_repin && question.request.generation.is_empty();
                    if let Some(other) = self.other(&miss, may_repin) {
                        return Err(other);
                    }
                    let found = self.stages.fall_back(&miss, &query, generation, notes);
                    (found, Standing::default())
                }
            }
        };
        let moment = Moment {
            cart: &cart.lines,
            recent: &query.recent,
            values: &shopper.values,
            now_ms,
        };
        let candidates = found.candidates;
        let ranked = self
            .stages
            .rank(generation, moment, candidates, deadline, notes);
        let decided = self.choose(question, (&shopper, &cart, &standing), ranked, generation);
        Ok(self.answer(question, decided, generation, deadline).await)
    }

    /// The generation to begin again with, when the other role named those that it holds.
    fn other(&self, miss: &Miss, may_repin: bool) -> Option<Arc<Generation>> {
        let held = miss.held().filter(|_| may_repin)?;
        self.generations.among(held)
    }

    /// No features: the cart of the request is all there is, and no consent is known.
    fn shopper_or_request(&self, question: &mut Question) -> Shopper {
        let nobody = Ok(Shopper::default());
        std::mem::replace(&mut question.shopper, nobody).unwrap_or_else(|miss| {
            let instead = if question.request.cart.is_empty() {
                "no cart is known"
            } else {
                "only the cart of the request is known, and no consent"
            };
            let why = format!("{miss}; {instead}");
            question
                .notes
                .degrade(Stage::Features, miss.reason(), &why, &self.stages.metrics);
            Shopper::default()
        })
    }

    fn choose(
        &self,
        question: &mut Question,
        (shopper, cart, standing): (&Shopper, &PricedCart, &Standing),
        mut ranked: Vec<Ranked>,
        generation: &Generation,
    ) -> Decided {
        let Question {
            request,
            now_ms,
            notes,
            ..
        } = question;
        let started = Instant::now();
        let _policy = info_span!(target: STAGE, "policy").entered();
        let inputs = inputs::assemble(
            request,
            (shopper, cart, standing),
            generation,
            self.money(&generation.policy),
            *now_ms,
        );
        let seed = record::seed(&request.shopper_id, &request.request_id, *now_ms);
        let decision = generation.policy.decide(&inputs, seed);
        if cart.other_currency > 0 {
            let (lines, currency) = (cart.other_currency, &cart.currency);
            let why = format!("{lines} lines are not in {currency} and count without a price");
            let reason = Reason::OtherCurrency;
            notes.degrade(Stage::Policy, reason, &why, &self.stages.metrics);
        }
        notes.took(Stage::Policy, started);
        ranked.truncate(decision.items_shown);
        Decided {
            decision_id: record::decision_id(&request.shopper_id, &request.request_id),
            shopper_id: request.shopper_id.clone(),
            line_offers: self.line_offers(&generation.policy, &inputs),
            decision,
            inputs,
            seed,
            shown: ranked,
            notes: std::mem::take(notes),
            generation: generation.id().to_owned(),
            cart_value_minor: cart.value_minor,
            cart_version: if request.cart.is_empty() {
                shopper.cart.version
            } else {
                0
            },
        }
    }
}
