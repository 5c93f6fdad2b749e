use super::*;

/// Rows of three columns: two that matter, the second often missing, and noise.
fn invented(rows: usize, seed: u64, label: impl Fn(&[f32]) -> f64) -> Examples {
    let mut random = SplitMix64::new(seed);
    let mut examples = Examples::default();
    for _ in 0..rows {
        #[expect(clippy::cast_possible_truncation, reason = "a test needs no more")]
        let mut row = [0; 3].map(|_| random.unit() as f32);
        if random.unit() < 0.3 {
            row[1] = f32::NAN;
        }
        examples.labels.push(label(&row));
        examples.values.extend(row);
    }
    examples
}

fn names() -> Vec<String> {
    ["a", "b", "noise"].map(str::to_owned).to_vec()
}

fn quick(objective: Objective) -> Settings {
    Settings {
        objective,
        trees: 80,
        rate: 0.1,
        ..Settings::default()
    }
}

fn scores(forest: &Forest, examples: &Examples) -> Vec<f64> {
    let mut scores = vec![0.0; examples.len()];
    forest.score_rows(&examples.values, 3, &mut scores).unwrap();
    scores
}

/// A missing `b` counts as a high one, so that its side must be learned.
fn both_or_neither(row: &[f32]) -> f64 {
    f64::from(u8::from((row[0] < 0.5) == (row[1] < 0.4)))
}

#[test]
fn learns_what_no_column_tells_alone() {
    let train = invented(4_000, 1, both_or_neither);
    let fresh = invented(1_000, 2, both_or_neither);
    let boosted = boost(&names(), &train, None, &quick(Objective::Logistic)).unwrap();
    let right = scores(&boosted.forest, &fresh)
        .iter()
        .zip(&fresh.labels)
        .filter(|(score, label)| (**score > 0.0) == (**label > 0.5))
        .count();
    assert!(right > 970, "{right} of 1000");
    assert!(
        boosted.gains[0] > 10.0 * boosted.gains[2] && boosted.gains[1] > 10.0 * boosted.gains[2]
    );
}

#[test]
fn learns_a_number() {
    let of = |row: &[f32]| 3.0 * f64::from(row[0]) + if row[1] > 0.5 { 10.0 } else { 0.0 };
    let train = invented(4_000, 1, of);
    let fresh = invented(1_000, 2, of);
    let boosted = boost(&names(), &train, None, &quick(Objective::Squared)).unwrap();
    let found = scores(&boosted.forest, &fresh);
    let apart = found.iter().zip(&fresh.labels);
    let apart = apart
        .map(|(found, truth)| (found - truth).abs())
        .sum::<f64>()
        / 1_000.0;
    assert!(apart < 0.1, "{apart}");
}

/// Groups of ten; worth showing is the row where `a` and `b` are near each other.
fn groups(count: usize, seed: u64) -> Examples {
    let mut examples = invented(10 * count, seed, |_| 0.0);
    examples.groups = vec![10; count];
    for group in 0..count {
        let distance = |row: usize| {
            let (a, b) = (examples.values[3 * row], examples.values[3 * row + 1]);
            if b.is_nan() { 1.0 } else { (a - b).abs() }
        };
        let nearest = (10 * group..10 * group + 10)
            .min_by(|a, b| distance(*a).total_cmp(&distance(*b)))
            .unwrap();
        examples.labels[nearest] = 1.0;
    }
    examples
}

#[test]
fn learns_an_order() {
    let (train, fresh) = (groups(800, 1), groups(200, 2));
    for objective in [Objective::ListNet, Objective::LambdaRank] {
        let boosted = boost(&names(), &train, None, &quick(objective)).unwrap();
        let found = loss::loss(
            Objective::LambdaRank,
            &fresh,
            &scores(&boosted.forest, &fresh),
        );
        let unordered = loss::loss(Objective::LambdaRank, &fresh, &vec![0.0; fresh.len()]);
        assert!(
            found < 0.15 && unordered > 0.4,
            "{objective:?}: {found} of {unordered}"
        );
    }
}

#[test]
fn the_forest_says_what_was_learned() {
    let mut train = invented(2_000, 1, both_or_neither);
    // The ends of what a float can be, and both zeros.
    for (at, value) in [f32::INFINITY, f32::NEG_INFINITY, f32::MAX, 0.0, -0.0]
        .into_iter()
        .enumerate()
    {
        (0..20).for_each(|row| train.values[3 * (at * 20 + row)] = value);
    }
    let settings = Settings {
        row_share: 0.7,
        column_share: 0.7,
        ..quick(Objective::Logistic)
    };
    let mut run = Run::new(3, &train, None, &settings);
    let mut gains = vec![Vec::new(); 3];
    while run.grow(&mut gains) {}
    let (learned, base) = (run.scores.clone(), run.base);
    let forest = Forest::new(names(), base, run.best_trees()).unwrap();
    let read = Forest::parse(&forest.to_json().unwrap()).unwrap();
    for (found, learned) in scores(&read, &train).iter().zip(learned) {
        assert!((found - learned).abs() < 1e-12, "{found} {learned}");
    }
}

#[test]
fn rows_go_where_their_bins_went() {
    let train = invented(3_000, 7, both_or_neither);
    let settings = quick(Objective::Squared);
    let bins = Bins::new(&train.values, 3, settings.bins);
    let slopes = loss::slopes(Objective::Squared, &train, &vec![0.0; train.len()]);
    let rows: Vec<u32> = (0..3_000).collect();
    let settings = Settings {
        rate: 1.0,
        penalty: 0.0,
        ..settings
    };
    let tree = grow::grow(&bins, &slopes, rows, &[0, 1, 2], &settings).tree;
    // Without a rate and a penalty, a leaf answers with the mean label of its rows.
    let mut found: std::collections::BTreeMap<u64, Vec<f64>> = std::collections::BTreeMap::new();
    for (row, label) in train.values.chunks(3).zip(&train.labels) {
        found
            .entry(answer(&tree, row).to_bits())
            .or_default()
            .push(*label);
    }
    assert!(found.len() > 2);
    for (answer, labels) in found {
        let mean = labels.iter().sum::<f64>() / real(labels.len());
        assert!((f64::from_bits(answer) - mean).abs() < 1e-9);
        assert!(labels.len() >= settings.leaf_rows);
    }
}

#[test]
fn threads_change_nothing_and_the_seed_does() {
    let train = invented(20_000, 1, both_or_neither);
    let json = |threads: usize, seed: u64| {
        let settings = Settings {
            trees: 10,
            row_share: 0.5,
            column_share: 0.5,
            seed,
            ..quick(Objective::Logistic)
        };
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        let boosted = (pool.build().unwrap()).install(|| boost(&names(), &train, None, &settings));
        boosted.unwrap().forest.to_json().unwrap()
    };
    assert_eq!(json(1, 1), json(5, 1));
    assert_ne!(json(1, 1), json(1, 2));
}

#[test]
fn labels_without_a_cause_grow_next_to_nothing() {
    let mut random = SplitMix64::new(3);
    let mut noise = |rows, seed| {
        let mut examples = invented(rows, seed, |_| 0.0);
        let mut toss = || f64::from(u8::from(random.unit() < 0.3));
        examples.labels.iter_mut().for_each(|label| *label = toss());
        examples
    };
    let (train, held_out) = (noise(2_000, 1), noise(2_000, 2));
    let settings = quick(Objective::Logistic);
    let boosted = boost(&names(), &train, Some(&held_out), &settings).unwrap();
    assert!(boosted.forest.trees().len() < 5, "{:?}", boosted.losses);
    assert!(boosted.losses.len() < settings.trees);
}

#[test]
fn a_tree_keeps_to_its_limits() {
    let train = invented(4_000, 1, |row| f64::from(row[0] * row[2]));
    let settings = Settings {
        trees: 5,
        depth: 3,
        leaves: 6,
        ..quick(Objective::Squared)
    };
    let forest = boost(&names(), &train, None, &settings).unwrap().forest;
    for tree in forest.trees() {
        let leaves = |node: &&Node| matches!(node, Node::Leaf(_));
        assert!(tree.nodes.iter().filter(leaves).count() <= 6);
        assert!(deepest(tree, 0) <= 3);
    }
}

fn deepest(tree: &Tree, at: u32) -> usize {
    match &tree.nodes[at as usize] {
        Node::Leaf(_) => 0,
        Node::Split(split) => 1 + deepest(tree, split.left).max(deepest(tree, split.right)),
    }
}

#[test]
fn what_cannot_be_told_apart_is_answered_alike() {
    let train = Examples {
        values: [1.0, f32::NAN, 2.0].repeat(100),
        labels: (0..100).map(|row| f64::from(row % 2)).collect(),
        groups: Vec::new(),
    };
    let boosted = boost(&names(), &train, None, &quick(Objective::Logistic)).unwrap();
    assert!(boosted.forest.trees().is_empty());
    assert!(boosted.forest.base_score().abs() < 1e-12);
}

#[test]
fn examples_that_do_not_fit_are_refused() {
    let refused = |objective, change: fn(&mut Examples)| {
        let mut examples = groups(3, 1);
        change(&mut examples);
        let problem = boost(&names(), &examples, None, &quick(objective)).unwrap_err();
        problem.to_string()
    };
    type Case = (Objective, fn(&mut Examples), &'static str);
    let cases: [Case; 4] = [
        (
            Objective::Logistic,
            |examples| examples.labels[1] = 2.0,
            "a label is 2, 0 to 1 is allowed",
        ),
        (
            Objective::Squared,
            |examples| examples.labels[1] = f64::NAN,
            "a label is NaN, -1e12 to 1e12 is allowed",
        ),
        (
            Objective::ListNet,
            |examples| examples.groups.truncate(2),
            "groups of 20 rows in all for 30 rows",
        ),
        (
            Objective::Logistic,
            |examples| examples.values.truncate(7),
            "7 values for 30 rows of 3 columns",
        ),
    ];
    for (objective, change, expected) in cases {
        assert_eq!(
            refused(objective, change),
            format!("the examples to learn from do not fit: {expected}")
        );
    }
    let wild = Settings {
        rate: 0.0,
        ..Settings::default()
    };
    assert_eq!(
        boost(&names(), &groups(1, 1), None, &wild)
            .unwrap_err()
            .to_string(),
        "rate is 0, above 0 up to 1 is allowed"
    );
}
