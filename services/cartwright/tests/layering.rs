//! The arrows between crates, as a table with reasons, held against `cargo metadata`.
//!
//! Dependencies of tests and benches are free; the rules are about what is shipped.

#![expect(clippy::expect_used, reason = "helpers of tests fail the test")]

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand};

/// Who may use a package, or what a crate must not reach.
#[derive(Debug)]
enum Rule {
    /// Of the workspace, only `users` may depend on `package` directly.
    Only {
        package: &'static str,
        users: &'static [&'static str],
        why: &'static str,
    },
    /// None of `crates` may depend on any of `on` directly.
    Never {
        crates: &'static [&'static str],
        on: &'static [&'static str],
        why: &'static str,
    },
    /// Nothing that `crates` depend on, however far, may be one of `on`. What lies behind a package
    /// of [`BEHIND_A_FEATURE`] does not count.
    Nowhere {
        crates: &'static [&'static str],
        on: &'static [&'static str],
        why: &'static str,
    },
}

use Rule::{Never, Nowhere, Only};

const DOMAIN: &[&str] = &[
    "feature-store",
    "ann-index",
    "retrieval",
    "ranking",
    "onnx",
    "policy",
    "snapshot",
    "trainer",
    "simulator",
];
const SERVICES: &[&str] = &[
    "kit",
    "generations",
    "features",
    "candidates",
    "recovery",
    "cartwright",
];
/// Programs beside the product that know it by its contract only. They have their place in the
/// table before they have a folder.
const TOOLS: &[&str] = &["loadtest"];
const ROLES: &[&str] = &["features", "candidates", "recovery"];
const GRPC: &[&str] = &[
    "tonic",
    "tonic-health",
    "tonic-reflection",
    "tonic-types",
    "tonic-prost",
    "tower",
    "axum",
    "proto",
];

/// Optional in the one crate that names it, and compiled in by those alone that say so: see
/// `only_who_serves_or_operates_compiles_the_registry_in`.
const BEHIND_A_FEATURE: &[&str] = &["object_store", "reqwest", "rustls"];

const RULES: &[Rule] = &[
    Only {
        package: "redis",
        users: &["feature-store"],
        why: "state has one owner; whoever else spoke to Redis would go past its one commit",
    },
    Only {
        package: "fjall",
        users: &["feature-store"],
        why: "the embedded store is one engine behind the same trait",
    },
    Only {
        package: "faiss-sys",
        users: &["ann-index"],
        why: "the one place with foreign code, behind one small trait",
    },
    Only {
        package: "cc",
        users: &["ann-index"],
        why: "compiling C++ is the other half of foreign code",
    },
    Only {
        package: "ann-index",
        users: &["retrieval", "candidates", "trainer"],
        why: "vectors are searched through retrieval; only what builds or serves an index sees it",
    },
    Only {
        package: "parquet",
        users: &["trainer"],
        why: "tables come in and go out where training is; serving ships no file formats",
    },
    Only {
        package: "opentelemetry",
        users: &["kit"],
        why: "a stage is a plain span; what becomes of it is decided in one place",
    },
    Only {
        package: "opentelemetry-otlp",
        users: &["kit"],
        why: "what leaves the process leaves in one place",
    },
    Only {
        package: "object_store",
        users: &["snapshot"],
        why: "what is published has one owner, which knows what may be seen half written",
    },
    Only {
        package: "reqwest",
        users: &["snapshot", "recovery"],
        why: "the client of the clouds, and of the shop's own webhook; whatever else is asked is asked over the contract",
    },
    Only {
        package: "tract-onnx",
        users: &["onnx"],
        why: "networks are read and run in one place, for rankers and for users' vectors",
    },
    Only {
        package: "onnx",
        users: &["ranking", "retrieval"],
        why: "a network is a ranker or makes a query; nobody else runs one",
    },
    Only {
        package: "cel",
        users: &["policy"],
        why: "rules are checked and bounded in one place",
    },
    Never {
        crates: DOMAIN,
        on: GRPC,
        why: "the domain has types of its own and can be used without a server",
    },
    Never {
        crates: DOMAIN,
        on: SERVICES,
        why: "libraries do not know who serves them",
    },
    Never {
        crates: &["proto"],
        on: DOMAIN,
        why: "the contract is for clients too; it must not drag the domain along",
    },
    Never {
        crates: &["proto", "kit", "generations"],
        on: ROLES,
        why: "what all roles share cannot depend on one of them",
    },
    Never {
        crates: &["kit"],
        on: &["generations"],
        why: "a service can be one without snapshots",
    },
    Never {
        crates: &["generations"],
        on: &[
            "feature-store",
            "ann-index",
            "retrieval",
            "ranking",
            "policy",
            "trainer",
            "simulator",
        ],
        why: "how a generation comes and goes does not depend on what is in it",
    },
    Never {
        crates: &["kit"],
        on: DOMAIN,
        why: "the shell of a service knows nothing of carts",
    },
    Never {
        crates: ROLES,
        on: &["features", "candidates", "recovery", "cartwright"],
        why: "roles meet over the contract only, so that each can run and be replaced alone",
    },
    Never {
        crates: ROLES,
        on: &["trainer", "simulator"],
        why: "serving must not wait for, or ship, what makes models",
    },
    Never {
        crates: &["features"],
        on: &["retrieval", "ranking", "policy", "snapshot"],
        why: "features serves what is known, not what is concluded",
    },
    Never {
        crates: &["candidates"],
        on: &["feature-store", "ranking", "policy"],
        why: "candidates reads features over the contract and knows no money",
    },
    Never {
        crates: &["retrieval", "ranking", "ann-index", "snapshot"],
        on: &["feature-store", "policy"],
        why: "finding and scoring know neither stores nor money",
    },
    Never {
        crates: &["feature-store"],
        on: &[
            "ann-index",
            "retrieval",
            "ranking",
            "policy",
            "snapshot",
            "trainer",
            "simulator",
        ],
        why: "state does not depend on models",
    },
    Never {
        crates: &["simulator"],
        on: &[
            "retrieval",
            "ranking",
            "policy",
            "snapshot",
            "trainer",
            "ann-index",
        ],
        why: "a shop that knew the models would confirm them",
    },
    Never {
        crates: &["policy"],
        on: &["feature-store", "ranking", "retrieval", "snapshot"],
        why: "a decision is a pure function of its inputs",
    },
    Never {
        crates: TOOLS,
        on: DOMAIN,
        why: "a load generator that shared code with the servers would share their mistakes",
    },
    Never {
        crates: TOOLS,
        on: SERVICES,
        why: "it measures what any client sees, so it has only what any client has",
    },
    Nowhere {
        crates: &[
            "policy",
            "ranking",
            "snapshot",
            "retrieval",
            "ann-index",
            "onnx",
        ],
        on: &["tokio", "redis", "fjall", "tonic", "axum"],
        why: "pure and synchronous all the way down: no IO runtime, no store, no server",
    },
    Nowhere {
        crates: &["policy", "feature-store", "proto", "kit"],
        on: &["faiss-sys"],
        why: "what needs no vectors builds without FAISS",
    },
];

/// Package to the packages that it ships with.
type Arrows = BTreeMap<String, BTreeSet<String>>;

fn arrows(metadata: &Metadata) -> Arrows {
    let name = |id| metadata[id].name.to_string();
    let resolve = metadata.resolve.as_ref().expect("a resolved graph");
    let mut arrows = Arrows::new();
    for node in &resolve.nodes {
        let shipped = node.deps.iter().filter(|dependency| {
            dependency
                .dep_kinds
                .iter()
                .any(|kind| kind.kind != DependencyKind::Development)
        });
        let targets = shipped.map(|dependency| name(&dependency.pkg));
        arrows.entry(name(&node.id)).or_default().extend(targets);
    }
    arrows
}

fn members(metadata: &Metadata) -> BTreeSet<String> {
    metadata
        .workspace_packages()
        .iter()
        .map(|package| package.name.to_string())
        .collect()
}

/// Everything that can be reached from a package.
fn reach<'a>(arrows: &'a Arrows, from: &str) -> BTreeSet<&'a str> {
    let mut seen = BTreeSet::new();
    let mut waiting: Vec<&str> = vec![from];
    while let Some(package) = waiting.pop() {
        for next in arrows.get(package).into_iter().flatten() {
            if seen.insert(next.as_str()) && !BEHIND_A_FEATURE.contains(&next.as_str()) {
                waiting.push(next);
            }
        }
    }
    seen
}

fn violations(arrows: &Arrows, members: &BTreeSet<String>, rules: &[Rule]) -> Vec<String> {
    let uses = |who: &str, what: &str| arrows.get(who).is_some_and(|on| on.contains(what));
    let mut found = Vec::new();
    for rule in rules {
        match rule {
            Only {
                package,
                users,
                why,
            } => {
                let others = members.iter().filter(|m| !users.contains(&m.as_str()));
                for member in others.filter(|member| uses(member, package)) {
                    found.push(format!("{member} -> {package}: {why}"));
                }
            }
            Never { crates, on, why } => {
                for (who, what) in pairs(crates, on).filter(|(who, what)| uses(who, what)) {
                    found.push(format!("{who} -> {what}: {why}"));
                }
            }
            Nowhere { crates, on, why } => {
                for (who, what) in pairs(crates, on) {
                    if reach(arrows, who).contains(what) {
                        found.push(format!("{who} -> … -> {what}: {why}"));
                    }
                }
            }
        }
    }
    found
}

fn pairs<'a>(
    crates: &'a [&'static str],
    on: &'a [&'static str],
) -> impl Iterator<Item = (&'static str, &'static str)> + 'a {
    let all = crates
        .iter()
        .flat_map(|who| on.iter().map(|what| (*who, *what)));
    all.filter(|(who, what)| who != what)
}

fn metadata() -> Metadata {
    MetadataCommand::new().exec().expect("cargo metadata runs")
}

#[test]
fn the_arrows_point_where_the_design_says() {
    let metadata = metadata();
    let found = violations(&arrows(&metadata), &members(&metadata), RULES);
    assert!(found.is_empty(), "forbidden arrows:\n{}", found.join("\n"));
}

#[test]
fn the_rules_name_crates_that_exist() {
    let metadata = metadata();
    let members = members(&metadata);
    let mut known: BTreeSet<String> = metadata
        .packages
        .iter()
        .map(|package| package.name.to_string())
        .collect();
    known.insert("cc".to_owned());
    for rule in RULES {
        match rule {
            Only { package, users, .. } => {
                assert!(known.contains(*package), "{package}");
                assert!(
                    users.iter().all(|user| members.contains(*user)),
                    "{users:?}"
                );
            }
            Never { crates, on, .. } | Nowhere { crates, on, .. } => {
                let exists = |who: &&str| members.contains(*who) || TOOLS.contains(who);
                assert!(crates.iter().all(exists), "{crates:?}");
                assert!(on.iter().all(|what| known.contains(*what)), "{on:?}");
            }
        }
    }
    let ruled: BTreeSet<&str> = DOMAIN
        .iter()
        .chain(SERVICES)
        .chain(TOOLS)
        .copied()
        .chain(["proto"])
        .collect();
    let unruled: Vec<&String> = members
        .iter()
        .filter(|m| !ruled.contains(m.as_str()))
        .collect();
    assert!(
        unruled.is_empty(),
        "new crates without a place in the table: {unruled:?}"
    );
}

#[test]
fn every_rule_can_fail() {
    let members: BTreeSet<String> = DOMAIN
        .iter()
        .chain(SERVICES)
        .chain(TOOLS)
        .map(ToString::to_string)
        .chain(["proto".to_owned()])
        .collect();
    for rule in RULES {
        let (who, what) = match rule {
            Only { package, users, .. } => {
                let other = members.iter().find(|m| !users.contains(&m.as_str()));
                (other.expect("not everybody may"), *package)
            }
            Never { crates, on, .. } | Nowhere { crates, on, .. } => {
                let (who, what) = pairs(crates, on).next().expect("a pair");
                (members.get(who).expect("a member"), what)
            }
        };
        // One step, and for the rules about all steps one package in between.
        let mut arrows = Arrows::new();
        if matches!(rule, Nowhere { .. }) {
            arrows.insert(who.clone(), ["between".to_owned()].into());
            arrows.insert("between".to_owned(), [what.to_owned()].into());
        } else {
            arrows.insert(who.clone(), [what.to_owned()].into());
        }
        let found = violations(&arrows, &members, std::slice::from_ref(rule));
        assert_eq!(found.len(), 1, "{rule:?} does not see {who} -> {what}");
    }
}

#[test]
fn only_who_keeps_state_compiles_the_stores_in() {
    let metadata = metadata();
    for package in metadata.workspace_packages() {
        let shipped = package.dependencies.iter().filter(|dependency| {
            dependency.name == "feature-store" && dependency.kind != DependencyKind::Development
        });
        for dependency in shipped {
            let engines = dependency.uses_default_features || !dependency.features.is_empty();
            let may = ["features", "recovery", "cartwright"].contains(&package.name.as_str());
            assert!(
                may || !engines,
                "{} enables {:?}",
                package.name,
                dependency.features
            );
        }
    }
}

#[test]
fn only_who_serves_or_operates_compiles_the_registry_in() {
    let metadata = metadata();
    let features = |name: &str| {
        let package = metadata.workspace_packages().into_iter();
        let mut snapshots = package.filter(|package| package.name == name);
        snapshots.next().expect("a member").features.clone()
    };
    let defaults = features("snapshot").get("default").cloned();
    assert_eq!(defaults.unwrap_or_default(), Vec::<String>::new());
    for package in metadata.workspace_packages() {
        let shipped = package.dependencies.iter().filter(|dependency| {
            dependency.name == "snapshot" && dependency.kind != DependencyKind::Development
        });
        for dependency in shipped {
            let registry = dependency.features.iter().any(|one| one == "registry");
            let may = ["generations", "candidates", "recovery", "cartwright"]
                .contains(&package.name.as_str());
            assert!(may || !registry, "{} enables the registry", package.name);
        }
    }
}
