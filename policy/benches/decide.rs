//! What one decision costs: a usual cart of four lines and six arms, without and with six rules.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use policy::{Inputs, Line, Policy};

const RULES: [&str; 6] = [
    "cart.value_minor >= 5000",
    "risk >= 0.5 && cart.units < 20",
    "cart.lines.exists(l, l.price_minor > 2000)",
    "\"clothing.shoes\" in cart.categories",
    "shopper.purchases_30d < 3.0",
    "context.channel == \"email\" && context.attributes.campaign == \"spring\"",
];

/// Six arms: the five of the shipped file and nothing, then one reminder more for the sixth rule.
fn file(with_rules: bool) -> String {
    let mut rules = RULES.iter();
    let mut file = String::new();
    let extra = "[[arm]]\nname = \"again\"\naction = \"reminder\"\nrecovery = 0.02\n";
    for line in format!("{}{extra}", Policy::DEFAULT)
        .lines()
        .filter(|l| !l.starts_with("when"))
    {
        file += &format!("{line}\n");
        if let (true, Some(rule)) = (
            with_rules && line.starts_with("recovery"),
            rules.as_slice().first(),
        ) {
            rules.next();
            file += &format!("when = '{rule}'\n");
        }
    }
    file
}

fn inputs() -> Inputs {
    let line = |number: i64| Line {
        item_id: format!("item-{number}"),
        quantity: 1,
        price_minor: 1_990 * (number + 1),
        cost_minor: (number != 2).then_some(900 * (number + 1)),
        category: if number % 2 == 0 {
            "clothing.shoes"
        } else {
            "kitchen.coffee"
        }
        .to_owned(),
        brand: "Alba".to_owned(),
        ..Line::default()
    };
    Inputs {
        lines: (0..4).map(line).collect(),
        currency: "EUR".to_owned(),
        risk: 0.81,
        consented_channels: vec!["email".to_owned()],
        messages_7d: 1,
        shopper: [("purchases_30d".to_owned(), 1.0)].into(),
        attributes: [("campaign".to_owned(), "spring".to_owned())].into(),
        ..Inputs::default()
    }
}

fn decide(criterion: &mut Criterion) {
    let inputs = inputs();
    for (name, with_rules) in [("decide/plain", false), ("decide/six_rules", true)] {
        let Ok(policy) = Policy::parse(&file(with_rules)) else {
            continue;
        };
        criterion.bench_function(name, |bencher| {
            bencher.iter(|| policy.decide(black_box(&inputs), 0));
        });
    }
    criterion.bench_function("inputs/encode", |bencher| {
        bencher.iter(|| black_box(&inputs).encode())
    });
    criterion.bench_function("file/parse_default", |bencher| {
        bencher.iter(|| Policy::parse(black_box(Policy::DEFAULT)).is_ok());
    });
}

criterion_group!(benches, decide);
criterion_main!(benches);
