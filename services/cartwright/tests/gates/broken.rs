//! What is whole and wrong inside.

use serde_json::json;
use snapshot::{TensorData, gates};

use crate::shop::{World, good};
use crate::surgery::{Parts, narrower, wider};

struct Case {
    name: &'static str,
    gate: &'static str,
    harm: fn(&mut Parts),
}

const ITEMS: &str = "items.jsonl";
const COLLAB: &str = "embeddings/collab.safetensors";
const TEXT: &str = "embeddings/text.safetensors";
const QUERIES: &str = "queries/collab.safetensors";
const RETRIEVE: &str = "golden/retrieve.jsonl";

const fn case(name: &'static str, gate: &'static str, harm: fn(&mut Parts)) -> Case {
    Case { name, gate, harm }
}

const CASES: &[Case] = &[
    case("an item twice", "items", |parts| {
        parts.lines(ITEMS, |lines| lines[3] = lines[2].clone());
    }),
    case("items out of order", "items", |parts| {
        parts.lines(ITEMS, |lines| lines.swap(2, 3));
    }),
    case("an item too few", "items", |parts| {
        parts.lines(ITEMS, |lines| drop(lines.pop()));
    }),
    case("items of another shop", "items", |parts| {
        parts.lines(ITEMS, |lines| {
            for (line, at) in lines.iter_mut().zip(0..) {
                let mut item: serde_json::Value = serde_json::from_str(line).unwrap();
                item["item_id"] = json!(format!("foreign-{at:06}"));
                *line = item.to_string();
            }
        });
    }),
    case("a line that is no item", "items", |parts| {
        parts.lines(ITEMS, |lines| lines[5] = "{\"item\":".to_owned());
    }),
    case("a neighbour beyond the catalogue", "items", |parts| {
        parts.ordinals("covisitation.safetensors", "neighbours", |all| {
            all[0] = 1_000_000
        });
    }),
    case("a session with a foreign item", "items", |parts| {
        parts.ordinals("sessions.safetensors", "items", |all| all[0] = 1_000_000);
    }),
    case("popularity of fewer items", "items", |parts| {
        parts.tensor("popularity.safetensors", "scores", |shape, data| {
            let TensorData::F32(values) = data else {
                panic!()
            };
            values.pop();
            shape[0] -= 1;
        });
    }),
    case("a vector too few", "items", |parts| {
        parts.tensor(COLLAB, "items", |shape, data| narrower(shape, data, 0));
    }),
    case(
        "vectors of another dimension than the manifest's",
        "dimension",
        |parts| {
            parts.manifest.spaces[0].dimension += 1;
        },
    ),
    case(
        "a system of another dimension than its vectors",
        "dimension",
        |parts| {
            parts.tensor(COLLAB, "gram", |shape, data| {
                narrower(shape, data, 1);
                narrower(shape, data, 0);
            });
        },
    ),
    case(
        "held-out carts of another dimension",
        "dimension",
        |parts| {
            parts.tensor(QUERIES, "queries", |shape, data| narrower(shape, data, 1));
        },
    ),
    case("a vector that is not a number", "vectors", |parts| {
        parts.floats(COLLAB, "items", |all| all[7] = f32::NAN);
    }),
    case("an infinite vector", "vectors", |parts| {
        parts.floats(COLLAB, "items", |all| all[7] = f32::INFINITY);
    }),
    case("a text vector that is too long", "vectors", |parts| {
        parts.floats(TEXT, "items", |all| all.iter_mut().for_each(|x| *x *= 2.0));
    }),
    case("features of another server", "schema", |parts| {
        parts.manifest.schema_fingerprint = "0123456789abcdef".to_owned();
    }),
    case("larger than memory", "memory", |parts| {
        parts.manifest.resident_bytes = 1 << 50;
    }),
    case("a golden score that is off", "golden", |parts| {
        parts.line(RETRIEVE, 0, |line| {
            let score = line["answer"][0][1].as_f64().unwrap();
            line["answer"][0][1] = json!(score + 1e-3);
        });
    }),
    case("golden items in another order", "golden", |parts| {
        parts.line(RETRIEVE, 1, |line| {
            let answer = line["answer"].as_array_mut().unwrap();
            answer.swap(0, 1);
        });
    }),
    case("a golden answer cut short", "golden", |parts| {
        parts.line(RETRIEVE, 2, |line| {
            drop(line["answer"].as_array_mut().unwrap().pop())
        });
    }),
    case("a golden line that is no request", "golden", |parts| {
        parts.lines(RETRIEVE, |lines| lines[4] = "{}".to_owned());
    }),
    case("a golden risk that is off", "golden", |parts| {
        parts.line("golden/risk.jsonl", 0, |line| {
            line["risk"] = json!(line["risk"].as_f64().unwrap() + 0.01);
        });
    }),
    case("a golden decision of another value", "golden", |parts| {
        parts.line("golden/policy.jsonl", 0, |line| {
            line["decision"]["value"] = json!(line["decision"]["value"].as_f64().unwrap() + 5.0);
        });
    }),
    case(
        "a ranker that reads an unknown column",
        "features",
        |parts| {
            parts
                .files
                .insert(RANKER.to_owned(), linear(&["fused", "colour"], 2));
        },
    ),
    case(
        "a ranker that reads an unknown feature",
        "features",
        |parts| {
            parts.files.insert(
                RANKER.to_owned(),
                linear(&["fused", "item.view_count_24hh"], 2),
            );
        },
    ),
    case("a ranker with one input too many", "features", |parts| {
        parts
            .files
            .insert(RANKER.to_owned(), linear(&["fused", "place"], 3));
    }),
    case(
        "a forest that asks for an input it has not",
        "features",
        |parts| {
            parts.files.insert(RANKER.to_owned(), forest(1, 7));
        },
    ),
    case("a ranker that is no JSON", "load", |parts| {
        parts.files.insert(RANKER.to_owned(), b"tree".to_vec());
    }),
    case("a policy with a mistake", "load", |parts| {
        parts
            .files
            .insert("policy.toml".to_owned(), b"[actions".to_vec());
    }),
    case("no risk model", "load", |parts| {
        parts.files.remove("risk.json");
    }),
    case("worse recall", "recall", |parts| {
        parts.ordinals(QUERIES, "neighbours", |all| {
            let items = all
                .iter()
                .copied()
                .filter(|id| *id != u32::MAX)
                .max()
                .unwrap();
            for id in all.iter_mut().filter(|id| **id != u32::MAX).step_by(9) {
                *id = (*id + items / 2) % items;
            }
        });
    }),
    case("worse quality", "quality", |parts| {
        let board = parts.manifest.leaderboard.as_mut().unwrap();
        board.rows.iter_mut().for_each(|row| row.mrr *= 0.5);
    }),
    case("quality that was not measured", "quality", |parts| {
        parts.manifest.leaderboard = None;
        parts.manifest.quality.clear();
    }),
    case(
        "a tower of another run than the vectors",
        "tower",
        |parts| {
            parts.tower("text", "run-6");
        },
    ),
    case("a tower for vectors of no known run", "tower", |parts| {
        parts.tower("text", "run-7");
        let mut spaces = parts.manifest.spaces.iter_mut();
        spaces.find(|one| one.name == "text").unwrap().tower = None;
    }),
    case("a tower that is no network", "load", |parts| {
        parts.tower("text", "run-7");
        let noise = vec![0x5a; 4_000];
        parts.files.insert("tower/text.onnx".to_owned(), noise);
    }),
    case(
        "an index that is slower than the live one",
        "latency",
        |parts| {
            const WIDTH: usize = 8_192;
            parts.tensor(TEXT, "items", |shape, data| wider(shape, data, WIDTH));
            let mut spaces = parts.manifest.spaces.iter_mut();
            let text = spaces.find(|one| one.name == "text").unwrap();
            text.dimension = u32::try_from(WIDTH).unwrap();
            if let Some(index) = text.index.take() {
                parts.files.remove(&index);
            }
            parts.manifest.probes.retain(|row| row.space != "text");
        },
    ),
    case("a slow ranker", "latency", |parts| {
        parts.files.insert(RANKER.to_owned(), forest(9_000, 0));
    }),
];

const RANKER: &str = "ranker.json";

fn linear(columns: &[&str], weights: usize) -> Vec<u8> {
    let ones = vec![1.0; weights];
    let file = json!({"columns": columns, "means": vec![0.0; columns.len()],
        "scales": vec![1.0; columns.len()], "weights": ones, "note": "a test"});
    file.to_string().into_bytes()
}

/// Trees of four leaves over one column.
fn forest(trees: usize, feature: usize) -> Vec<u8> {
    let split = |below: f64, left: usize| {
        json!({"split": {"feature": feature, "below": below, "missing": "left",
            "left": left, "right": left + 1}})
    };
    let leaf = json!({"leaf": 0.5});
    let nodes = json!([
        split(0.5, 1),
        split(0.25, 3),
        split(0.75, 5),
        leaf,
        leaf,
        leaf,
        leaf
    ]);
    let all: Vec<_> = (0..trees).map(|_| json!({"nodes": nodes})).collect();
    let forest = json!({"format": "cartwright-forest", "version": 1, "features": ["fused"],
        "base_score": 0.0, "trees": all});
    json!({"kind": "forest", "note": "a test", "forest": forest})
        .to_string()
        .into_bytes()
}

#[test]
fn each_is_refused_by_the_gate_that_should_and_passes_when_exactly_that_is_forced() {
    let world = World::new();
    for case in CASES {
        let mut parts = Parts::of(good());
        (case.harm)(&mut parts);
        let broken = parts.build(&world.path(case.name));
        let published = world.publish(broken.dir());
        assert!(published.ok, "{}: {published:?}", case.name);
        let before = world.history().len();

        let said = world.activate(broken.id(), &[]);
        assert!(!said.ok, "{} went live", case.name);
        assert_eq!(said.refusing(), [case.gate], "{}: {said:?}", case.name);
        assert!(said.err.contains(case.gate), "{}: {said:?}", case.name);
        assert_eq!(world.live(), good().id(), "{}", case.name);

        let others: Vec<&str> = gates::FORCEABLE
            .into_iter()
            .filter(|g| *g != case.gate)
            .collect();
        let said = world.activate(broken.id(), &others);
        assert!(!said.ok, "{} went live past other gates", case.name);
        assert_eq!(world.history().len(), before, "{}", case.name);

        if gates::can_be_forced(case.gate) {
            let said = world.activate(broken.id(), &[case.gate]);
            assert!(said.ok, "{}: {said:?}", case.name);
            let record = world.history().pop().unwrap();
            assert_eq!(record["snapshot"], broken.id());
            assert_eq!(record["forced"], json!([case.gate]), "{}", case.name);
            assert!(world.rollback(&[]).ok);
        }
        assert_eq!(world.live(), good().id(), "{}", case.name);
    }
}

#[test]
fn a_tower_of_the_run_of_the_vectors_passes() {
    let world = World::new();
    let mut parts = Parts::of(good());
    parts.tower("text", "run-7");
    let towered = parts.build(&world.path("towered"));
    assert!(world.publish(towered.dir()).ok);
    let said = world.activate(towered.id(), &[]);
    assert!(said.ok, "{said:?}");
    let verdicts = said.json()["verdicts"].as_array().unwrap().clone();
    let tower = verdicts.iter().find(|one| one["gate"] == "tower").unwrap();
    assert_eq!(tower["measured"], "text: the network is of run-7");
    assert_eq!(world.live(), towered.id());
}

#[test]
fn what_was_taken_back_stays_away_until_it_is_forced() {
    let world = World::new();
    let mut parts = Parts::of(good());
    parts.manifest.notes.push("another one".to_owned());
    let other = parts.build(&world.path("other"));
    world.publish(other.dir());
    assert!(world.activate(other.id(), &[]).ok);
    assert!(world.rollback(&["--block"]).ok);
    let said = world.activate(other.id(), &[]);
    assert_eq!(said.refusing(), ["blocked"]);
    assert_eq!(world.live(), good().id());
    assert!(world.activate(other.id(), &["blocked"]).ok);
    assert_eq!(world.live(), other.id());
}

#[test]
fn a_good_one_passes_twenty_times_in_a_row() {
    let world = World::new();
    for at in 0..20 {
        let mut parts = Parts::of(good());
        parts.manifest.notes.push(format!("generation {at}"));
        let next = parts.build(&world.path(&format!("good {at}")));
        assert!(world.publish(next.dir()).ok);
        let said = world.activate(next.id(), &[]);
        assert!(said.ok, "{at}: {said:?}");
        assert_eq!(world.live(), next.id());
    }
}
