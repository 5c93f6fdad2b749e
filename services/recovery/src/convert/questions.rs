//! What this role asks of others, and what they answer.

use std::borrow::Cow;

use feature_store::{Item, ItemStats, ItemUpdate, Millis};
use kit::timestamp;
use proto::v1 as pb;
use proto::v1::feature_value::{Status, Value};
use retrieval::{Filter, Kind, Query};

use crate::decide::Miss;
use crate::decide::candidates::{Candidate, Found, SourceScore};
use crate::generation::Generation;
use crate::request::CartLine;
use crate::shopper::{Cart, Profile, Recent, Shopper};

pub(crate) fn features_request(
    shoppers: &[&str],
    names: &[String],
    now_ms: i64,
) -> pb::GetFeaturesRequest {
    let entity = |shopper: &&str| pb::Entity {
        id: Some(pb::entity::Id::ShopperId((*shopper).to_owned())),
    };
    let include = [
        pb::Include::Cart,
        pb::Include::RecentItems,
        pb::Include::Profile,
    ];
    pb::GetFeaturesRequest {
        entities: shoppers.iter().map(entity).collect(),
        features: names.to_vec(),
        now: Some(timestamp::encode(now_ms)),
        include: include.map(i32::from).to_vec(),
    }
}

pub(crate) fn shopper(row: pb::FeatureRow) -> Shopper {
    Shopper {
        values: row.values.iter().map(number).collect(),
        cart: cart(row.cart.unwrap_or_default()),
        recent: row.recent_items.into_iter().filter_map(recent).collect(),
        profile: profile(row.profile.unwrap_or_default()),
    }
}

/// A value that is present, as a number; one past its allowed age counts as missing.
#[expect(
    clippy::cast_precision_loss,
    reason = "models read numbers as floats; counts and money stay below 2^53"
)]
fn number(value: &pb::FeatureValue) -> Option<f64> {
    if value.status() != Status::Present {
        return None;
    }
    match value.value.as_ref()? {
        Value::BoolValue(yes) => Some(f64::from(u8::from(*yes))),
        Value::Int64Value(number) => Some(*number as f64),
        Value::DoubleValue(number) => Some(*number),
        Value::StringValue(_) | Value::StringList(_) | Value::DoubleList(_) => None,
    }
}

/// What another role calls a time and is none counts as no time.
fn millis(at: &prost_types::Timestamp) -> Option<i64> {
    timestamp::decode(at).ok()
}

fn cart(cart: pb::Cart) -> Cart {
    Cart {
        lines: cart.lines.into_iter().map(cart_line).collect(),
        version: cart.version,
        last_active_ms: cart.last_active_at.as_ref().and_then(millis),
    }
}

/// A line, stored or given; a quantity of 0 reads as 1.
pub(crate) fn cart_line(line: pb::CartLine) -> CartLine {
    CartLine {
        quantity: line.quantity.max(1),
        price_minor: line.price_minor,
        added_at_ms: line.added_at.as_ref().and_then(millis),
        item_id: line.item_id,
        currency: line.currency,
        category: line.category,
        brand: line.brand,
    }
}

/// `None` for what is no interaction with an item.
fn recent(item: pb::RecentItem) -> Option<Recent> {
    Some(Recent {
        kind: kind(item.event_type)?,
        at_ms: item.occurred_at.as_ref().and_then(millis)?,
        item_id: item.item_id,
    })
}

fn kind(event_type: u32) -> Option<Kind> {
    use pb::event::Type;
    match Type::try_from(i32::try_from(event_type).ok()?).ok()? {
        Type::View => Some(Kind::View),
        Type::AddToCart => Some(Kind::Add),
        Type::RemoveFromCart => Some(Kind::Remove),
        Type::CheckoutStart => Some(Kind::Checkout),
        Type::Purchase => Some(Kind::Purchase),
        Type::Unspecified
        | Type::MessageSent
        | Type::MessageDelivered
        | Type::MessageOpened
        | Type::MessageClicked
        | Type::MessageUnsubscribed => None,
    }
}

fn event_type(kind: Kind) -> u32 {
    match kind {
        Kind::View => 1,
        Kind::Add => 2,
        Kind::Remove => 3,
        Kind::Checkout => 4,
        Kind::Purchase => 5,
    }
}

fn profile(profile: pb::ProfileSummary) -> Profile {
    Profile {
        channels: profile.channels,
        consented_channels: profile.consented_channels,
        jurisdiction: profile.jurisdiction,
        messages_7d: profile.messages_7d,
    }
}

pub(crate) fn retrieve_request(
    query: &Query,
    generation: &str,
    now_ms: i64,
) -> pb::RetrieveRequest {
    let interaction = |one: &retrieval::Recent| pb::RecentInteraction {
        item_id: one.item_id.clone(),
        event_type: event_type(one.kind),
        age: Some(super::duration(one.age)),
    };
    pb::RetrieveRequest {
        shopper_id: String::new(),
        recent_items: query.recent.iter().map(interaction).collect(),
        exclude: query.exclude.clone(),
        k: u32::try_from(query.k).unwrap_or(u32::MAX),
        filter: filter(&query.filter),
        generation: generation.to_owned(),
        now: Some(timestamp::encode(now_ms)),
        score: query.score.clone(),
        rebuy: query.rebuy,
        columns: true,
    }
}

fn filter(filter: &Filter) -> Option<pb::Filter> {
    let narrow = !filter.allow.is_empty();
    narrow.then(|| pb::Filter {
        allow_item_ids: filter.allow.clone(),
        ..pb::Filter::default()
    })
}

/// What the candidates role answered, as columns or not.
pub(crate) fn found(answer: pb::RetrieveResponse, generation: &Generation) -> Result<Found, Miss> {
    let candidate = |one: pb::Candidate| Candidate {
        item_id: one.item_id,
        ordinal: None,
        score: one.score,
        sources: one.sources.into_iter().map(source).collect(),
    };
    let candidates = match answer.columns {
        Some(columns) => unpacked(&columns, generation)
            .ok_or_else(|| Miss::Odd("columns that do not fit together".to_owned()))?,
        None => answer.candidates.into_iter().map(candidate).collect(),
    };
    let scored = |one: pb::ScoredItem| {
        one.known.then(|| Candidate {
            item_id: one.item_id,
            ordinal: None,
            score: one.score,
            sources: one.sources.into_iter().map(source).collect(),
        })
    };
    Ok(Found {
        candidates,
        scored: answer.scored.into_iter().filter_map(scored).collect(),
    })
}

/// `None` when a column is too short or names what is not there.
fn unpacked(columns: &pb::CandidateColumns, generation: &Generation) -> Option<Vec<Candidate>> {
    let sources: Vec<Cow<'static, str>> = columns
        .sources
        .iter()
        .map(|name| known_source(name))
        .collect();
    let named = columns.source.iter().zip(&columns.source_scores);
    let mut named = named.zip(&columns.source_ranks);
    let heads = columns.ordinals.iter().zip(&columns.scores);
    let mut candidates = Vec::with_capacity(columns.ordinals.len());
    for ((ordinal, score), named_by) in heads.zip(&columns.named_by) {
        let named_by = usize::try_from(*named_by).ok()?;
        let said = named
            .by_ref()
            .take(named_by)
            .map(|((source, score), rank)| {
                Some(SourceScore {
                    source: sources.get(usize::try_from(*source).ok()?)?.clone(),
                    score: *score,
                    rank: *rank,
                })
            });
        let said: Vec<SourceScore> = said.collect::<Option<_>>()?;
        if said.len() != named_by {
            return None;
        }
        candidates.push(Candidate {
            item_id: generation.catalogue().get(*ordinal)?.item_id.clone(),
            ordinal: Some(*ordinal),
            score: *score,
            sources: said,
        });
    }
    (candidates.len() == columns.ordinals.len()).then_some(candidates)
}

/// Without a copy where the source is one that this version has.
fn known_source(name: &str) -> Cow<'static, str> {
    let known = retrieval::Source::ALL
        .into_iter()
        .find(|source| source.as_str() == name);
    known.map_or_else(
        || Cow::Owned(name.to_owned()),
        |source| Cow::Borrowed(source.as_str()),
    )
}

fn source(said: pb::SourceScore) -> SourceScore {
    let pb::SourceScore {
        source,
        score,
        rank,
    } = said;
    SourceScore {
        source: known_source(&source),
        score,
        rank,
    }
}

/// What our own tables answered.
pub(crate) fn own_found(answer: retrieval::Answer) -> Found {
    let candidate = |one: retrieval::Candidate| Candidate {
        item_id: one.item_id,
        ordinal: Some(one.ordinal),
        score: one.score,
        sources: one.sources.into_iter().map(own_source).collect(),
    };
    let scored = |one: retrieval::Scored| {
        one.known.then(|| Candidate {
            item_id: one.item_id,
            ordinal: None,
            score: one.score,
            sources: one.sources.into_iter().map(own_source).collect(),
        })
    };
    Found {
        candidates: answer.candidates.into_iter().map(candidate).collect(),
        scored: answer.scored.into_iter().filter_map(scored).collect(),
    }
}

fn own_source(score: retrieval::SourceScore) -> SourceScore {
    SourceScore {
        source: Cow::Borrowed(score.source.as_str()),
        score: score.score,
        rank: score.rank,
    }
}

/// Changes of the item table, in their order.
pub(crate) fn item_updates(updates: pb::ItemUpdates) -> Vec<ItemUpdate> {
    let items = updates
        .items
        .into_iter()
        .map(|one| ItemUpdate::Item(item(one)));
    let stats = updates.stats.into_iter().map(|stats| ItemUpdate::Stats {
        stats: item_stats(&stats),
        item_id: stats.item_id,
    });
    items.chain(stats).collect()
}

fn item(item: pb::Item) -> Item {
    Item {
        item_id: item.item_id,
        name: item.name,
        category_path: item.category_path,
        brand: item.brand,
        price_minor: item.price_minor,
        currency: item.currency,
        cost_minor: item.cost_minor,
        margin_rate: item.margin_rate,
        stock: item.stock,
        tags: item.tags,
        unsellable: item.unsellable,
    }
}

fn item_stats(stats: &pb::ItemStats) -> ItemStats {
    ItemStats {
        views_24h: stats.views_24h,
        carts_24h: stats.carts_24h,
        purchases_24h: stats.purchases_24h,
        views_30d: stats.views_30d,
        carts_30d: stats.carts_30d,
        purchases_30d: stats.purchases_30d,
        as_of: Millis(stats.as_of.as_ref().and_then(millis).unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(status: Status, value: Value) -> pb::FeatureValue {
        pb::FeatureValue {
            status: status.into(),
            value: Some(value),
            event_time: None,
        }
    }

    #[test]
    fn only_present_numbers_are_numbers() {
        let bits = |status, of| number(&value(status, of)).map(f64::to_bits);
        assert_eq!(
            bits(Status::Present, Value::Int64Value(3)),
            Some(3_f64.to_bits())
        );
        assert_eq!(
            bits(Status::Present, Value::BoolValue(true)),
            Some(1_f64.to_bits())
        );
        assert_eq!(bits(Status::OutsideMaxAge, Value::Int64Value(3)), None);
        assert_eq!(bits(Status::NotFound, Value::Int64Value(3)), None);
        assert_eq!(
            bits(Status::Present, Value::StringValue("3".to_owned())),
            None
        );
    }

    #[test]
    fn interactions_keep_their_kind_on_the_wire() {
        for of in [
            Kind::View,
            Kind::Add,
            Kind::Remove,
            Kind::Checkout,
            Kind::Purchase,
        ] {
            assert_eq!(kind(event_type(of)), Some(of));
        }
        assert_eq!(kind(6), None, "a message is no interaction with an item");
        assert_eq!(kind(u32::MAX), None);
    }
}
