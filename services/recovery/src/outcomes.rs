//! What became of decisions, taken in: each report once, logged in the commit of what it changes of
//! the person.

use std::collections::{BTreeMap, BTreeSet};

use feature_store::store::{Kind as Stored, Versioned};
use feature_store::{Changed, ConsentRecord, Millis, NewOutcome, ShopperChange};
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use kit::Problem;
use policy::Inputs;
use prost::Message as _;
use proto::v1 as pb;

use crate::actions::{ATTEMPTS, Actions, SENT_OVER, too_fast};
use crate::commit::{damaged, unavailable};
use crate::outcome::{Kind, Report};
use crate::person::Stand;
use crate::record::Record;

/// Shoppers whose reports are stored at the same time.
const AT_ONCE: usize = 16;

/// What became of a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    Accepted,
    Duplicate,
    /// The field at fault, and why.
    Rejected(String, String),
}

/// A report with its place in the request.
type Placed = (usize, Report);

impl Actions {
    /// Takes reports in; answers one for each, in their order. Refused ones stay refused.
    pub(crate) async fn report(
        &self,
        reports: Vec<Result<Report, Taken>>,
    ) -> Result<Vec<Taken>, Problem> {
        let mut answers = vec![Taken::Duplicate; reports.len()];
        let mut by_shopper: BTreeMap<String, Vec<Placed>> = BTreeMap::new();
        for (at, report) in reports.into_iter().enumerate() {
            match report {
                Ok(report) => {
                    let shopper = report.shopper_id.clone();
                    by_shopper.entry(shopper).or_default().push((at, report));
                }
                Err(refused) => put(&mut answers, at, refused),
            }
        }
        let storing = by_shopper
            .into_iter()
            .map(|(shopper, reports)| async move { self.report_of(&shopper, &reports).await });
        let told: Vec<Vec<(usize, Taken)>> = stream::iter(storing)
            .buffered(AT_ONCE)
            .try_collect()
            .await?;
        for (at, taken) in told.into_iter().flatten() {
            put(&mut answers, at, taken);
        }
        Ok(answers)
    }

    /// The reports of one shopper, in one commit.
    async fn report_of(
        &self,
        shopper: &str,
        reports: &[Placed],
    ) -> Result<Vec<(usize, Taken)>, Problem> {
        for _ in 0..ATTEMPTS {
            let (mut stand, found) = self.found(shopper, reports).await?;
            let mut news = News::default();
            let now_ms = self.books.clock.now_ms();
            let told: Vec<(usize, Taken)> = reports
                .iter()
                .zip(found)
                .map(|((at, report), found)| (*at, news.take(report, found, &stand, now_ms)))
                .collect();
            if news.outcomes.is_empty() {
                return Ok(told);
            }
            let change = self.change(&mut stand, news)?;
            let changed = self.books.store.change(shopper, stand.read, change).await;
            match changed.map_err(|error| unavailable("the outcomes", &error))? {
                Changed::Done | Changed::Decided(_) | Changed::Erased => return Ok(told),
                Changed::Conflict => {}
            }
        }
        Err(too_fast())
    }

    /// The person, and what is stored about each report.
    async fn found(
        &self,
        shopper: &str,
        reports: &[Placed],
    ) -> Result<(Stand, Vec<Found>), Problem> {
        let ids: Vec<String> = reports.iter().map(|(_, report)| report.id()).collect();
        let wanted: Vec<(Stored, &str)> = ids
            .iter()
            .zip(reports)
            .flat_map(|(id, (_, report))| {
                let decision = (Stored::Decision, report.decision_id.as_str());
                [(Stored::Outcome, id.as_str()), decision]
            })
            .collect();
        let read = self.books.store.stored_shopper_and(shopper, &wanted).await;
        let (read, values) = read.map_err(|error| unavailable("the outcomes", &error))?;
        let mut values = values.into_iter();
        let mut found = Vec::with_capacity(ids.len());
        for id in ids {
            let is_known = values.next().flatten().is_some();
            let decided = values.next().flatten().map(|stored| decided(&stored));
            found.push(Found {
                id,
                is_known,
                decided: decided.transpose()?,
            });
        }
        Ok((Stand::of(read)?, found))
    }

    fn change(&self, stand: &mut Stand, news: News) -> Result<ShopperChange, Problem> {
        let mut ended = false;
        for cart_version in news.over {
            ended |= stand.person.dismiss(cart_version);
        }
        let mut change = ShopperChange {
            at: Millis(self.books.clock.now_ms()),
            consents: news.consents,
            outcomes: news.outcomes,
            ..ShopperChange::default()
        };
        if ended {
            let generation = self.generations.get("")?;
            change.recovery = Some(stand.person.encode());
            change.look = stand.look(&generation.policy);
        }
        Ok(change)
    }
}

/// What is stored about a report.
struct Found {
    id: String,
    is_known: bool,
    /// `None`: there is no such decision.
    decided: Option<Decided>,
}

/// What a report needs of the decision that it is about; nothing of none.
#[derive(Default)]
struct Decided {
    acts: bool,
    /// Empty where it was left to the policy.
    channel: String,
    /// The cart whose step it took.
    cart_version: Option<u64>,
}

fn decided(stored: &Versioned) -> Result<Decided, Problem> {
    let record = Record::decode(stored.value.clone()).map_err(damaged)?;
    let decision = pb::Decision::decode(record.decision.as_slice()).map_err(damaged)?;
    let inputs = Inputs::decode(&record.inputs).map_err(damaged)?;
    Ok(Decided {
        acts: decision.action() != pb::decision::Action::Nothing,
        channel: inputs.channel,
        cart_version: record.step.map(|step| step.cart_version),
    })
}

/// What the reports of one shopper bring.
#[derive(Default)]
struct News {
    ids: BTreeSet<String>,
    outcomes: Vec<NewOutcome>,
    consents: Vec<ConsentRecord>,
    /// Versions of carts that are to be left alone.
    over: BTreeSet<u64>,
}

impl News {
    fn take(&mut self, report: &Report, found: Found, stand: &Stand, now_ms: i64) -> Taken {
        if found.is_known || self.ids.contains(&found.id) {
            return Taken::Duplicate;
        }
        let of_none = Some(Decided::default()).filter(|_| report.decision_id.is_empty());
        let Some(decided) = found.decided.or(of_none) else {
            let (id, shopper) = (&report.decision_id, &report.shopper_id);
            let why = format!("is {id:?}, the id of a decision about {shopper:?} is needed");
            return Taken::Rejected("decision_id".to_owned(), why);
        };
        let kind = report.kind;
        if kind.is_of_message() && !decided.acts {
            let why = format!("is {}, and the decision was to do nothing", kind.as_str());
            return Taken::Rejected("kind".to_owned(), why);
        }
        let channels = match kind.withdraws() {
            true => channels(report, &decided, stand),
            false => Vec::new(),
        };
        self.consents
            .extend(channels.iter().map(|channel| ConsentRecord {
                purpose: report.purpose.clone(),
                channel: channel.clone(),
                granted: false,
                at: Millis(report.occurred_at_ms),
                ..ConsentRecord::default()
            }));
        if kind == Kind::Recovered {
            self.over.extend(decided.cart_version);
        } else if kind.withdraws() {
            self.over.insert(stand.seen.cart_version);
        }
        self.ids.insert(found.id.clone());
        let entry = report.entry(&found.id, channels, now_ms);
        self.outcomes.push(NewOutcome {
            id: found.id,
            entry: entry.encode_to_vec().into(),
        });
        Taken::Accepted
    }
}

/// The channels whose consent is withdrawn: the one that is named, or that of the message; all that
/// messages are sent over where nobody knows it any more.
fn channels(report: &Report, decided: &Decided, stand: &Stand) -> Vec<String> {
    let open = stand.person.action(&report.decision_id);
    let known = [
        report.channel.as_str(),
        open.map_or("", |action| &action.channel),
        &decided.channel,
    ];
    match known.into_iter().find(|channel| !channel.is_empty()) {
        Some(channel) => vec![channel.to_owned()],
        None => SENT_OVER.map(str::to_owned).to_vec(),
    }
}

fn put(answers: &mut [Taken], at: usize, taken: Taken) {
    if let Some(answer) = answers.get_mut(at) {
        *answer = taken;
    }
}
