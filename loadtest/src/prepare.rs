//! Puts the population into the servers through their own API, before anything is measured.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use jiff::Timestamp;
use proto::v1 as pb;
use proto::v1::catalog_service_client::CatalogServiceClient;
use proto::v1::event_service_client::EventServiceClient;
use proto::v1::feature_service_client::FeatureServiceClient;
use proto::v1::shopper_service_client::ShopperServiceClient;
use tokio::task::JoinSet;

use crate::population::{CURRENCY, Item, Population, Shopper};
use crate::targets::Pool;

const ITEMS_A_REQUEST: usize = 1_000;
const EVENTS_A_REQUEST: usize = 500;
const SHOPPERS_A_READ: usize = 256;
const PROFILES_AT_A_TIME: usize = 32;
/// How long before the run the prepared shoppers were last seen.
const HISTORY: Duration = Duration::from_secs(45 * 60);

/// Pushes items, profiles and events, then reads the carts back: what is in them is what answers
/// are checked against. Running it again changes nothing that is there already.
pub(crate) async fn push(population: &mut Population, features: &Pool) -> anyhow::Result<()> {
    if population.made_up {
        push_items(&population.items, features)
            .await
            .context("push items")?;
    }
    push_profiles(&population.shoppers, features)
        .await
        .context("push profiles")?;
    push_events(population, features)
        .await
        .context("push events")?;
    read_carts(population, features)
        .await
        .context("read the carts back")
}

async fn push_items(items: &[Item], features: &Pool) -> anyhow::Result<()> {
    let mut client = CatalogServiceClient::new(features.pick(0));
    for batch in items.chunks(ITEMS_A_REQUEST) {
        let items = batch.iter().map(item).collect();
        let request = pb::UpsertItemsRequest { items };
        let results = client.upsert_items(request).await?.into_inner().results;
        let refused = results
            .iter()
            .find(|r| r.status() != pb::item_result::Status::Ok);
        ensure!(refused.is_none(), "an item was refused: {refused:?}");
    }
    Ok(())
}

fn item(item: &Item) -> pb::Item {
    pb::Item {
        item_id: item.id.clone(),
        name: item.id.clone(),
        category_path: item.category.split('.').map(str::to_owned).collect(),
        brand: item.brand.clone(),
        price_minor: item.price_minor,
        currency: CURRENCY.to_owned(),
        ..pb::Item::default()
    }
}

async fn push_profiles(shoppers: &[Shopper], features: &Pool) -> anyhow::Result<()> {
    let mut tasks = JoinSet::new();
    for (number, shopper) in (0_u64..).zip(shoppers) {
        if tasks.len() >= PROFILES_AT_A_TIME {
            tasks.join_next().await.transpose()?.transpose()?;
        }
        let client = ShopperServiceClient::new(features.pick(number));
        // Four of five allow e-mail, as a policy has to find both kinds.
        tasks.spawn(push_profile(client, shopper.id.clone(), number % 5 != 0));
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    Ok(())
}

async fn push_profile(
    mut client: ShopperServiceClient<tonic::transport::Channel>,
    shopper_id: String,
    granted: bool,
) -> anyhow::Result<()> {
    let profile = pb::SetProfileRequest {
        shopper_id: shopper_id.clone(),
        time_zone: Some("Europe/Berlin".into()),
        channels: vec!["email".into(), "onsite".into()],
        jurisdiction: Some("DE".into()),
    };
    client.set_profile(profile).await?;
    if !granted {
        return Ok(());
    }
    let consent = |channel: &str| pb::Consent {
        purpose: "marketing".into(),
        channel: channel.into(),
        granted: true,
        wording: "load-1".into(),
        ..pb::Consent::default()
    };
    let consents = vec![consent("email"), consent("onsite")];
    let request = pb::SetConsentRequest {
        shopper_id,
        consents,
    };
    client.set_consent(request).await?;
    Ok(())
}

async fn push_events(population: &Population, features: &Pool) -> anyhow::Result<()> {
    let from = Timestamp::now() - HISTORY;
    let mut client = EventServiceClient::new(features.pick(0));
    let events: Vec<_> = population
        .shoppers
        .iter()
        .flat_map(|s| history(s, population, from))
        .collect();
    for batch in events.chunks(EVENTS_A_REQUEST) {
        let request = pb::PushEventsRequest {
            events: batch.to_vec(),
        };
        let results = client.push_events(request).await?.into_inner().results;
        ensure!(
            results.len() == batch.len(),
            "{} results for {} events",
            results.len(),
            batch.len()
        );
        let refused = results.iter().find(|r| {
            r.status() != pb::event_result::Status::Accepted
                && r.status() != pb::event_result::Status::Duplicate
        });
        ensure!(refused.is_none(), "an event was refused: {refused:?}");
    }
    Ok(())
}

/// A shopper's views, then additions to the cart, 20 s apart.
fn history<'a>(
    shopper: &'a Shopper,
    population: &'a Population,
    from: Timestamp,
) -> impl Iterator<Item = pb::Event> + 'a {
    use pb::event::Type::{AddToCart, View};
    let views = shopper.viewed.iter().map(|at| (View, *at));
    let adds = shopper.carted.iter().map(|at| (AddToCart, *at));
    let known = views.chain(adds).enumerate();
    known.filter_map(move |(step, (kind, at))| {
        let item = population.items.get(at)?;
        let passed = Duration::from_secs(20 * step as u64);
        Some(event(
            &shopper.id,
            &format!("{}-{step}", shopper.id),
            kind,
            item,
            from + passed,
        ))
    })
}

/// An event of one unit.
pub(crate) fn event(
    shopper: &str,
    id: &str,
    kind: pb::event::Type,
    item: &Item,
    at: Timestamp,
) -> pb::Event {
    pb::Event {
        event_id: id.to_owned(),
        shopper_id: shopper.to_owned(),
        r#type: kind.into(),
        item_id: item.id.clone(),
        quantity: 1,
        price_minor: item.price_minor,
        currency: CURRENCY.to_owned(),
        occurred_at: Some(wire(at)),
        category: item.category.clone(),
        brand: item.brand.clone(),
        ..pb::Event::default()
    }
}

/// A time as it goes over the wire, to the millisecond that servers keep.
pub(crate) fn wire(at: Timestamp) -> prost_types::Timestamp {
    prost_types::Timestamp {
        seconds: at.as_second(),
        nanos: at.subsec_nanosecond() / 1_000_000 * 1_000_000,
    }
}

async fn read_carts(population: &mut Population, features: &Pool) -> anyhow::Result<()> {
    let mut client = FeatureServiceClient::new(features.pick(0));
    let mut carts = BTreeMap::new();
    for batch in population.shoppers.chunks(SHOPPERS_A_READ) {
        let request = pb::GetFeaturesRequest {
            entities: batch.iter().map(|s| entity(&s.id)).collect(),
            include: vec![pb::Include::Cart.into()],
            ..pb::GetFeaturesRequest::default()
        };
        let rows = client.get_features(request).await?.into_inner().rows;
        ensure!(
            rows.len() == batch.len(),
            "{} rows for {} shoppers",
            rows.len(),
            batch.len()
        );
        for (shopper, row) in batch.iter().zip(rows) {
            let lines = row.cart.unwrap_or_default().lines;
            ensure!(
                !lines.is_empty(),
                "the cart of {} is empty after its push",
                shopper.id
            );
            let items: Vec<String> = lines.into_iter().map(|line| line.item_id).collect();
            carts.insert(shopper.id.clone(), items);
        }
    }
    for shopper in &mut population.shoppers {
        shopper.stored_cart = carts.remove(&shopper.id).unwrap_or_default();
    }
    Ok(())
}

/// A shopper as an entity.
pub(crate) fn entity(shopper: &str) -> pb::Entity {
    pb::Entity {
        id: Some(pb::entity::Id::ShopperId(shopper.to_owned())),
    }
}
