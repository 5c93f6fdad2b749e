//! The values that rules see.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use cel::{Context, Env, Value};

use super::Moment;
use super::check::Reads;
use crate::{Inputs, Line};

/// Builds those variables and fields that some rule reads.
pub(super) fn build(
    env: &Arc<Env>,
    reads: &Reads,
    inputs: &Inputs,
    moment: Moment<'_>,
) -> Context<'static, 'static> {
    let mut context = Context::with_env(Arc::clone(env));
    context.add_variable_from_value("risk", moment.risk);
    if !reads.cart.is_empty() {
        context.add_variable_from_value("cart", cart(reads, inputs));
    }
    if !reads.shopper.is_empty() {
        context.add_variable_from_value("shopper", shopper(reads, inputs));
    }
    if reads.channel || !reads.attributes.is_empty() {
        context.add_variable_from_value("context", surroundings(reads, inputs, moment.channel));
    }
    context
}

fn cart(reads: &Reads, inputs: &Inputs) -> Value {
    let fields: HashMap<&str, Value> = reads
        .cart
        .iter()
        .map(|field| (field.as_str(), cart_field(field, inputs)))
        .collect();
    fields.into()
}

fn cart_field(field: &str, inputs: &Inputs) -> Value {
    match field {
        "value_minor" => Value::Int(inputs.value_minor()),
        "units" => Value::Int(inputs.lines.iter().map(units).sum()),
        "currency" => inputs.currency.as_str().into(),
        "categories" => distinct(inputs, |line| &line.category),
        "brands" => distinct(inputs, |line| &line.brand),
        _ => Value::from(inputs.lines.iter().map(line).collect::<Vec<_>>()),
    }
}

fn units(line: &Line) -> i64 {
    i64::from(line.quantity.max(1))
}

/// The different texts of the lines, in the order of the cart; empty ones left out.
fn distinct(inputs: &Inputs, of: impl Fn(&Line) -> &String) -> Value {
    let mut seen: Vec<&str> = Vec::new();
    for text in inputs.lines.iter().map(|line| of(line).as_str()) {
        if !text.is_empty() && !seen.contains(&text) {
            seen.push(text);
        }
    }
    seen.into()
}

fn line(line: &Line) -> Value {
    let fields: HashMap<&str, Value> = HashMap::from([
        ("item_id", line.item_id.as_str().into()),
        ("quantity", Value::Int(units(line))),
        ("price_minor", Value::Int(line.price_minor.max(0))),
        ("category", line.category.as_str().into()),
        ("brand", line.brand.as_str().into()),
    ]);
    fields.into()
}

fn shopper(reads: &Reads, inputs: &Inputs) -> Value {
    let mut known: HashMap<&str, f64> = HashMap::new();
    for name in &reads.shopper {
        if let Some(value) = inputs.shopper.get(name) {
            known.insert(name, *value);
        }
    }
    known.into()
}

fn surroundings(reads: &Reads, inputs: &Inputs, channel: &str) -> Value {
    let mut attributes: HashMap<&str, &str> = HashMap::new();
    for name in &reads.attributes {
        if let Some(value) = inputs.attributes.get(name) {
            attributes.insert(name, value);
        }
    }
    let fields: HashMap<&str, Value> = HashMap::from([
        ("channel", channel.into()),
        ("attributes", attributes.into()),
    ]);
    fields.into()
}

/// Carts to try a rule on when it is read: every name it reads exists in them.
pub(super) fn samples(reads: &Reads) -> [Inputs; 2] {
    let line = Line {
        item_id: "sample".to_owned(),
        quantity: 2,
        price_minor: 1000,
        category: "sample.category".to_owned(),
        brand: "sample".to_owned(),
        ..Line::default()
    };
    let sample = |lines, risk: f64, feature: f64, attribute: &str| Inputs {
        lines,
        currency: "EUR".to_owned(),
        risk,
        channel: "email".to_owned(),
        shopper: reads
            .shopper
            .iter()
            .map(|name| (name.clone(), feature))
            .collect(),
        attributes: reads
            .attributes
            .iter()
            .map(|name| (name.clone(), attribute.to_owned()))
            .collect::<BTreeMap<_, _>>(),
        ..Inputs::default()
    };
    [
        sample(Vec::new(), 0.0, 0.0, ""),
        sample(vec![line], 1.0, 1000.0, "1"),
    ]
}
