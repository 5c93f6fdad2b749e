//! The logs of a store, joined by person.

use std::collections::{BTreeMap, HashMap};

use anyhow::Context as _;
use feature_store::store::{Log, LogEntry};
use feature_store::{EventKind, FeatureStore, Item, LoggedEvent};
use policy::{Line, Policy};
use prost::Message as _;
use proto::v1 as pb;
use recovery::outcome::{Entry, Kind};
use recovery::record::Record;

use super::accounts::Accounts;
use super::summary::Acted;
use crate::{output, wire};

/// Shoppers whose persons are asked for at once.
const SHOPPERS: usize = 256;

/// What the logs hold.
#[derive(Debug, Default)]
pub(crate) struct Logs {
    pub(crate) accounts: Accounts,
    pub(crate) actions: BTreeMap<String, Acted>,
    /// The newest moment in any of them.
    pub(crate) until_ms: i64,
    pub(crate) currency: String,
    events: Vec<LoggedEvent>,
    decisions: Vec<Decided>,
    outcomes: Vec<(Entry, Kind)>,
}

#[derive(Debug)]
struct Decided {
    shopper_id: String,
    decision_id: String,
    at_ms: i64,
    held_out: bool,
    action: &'static str,
    channel: String,
}

impl Logs {
    /// Reads all of them; `policy` says what messages cost, and what items of unknown cost earn.
    pub(crate) async fn read(store: &FeatureStore, policy: &Policy) -> anyhow::Result<Self> {
        let mut logs = Self::default();
        logs.read_events(store).await?;
        logs.read_decisions(store).await?;
        logs.read_outcomes(store).await?;
        let items = store.stored_items().await.context("read the items")?;
        let persons = logs.persons(store).await?;
        logs.join(&items, &persons, policy);
        Ok(logs)
    }

    async fn read_events(&mut self, store: &FeatureStore) -> anyhow::Result<()> {
        let (mut events, mut bad) = (Vec::new(), 0_u64);
        each(
            store,
            Log::Events,
            "events",
            &mut |bytes| match LoggedEvent::decode(bytes) {
                Ok(entry) if counts(entry.event.kind) => events.push(entry),
                Ok(_) => {}
                Err(_) => bad += 1,
            },
        )
        .await?;
        self.events = events;
        say_unread(bad, "events");
        Ok(())
    }

    async fn read_decisions(&mut self, store: &FeatureStore) -> anyhow::Result<()> {
        let (mut decisions, mut bad) = (Vec::new(), 0_u64);
        each(
            store,
            Log::Decisions,
            "decisions",
            &mut |bytes| match decided(bytes) {
                Some(Some(decided)) => decisions.push(decided),
                Some(None) => {}
                None => bad += 1,
            },
        )
        .await?;
        self.decisions = decisions;
        say_unread(bad, "decisions");
        Ok(())
    }

    async fn read_outcomes(&mut self, store: &FeatureStore) -> anyhow::Result<()> {
        let (mut outcomes, mut bad) = (Vec::new(), 0_u64);
        each(
            store,
            Log::Outcomes,
            "outcomes",
            &mut |bytes| match Entry::read(bytes) {
                Ok(outcome) => outcomes.push(outcome),
                Err(_) => bad += 1,
            },
        )
        .await?;
        self.outcomes = outcomes;
        say_unread(bad, "outcomes");
        Ok(())
    }

    /// The person behind each id about which anything was decided, where it is another id.
    async fn persons(&self, store: &FeatureStore) -> anyhow::Result<HashMap<String, String>> {
        let mut ids: Vec<&str> = self
            .decisions
            .iter()
            .map(|one| one.shopper_id.as_str())
            .collect();
        ids.extend(self.events.iter().map(|one| one.event.shopper_id.as_str()));
        ids.sort_unstable();
        ids.dedup();
        let mut persons = HashMap::new();
        let bar = output::count_bar(u64::try_from(ids.len()).ok(), "joining persons");
        for ids in ids.chunks(SHOPPERS) {
            let read = store
                .stored_shoppers(ids)
                .await
                .context("read the shoppers")?;
            for (id, stored) in ids.iter().zip(read) {
                persons.extend(stored.under.map(|person| ((*id).to_owned(), person)));
            }
            bar.inc(u64::try_from(ids.len()).unwrap_or(0));
        }
        bar.finish_and_clear();
        Ok(persons)
    }

    fn join(&mut self, items: &[Item], persons: &HashMap<String, String>, policy: &Policy) {
        let person = |id: &str| persons.get(id).cloned().unwrap_or_else(|| id.to_owned());
        let items: HashMap<&str, &Item> = items
            .iter()
            .map(|one| (one.item_id.as_str(), one))
            .collect();
        for LoggedEvent { event, .. } in std::mem::take(&mut self.events) {
            let at_ms = event.occurred_at.0;
            self.until_ms = self.until_ms.max(at_ms);
            if event.kind == EventKind::MessageUnsubscribed {
                self.accounts
                    .unsubscribed(&person(&event.shopper_id), at_ms);
            } else if event.kind == EventKind::Purchase {
                if self.currency.is_empty() {
                    self.currency.clone_from(&event.currency);
                }
                let line = line(&event, items.get(event.item_id.as_str()).copied());
                let value = event
                    .price_minor
                    .saturating_mul(i64::from(event.quantity.max(1)));
                let order = match event.order_id.is_empty() {
                    true => &event.event_id,
                    false => &event.order_id,
                };
                let money = (value, policy.margin_minor(&[line]));
                self.accounts
                    .bought(&person(&event.shopper_id), (order, at_ms), money);
            }
        }
        let mut decided_as: HashMap<String, (&'static str, String)> = HashMap::new();
        for one in std::mem::take(&mut self.decisions) {
            self.until_ms = self.until_ms.max(one.at_ms);
            self.actions
                .entry(one.action.to_owned())
                .or_default()
                .decisions += 1;
            self.accounts
                .decided(&person(&one.shopper_id), one.at_ms, one.held_out);
            decided_as.insert(one.decision_id, (one.action, one.channel));
        }
        for (entry, kind) in std::mem::take(&mut self.outcomes) {
            let decided = decided_as.get(&entry.decision_id);
            self.outcome(&person(&entry.shopper_id), &entry, kind, decided, policy);
        }
    }

    fn outcome(
        &mut self,
        person: &str,
        entry: &Entry,
        kind: Kind,
        decided: Option<&(&'static str, String)>,
        policy: &Policy,
    ) {
        let at_ms = entry.occurred_at_ms;
        self.until_ms = self.until_ms.max(at_ms);
        let (action, channel) = decided.map_or(("", ""), |(action, channel)| (action, channel));
        let mut scratch = Acted::default();
        let acted = match action {
            "" => &mut scratch,
            action => self.actions.entry(action.to_owned()).or_default(),
        };
        match kind {
            Kind::Sent => {
                acted.sent += 1;
                let channel = if channel.is_empty() {
                    policy.default_channel()
                } else {
                    channel
                };
                let cost = policy.contact_cost_minor(channel);
                self.accounts.sent(person, at_ms, cost);
            }
            // Nobody is counted by what they opened.
            Kind::Opened => acted.opened += 1,
            Kind::Clicked => acted.clicked += 1,
            Kind::Delivered => {}
            Kind::Recovered => {
                acted.orders_named += 1;
                self.accounts
                    .discounted(person, &entry.order_id, entry.discount_minor);
            }
            Kind::Refund => {
                let back = (at_ms, entry.value_minor);
                self.accounts.refunded(person, &entry.order_id, back);
            }
            Kind::Complaint => self.accounts.complained(person, at_ms),
            Kind::Unsubscribe => self.accounts.unsubscribed(person, at_ms),
        }
    }
}

fn counts(kind: EventKind) -> bool {
    matches!(kind, EventKind::Purchase | EventKind::MessageUnsubscribed)
}

/// `Some(None)` for a decision that took no step: somebody asked, and nobody was left.
fn decided(bytes: &[u8]) -> Option<Option<Decided>> {
    let record = Record::decode(bytes).ok()?;
    if record.step.is_none() {
        return Some(None);
    }
    let decision = pb::Decision::decode(record.decision.as_slice()).ok()?;
    let inputs = policy::Inputs::decode(&record.inputs).ok()?;
    Some(Some(Decided {
        at_ms: decision.decided_at.as_ref().map(|at| wire::millis(at).0)?,
        held_out: decision.in_holdout,
        action: wire::action(decision.action()),
        decision_id: decision.decision_id,
        shopper_id: record.shopper_id,
        channel: inputs.channel,
    }))
}

/// The line as decisions see it: at the price of the order, with what the catalogue knows of its cost.
fn line(event: &feature_store::Event, item: Option<&Item>) -> Line {
    Line {
        item_id: event.item_id.clone(),
        quantity: event.quantity.max(1),
        price_minor: event.price_minor,
        cost_minor: item.and_then(|item| item.cost_minor),
        margin_rate: item.and_then(|item| item.margin_rate),
        category: event.category.clone(),
        brand: event.brand.clone(),
    }
}

async fn each(
    store: &FeatureStore,
    log: Log,
    what: &str,
    show: &mut (impl FnMut(&[u8]) + Send),
) -> anyhow::Result<()> {
    let bar = output::count_bar(Some(0), &format!("reading {what}"));
    let mut progress = |shown, of| {
        bar.set_length(of);
        bar.set_position(shown);
    };
    let mut take = |_, entry: &LogEntry| {
        show(&entry.value);
        anyhow::Ok(())
    };
    let read = store.read_log(log, &mut take, &mut progress).await;
    bar.finish_and_clear();
    let erased = read.with_context(|| format!("read the log of {what}"))?;
    if erased > 0 {
        output::note(format!(
            "note: {erased} {what} of the log are of shoppers who were erased, and are left out"
        ));
    }
    Ok(())
}

fn say_unread(count: u64, what: &str) {
    if count > 0 {
        output::note(format!(
            "note: {count} {what} of the log cannot be read and are left out"
        ));
    }
}
