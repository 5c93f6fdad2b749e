//! Features, carts and recent items.

use std::sync::Arc;

use feature_store::{
    Cart, CartLine, FeatureValue, Millis, Plan, Recent, ShopperView, Status as ValueStatus,
    UnknownFeature, Value,
};
use kit::{Clock, Violations};
use proto::v1 as pb;
use tonic::Status;

use super::time;

const MOST_ENTITIES: usize = 256;
const MOST_FEATURES: usize = 256;

/// A checked request for features.
#[derive(Debug)]
pub(crate) struct Wanted {
    pub(crate) entities: Vec<EntityId>,
    pub(crate) plan: Arc<Plan>,
    pub(crate) include: Included,
    pub(crate) now: Millis,
}

#[derive(Debug)]
pub(crate) enum EntityId {
    Shopper(String),
    Item(String),
}

/// What shopper rows carry besides features.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Included {
    pub(crate) cart: bool,
    pub(crate) recent_items: bool,
    pub(crate) profile: bool,
}

pub(crate) fn decode_request(
    request: pb::GetFeaturesRequest,
    clock: &Clock,
    resolve: impl FnOnce(&[String]) -> Result<Arc<Plan>, UnknownFeature>,
) -> Result<Wanted, Status> {
    let mut violations = Violations::new();
    violations.check_count("entities", request.entities.len(), MOST_ENTITIES);
    violations.check(request.features.len() <= MOST_FEATURES, "features", || {
        format!(
            "has {} entries, at most {MOST_FEATURES} are allowed",
            request.features.len()
        )
    });
    violations.check(
        !request.features.is_empty() || !request.include.is_empty(),
        "features",
        || "is empty, and nothing is included; name features or include something".to_owned(),
    );
    let include = decode_include(&mut violations, &request.include);
    let now = time::given_or_now(&mut violations, "now", request.now.as_ref(), clock);
    let entities = decode_entities(&mut violations, request.entities);
    let plan = resolve(&request.features).map_err(|unknown| {
        let (field, said) = describe_unknown(&request.features, &unknown);
        violations.add(field, said);
    });
    match (violations.into_result(), plan) {
        (Err(status), _) => Err(status),
        (Ok(()), Ok(plan)) => Ok(Wanted {
            entities,
            plan,
            include,
            now,
        }),
        (Ok(()), Err(())) => Err(Status::internal("an unknown feature was not reported")),
    }
}

fn describe_unknown(names: &[String], unknown: &UnknownFeature) -> (String, String) {
    let at = names.iter().position(|name| *name == unknown.name);
    let field = at.map_or("features".to_owned(), |at| format!("features[{at}]"));
    let near = match unknown.near.as_slice() {
        [] => String::new(),
        near => format!("; near matches: {}", near.join(", ")),
    };
    (field, format!("{:?} is not a feature{near}", unknown.name))
}

fn decode_include(violations: &mut Violations, include: &[i32]) -> Included {
    let mut included = Included::default();
    for (i, value) in include.iter().enumerate() {
        match pb::Include::try_from(*value) {
            Ok(pb::Include::Cart) => included.cart = true,
            Ok(pb::Include::RecentItems) => included.recent_items = true,
            Ok(pb::Include::Profile) => included.profile = true,
            Ok(pb::Include::Unspecified) | Err(_) => {
                violations.add(
                    format!("include[{i}]"),
                    format!("is {value}, 1 to 3 are allowed"),
                );
            }
        }
    }
    included
}

fn decode_entities(violations: &mut Violations, entities: Vec<pb::Entity>) -> Vec<EntityId> {
    use pb::entity::Id;
    let mut decoded = Vec::with_capacity(entities.len());
    for (i, entity) in entities.into_iter().enumerate() {
        match entity.id {
            Some(Id::ShopperId(id)) => {
                violations.check_id(&format!("entities[{i}].shopper_id"), &id);
                decoded.push(EntityId::Shopper(id));
            }
            Some(Id::ItemId(id)) => {
                violations.check_id(&format!("entities[{i}].item_id"), &id);
                decoded.push(EntityId::Item(id));
            }
            None => violations.add(
                format!("entities[{i}]"),
                "is empty, give a shopper_id or an item_id".to_owned(),
            ),
        }
    }
    decoded
}

impl Wanted {
    /// The shoppers among the entities, in their order.
    pub(crate) fn shoppers(&self) -> Vec<&str> {
        self.entities
            .iter()
            .filter_map(|entity| match entity {
                EntityId::Shopper(id) => Some(id.as_str()),
                EntityId::Item(_) => None,
            })
            .collect()
    }
}

pub(crate) fn encode_value(value: FeatureValue) -> pb::FeatureValue {
    pb::FeatureValue {
        status: encode_status(value.status).into(),
        value: value.value.map(encode_typed),
        event_time: value.event_time.map(time::encode),
    }
}

pub(crate) fn encode_status(status: ValueStatus) -> pb::feature_value::Status {
    use pb::feature_value::Status;
    match status {
        ValueStatus::Present => Status::Present,
        ValueStatus::Null => Status::Null,
        ValueStatus::NotFound => Status::NotFound,
        ValueStatus::OutsideMaxAge => Status::OutsideMaxAge,
    }
}

fn encode_typed(value: Value) -> pb::feature_value::Value {
    use pb::feature_value::Value as Wire;
    match value {
        Value::Bool(value) => Wire::BoolValue(value),
        Value::Int(value) => Wire::Int64Value(value),
        Value::Double(value) => Wire::DoubleValue(value),
        Value::Text(value) => Wire::StringValue(value.into()),
        Value::Texts(values) => Wire::StringList(pb::StringList {
            values: values.into_iter().map(Into::into).collect(),
        }),
        Value::Doubles(values) => Wire::DoubleList(pb::DoubleList { values }),
    }
}

/// An unknown shopper has an empty cart with version 0.
pub(crate) fn encode_cart(view: Option<&ShopperView>) -> pb::Cart {
    let Some(view) = view else {
        return pb::Cart::default();
    };
    let cart: &Cart = &view.cart;
    pb::Cart {
        lines: cart.lines.iter().map(encode_line).collect(),
        version: cart.version,
        value_minor: cart.value_minor(),
        currency: cart.currency().to_owned(),
        updated_at: cart.updated_at.map(time::encode),
        last_active_at: view.last_active_at.map(time::encode),
    }
}

fn encode_line(line: &CartLine) -> pb::CartLine {
    pb::CartLine {
        item_id: line.item_id.to_string(),
        quantity: line.quantity,
        price_minor: line.price_minor,
        currency: line.currency.to_string(),
        added_at: Some(time::encode(line.added_at)),
        category: line.category.to_string(),
        brand: line.brand.to_string(),
    }
}

pub(crate) fn encode_recent(recent: &Recent) -> pb::RecentItem {
    pb::RecentItem {
        item_id: recent.item_id.to_string(),
        event_type: u32::from(recent.kind.code()),
        occurred_at: Some(time::encode(recent.occurred_at)),
    }
}

pub(crate) fn encode_profile(view: &ShopperView) -> pb::ProfileSummary {
    pb::ProfileSummary {
        time_zone: view.profile.time_zone.clone(),
        channels: view.profile.channels.clone(),
        jurisdiction: view.profile.jurisdiction.clone(),
        consented_channels: view
            .consented_channels()
            .into_iter()
            .map(str::to_owned)
            .collect(),
        messages_7d: view.messages_7d(),
    }
}
