//! A forest answers as a walk down its trees by hand does, whatever is asked at once, and a file of
//! one is either right or refused with a reason.

#![allow(
    clippy::unwrap_used,
    clippy::cast_precision_loss,
    reason = "a test may fail loudly"
)]

use proptest::prelude::*;
use ranking::Forest;
use ranking::forest::{Node, Side, Split, Tree};

/// The definition, node by node.
fn walk(tree: &Tree, at: u32, row: &[f32]) -> f64 {
    match &tree.nodes[at as usize] {
        Node::Leaf(value) => *value,
        Node::Split(split) => {
            let value = row[split.feature as usize];
            let is_left = if value.is_nan() {
                split.missing == Side::Left
            } else {
                value < split.below
            };
            walk(tree, if is_left { split.left } else { split.right }, row)
        }
    }
}

fn by_hand(forest: &Forest, row: &[f32]) -> f64 {
    let trees = forest.trees().iter();
    trees.fold(forest.base_score(), |sum, tree| sum + walk(tree, 0, row))
}

fn score(forest: &Forest, rows: &[Vec<f32>]) -> Vec<f64> {
    let mut scores = vec![0.0; rows.len()];
    let columns = forest.features().len();
    forest
        .score_rows(&rows.concat(), columns, &mut scores)
        .unwrap();
    scores
}

fn bits(scores: &[f64]) -> Vec<u64> {
    scores.iter().map(|score| score.to_bits()).collect()
}

fn number(at: usize) -> u32 {
    u32::try_from(at).unwrap()
}

fn named(count: usize) -> Vec<String> {
    (0..count).map(|at| format!("f{at}")).collect()
}

/// Values that meet thresholds, each other's signs, and the ends of what a float can be.
fn value() -> impl Strategy<Value = f32> {
    prop_oneof![
        4 => prop::sample::select(vec![-2.0, -1.0, -0.0, 0.0, 0.5, 1.0, 2.0]),
        2 => any::<f32>(),
        2 => Just(f32::NAN),
        1 => prop::sample::select(vec![
            f32::INFINITY, f32::NEG_INFINITY, f32::MAX, f32::MIN, f32::MIN_POSITIVE, 1e-45, -1e-45,
        ]),
    ]
}

fn threshold() -> impl Strategy<Value = f32> {
    value().prop_map(|value| if value.is_finite() { value } else { 0.0 })
}

/// Grown one split at a time at a leaf picked at random: bushy or, when always at the last leaf,
/// as deep as it has splits.
fn tree(features: u32) -> impl Strategy<Value = Tree> {
    let split = (
        any::<prop::sample::Index>(),
        0..features,
        threshold(),
        any::<bool>(),
    );
    let leaf = prop_oneof![3 => -5.0_f64..5.0, 1 => Just(-0.0), 1 => Just(1e14)];
    let splits = prop::collection::vec((split, leaf), 0..60);
    (splits, any::<bool>(), any::<bool>()).prop_map(|(splits, is_chain, is_reversed)| {
        let mut tree = Tree::leaf(0.25);
        let mut leaves = vec![0_usize];
        for ((pick, feature, below, is_left), value) in splits {
            let place = if is_chain {
                leaves.len() - 1
            } else {
                pick.index(leaves.len())
            };
            let at = leaves.remove(place);
            let new = tree.nodes.len();
            let mut children = [number(new), number(new + 1)];
            if is_reversed {
                children.reverse();
            }
            tree.nodes[at] = Node::Split(Split {
                feature,
                below,
                missing: if is_left { Side::Left } else { Side::Right },
                left: children[0],
                right: children[1],
            });
            tree.nodes.push(Node::Leaf(value));
            tree.nodes.push(Node::Leaf(-value));
            leaves.extend([new, new + 1]);
        }
        tree
    })
}

fn forest() -> impl Strategy<Value = Forest> {
    let trees = prop::collection::vec(tree(5), 0..12);
    (trees, -3.0_f64..3.0).prop_map(|(trees, base)| Forest::new(named(5), base, trees).unwrap())
}

fn rows() -> impl Strategy<Value = Vec<Vec<f32>>> {
    prop::collection::vec(prop::collection::vec(value(), 5), 0..300)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn answers_as_a_walk_by_hand_does(forest in forest(), rows in rows()) {
        let expected: Vec<f64> = rows.iter().map(|row| by_hand(&forest, row)).collect();
        prop_assert_eq!(bits(&score(&forest, &rows)), bits(&expected));
    }

    #[test]
    fn a_score_does_not_depend_on_what_is_scored_with_it(
        forest in forest(), rows in rows(), size in 1_usize..40,
    ) {
        let together = score(&forest, &rows);
        let apart: Vec<f64> = rows.chunks(size).flat_map(|some| score(&forest, some)).collect();
        prop_assert_eq!(bits(&together), bits(&apart));
    }

    #[test]
    fn reads_what_it_wrote(forest in forest()) {
        let json = forest.to_json().unwrap();
        let read = Forest::parse(&json).unwrap();
        prop_assert_eq!(&read, &forest);
        prop_assert_eq!(read.to_json().unwrap(), json);
    }

    #[test]
    fn a_damaged_file_is_read_or_refused_and_never_ends_the_process(
        forest in forest(), rows in rows(), at in any::<prop::sample::Index>(), byte in any::<u8>(),
    ) {
        let mut json = forest.to_json().unwrap().into_bytes();
        let at = at.index(json.len());
        json[at] = byte;
        if let Ok(read) = Forest::parse(&String::from_utf8_lossy(&json)) {
            // Only a name or a number can have changed.
            let scores = score(&read, &rows);
            prop_assert!(scores.iter().all(|score| score.is_finite()));
        }
    }
}

#[test]
fn every_depth_has_a_layout_that_answers_right() {
    for depth in 0..14_u32 {
        let tree = full(depth);
        let forest = Forest::new(named(3), 0.0, vec![tree]).unwrap();
        let rows: Vec<Vec<f32>> = (0..97_u32)
            .map(|row| {
                (0..3)
                    .map(|at| ((row * 31 + at * 17) % 101) as f32)
                    .collect()
            })
            .collect();
        let expected: Vec<f64> = rows.iter().map(|row| by_hand(&forest, row)).collect();
        assert_eq!(
            bits(&score(&forest, &rows)),
            bits(&expected),
            "depth {depth}"
        );
    }
}

/// 2^depth leaves, each of another value.
fn full(depth: u32) -> Tree {
    let splits = (1_u32 << depth) - 1;
    let split = |at: u32| {
        Node::Split(Split {
            feature: at % 3,
            below: ((at * 37) % 101) as f32,
            missing: Side::Right,
            left: 2 * at + 1,
            right: 2 * at + 2,
        })
    };
    let leaves = (0..=splits).map(|at| Node::Leaf(f64::from(at) + 0.5));
    Tree {
        nodes: (0..splits).map(split).chain(leaves).collect(),
    }
}

#[test]
fn a_forest_without_features_adds_its_leaves() {
    let trees = vec![Tree::leaf(0.5), Tree::leaf(0.25)];
    let forest = Forest::new(Vec::new(), 1.0, trees).unwrap();
    let mut scores = [0.0; 3];
    forest.score_rows(&[], 0, &mut scores).unwrap();
    assert_eq!(bits(&scores), bits(&[1.75; 3]));
}

#[test]
fn refuses_rows_of_another_shape() {
    let forest = Forest::new(named(2), 0.0, Vec::new()).unwrap();
    let mut scores = [0.0; 2];
    let problem = forest.score_rows(&[0.0; 6], 3, &mut scores).unwrap_err();
    assert_eq!(
        problem.to_string(),
        "a row of the forest has 3 values, 2 expected: one per name"
    );
    assert!(forest.score_rows(&[0.0; 5], 2, &mut scores).is_err());
}

fn file(trees: &str) -> String {
    format!(
        r#"{{"format":"cartwright-forest","version":1,"features":["a","b"],"base_score":0,"trees":{trees}}}"#
    )
}

fn problem(json: &str) -> String {
    let error = Forest::parse(json).unwrap_err();
    match std::error::Error::source(&error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

#[test]
fn a_bad_tree_is_named_with_its_node_and_its_fault() {
    let split = |feature: i64, left: i64, right: i64| {
        format!(
            r#"{{"split":{{"feature":{feature},"below":1,"missing":"left","left":{left},"right":{right}}}}}"#
        )
    };
    let tree = |nodes: &[String]| file(&format!(r#"[{{"nodes":[{}]}}]"#, nodes.join(",")));
    let leaf = || r#"{"leaf":1}"#.to_owned();
    let cases = [
        (
            tree(&[]),
            "tree 0: node 0 is missing: a tree has at least a leaf",
        ),
        (
            tree(&[split(2, 1, 2), leaf(), leaf()]),
            "tree 0: node 0 asks for feature 2, the forest has 2",
        ),
        (
            tree(&[split(0, 1, 3), leaf(), leaf()]),
            "tree 0: node 0 leads to node 3, the tree has 3",
        ),
        (
            tree(&[split(0, 0, 1), leaf()]),
            "tree 0: node 0 is reached on two ways",
        ),
        (
            tree(&[split(0, 1, 1), leaf()]),
            "tree 0: node 1 is reached on two ways",
        ),
        (
            tree(&[leaf(), split(0, 2, 1), leaf()]),
            "tree 0: node 1 is not reached from the root",
        ),
        (
            tree(&[r#"{"leaf":1e300}"#.to_owned()]),
            "tree 0: node 0 is a leaf of 1",
        ),
    ];
    for (json, expected) in cases {
        let problem = problem(&json);
        assert!(problem.starts_with(expected), "{problem}");
    }
}

#[test]
fn a_file_of_another_kind_is_refused() {
    let sound = file(r#"[{"nodes":[{"leaf":1}]}]"#);
    assert!(Forest::parse(&sound).is_ok());
    let cases = [
        (
            "cartwright-forest",
            "oak",
            "format names \"oak\", \"cartwright-forest\" is read here",
        ),
        (
            "\"version\":1",
            "\"version\":2",
            "version holds 2, 1 is allowed",
        ),
        (
            "\"b\"",
            "\"a\"",
            "features names \"a\", names of 1 to 256 bytes, each once",
        ),
        (
            "\"b\"",
            "\"\"",
            "features names \"\", names of 1 to 256 bytes, each once",
        ),
        (
            "leaf",
            "guess",
            "the model is not valid JSON of its format: unknown variant `guess`",
        ),
        (
            "\"base_score\":0",
            "\"base_score\":1e16",
            "base_score holds 10000000000000000",
        ),
        (
            "\"base_score\":0",
            "\"base_score\":0,\"more\":1",
            "the model is not valid JSON of its format: unknown field",
        ),
    ];
    for (from, to, expected) in cases {
        let problem = problem(&sound.replacen(from, to, 1));
        assert!(problem.starts_with(expected), "{problem}");
    }
}

#[test]
fn a_list_of_features_without_end_is_refused() {
    let problem = Forest::new(named(5_000), 0.0, Vec::new()).unwrap_err();
    assert_eq!(
        problem.to_string(),
        "features: 5000, at most 4096 are allowed"
    );
}

#[test]
fn a_threshold_is_a_number() {
    for below in [f32::NAN, f32::INFINITY] {
        let mut tree = full(1);
        if let Node::Split(split) = &mut tree.nodes[0] {
            split.below = below;
        }
        let problem = Forest::new(named(3), 0.0, vec![tree]).unwrap_err();
        assert_eq!(
            problem.to_string(),
            format!("tree 0: node 0 splits below {below}, a finite number is allowed")
        );
    }
}
