//! A file that cannot be run is refused with a reason, and none ends the process.

#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

mod wire;

use onnx::Network;
use proptest::prelude::*;
use wire::{Graph, constant, ints, node, node_of, with_number};

const FOLDER: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../ranking/tests/golden/models"
);
const NAMES: [&str; 4] = [
    "onnx_mlp",
    "onnx_user_tower",
    "onnx_columns",
    "onnx_torch_tower",
];

fn bytes(name: &str) -> Vec<u8> {
    std::fs::read(format!("{FOLDER}/{name}.onnx")).unwrap()
}

fn problem(bytes: &[u8]) -> String {
    Network::parse(bytes).unwrap_err().to_string()
}

/// A file with some bytes replaced by as many.
fn with(name: &str, from: &[u8], to: &[u8]) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut bytes = bytes(name);
    let at = bytes.windows(from.len()).position(|window| window == from);
    let at = at.unwrap();
    bytes[at..at + from.len()].copy_from_slice(to);
    bytes
}

#[test]
fn an_operator_that_is_not_supported_is_named() {
    assert_eq!(
        problem(&with("onnx_mlp", b"Sigmoid", b"Magic77")),
        "node score is the operator Magic77, which is not supported; export the model without it"
    );
    let of = |domain: &str, operator: &str| {
        let mut graph = Graph::new(2);
        graph.nodes.push(node_of(domain, operator, &["x"], "y"));
        problem(&graph.file("y"))
    };
    assert_eq!(
        of("ai.onnx.ml", "Scaler"),
        "node y is the operator ai.onnx.ml.Scaler, which is not supported; export the model without it"
    );
    // A builder of that name exists, of an operator that is another one.
    assert!(of("com.acme", "Relu").contains("the operator com.acme.Relu, which is not supported"));
    assert!(of("ai.onnx.ml", "ZipMap").ends_with("convert the model with zipmap=False"));
    assert!(of("ai.onnx.ml", "TreeEnsembleRegressor").contains("LightGBM's text"));
    assert!(of("", "RandomNormalLike").ends_with("a score has to be the same each time"));
}

#[test]
fn an_operator_that_cannot_be_built_is_named_with_its_node() {
    let mut graph = Graph::new(3);
    graph.weights.push(ints("w", &[2], &[1, 2]));
    graph.nodes.push(node("MatMul", &["x", "w"], "y"));
    let said = problem(&graph.file("y"));
    assert!(said.starts_with("the network cannot be built"), "{said}");
    assert!(said.contains("\"y\" MatMul"), "{said}");
}

#[test]
fn a_network_with_branches_is_refused_by_the_operator() {
    let inner = Graph::new(2).graph("x");
    let mut graph = Graph::new(2);
    graph
        .nodes
        .push(wire::node_with_graph("If", &["x"], "y", &inner));
    assert_eq!(
        problem(&graph.file("y")),
        "node y is the operator If, which is not supported; export the model without loops and branches"
    );
}

#[test]
fn a_tensor_is_as_large_as_what_the_file_holds_of_it() {
    for dims in [&[1 << 40][..], &[1 << 32, 1 << 32], &[-1], &[9, 9]] {
        let mut graph = Graph::new(2);
        graph.weights.push(ints("w", dims, &[1, 2]));
        graph.nodes.push(node("Add", &["x", "w"], "y"));
        let said = problem(&graph.file("y"));
        assert!(said.starts_with("the tensor w is of shape ["), "{said}");
        let mut graph = Graph::new(2);
        graph.nodes.push(constant("w", dims, &[1, 2]));
        graph.nodes.push(node("Add", &["x", "w"], "y"));
        let said = problem(&graph.file("y"));
        assert!(said.starts_with("the tensor w is of shape ["), "{said}");
    }
}

#[test]
fn what_a_file_asks_to_be_made_has_a_bound() {
    for sizes in [&[1 << 40][..], &[1 << 20, 1 << 20], &[i64::MAX, 1]] {
        for operator in ["Expand", "Tile"] {
            let mut graph = Graph::new(2);
            let length = i64::try_from(sizes.len()).unwrap();
            graph.weights.push(ints("s", &[length], sizes));
            graph.nodes.push(node(operator, &["x", "s"], "y"));
            let said = problem(&graph.file("y"));
            assert!(said.starts_with("what node y ("), "{said}");
        }
    }
}

#[test]
fn a_size_that_is_worked_out_has_a_bound() {
    let of = |number: i64, operators: &[&str]| {
        let mut graph = Graph::new(2);
        graph.weights.push(ints("s0", &[1], &[number]));
        for (operator, at) in operators.iter().zip(0..) {
            let (from, to) = (format!("s{at}"), format!("s{}", at + 1));
            graph.nodes.push(node(operator, &[&from, &from], &to));
        }
        let size = format!("s{}", operators.len());
        graph.nodes.push(node("Expand", &["x", &size], "y"));
        Network::parse(&graph.file("y"))
    };
    assert_eq!(
        of(1, &["Mul"]).unwrap().run(&[1.0, 2.0]).unwrap(),
        [1.0, 2.0]
    );
    let expected = "what node y (Expand) makes is of a size that is worked out, at most \
                    16777216 values, by sizes that are known, are allowed";
    for (number, operators) in [
        (1 << 31, &["Mul"][..]),
        (1 << 16, &["Mul", "Mul"]),
        (2, &["Mul"; 6]),
        (1, &["Add"; 40]),
    ] {
        assert_eq!(of(number, operators).unwrap_err().to_string(), expected);
    }
    // As many as a value of a row says.
    let mut graph = Graph::new(2);
    graph.nodes.push(node("ConstantOfShape", &["x"], "y"));
    assert!(problem(&graph.file("y")).contains("of a size that is worked out"));
}

#[test]
fn a_row_may_become_a_table_but_not_any() {
    let table = |side: usize| {
        let mut graph = Graph::new(side);
        let sizes = i64::try_from(side).unwrap();
        graph.weights.push(ints("s", &[3], &[0, sizes, 1]));
        graph.weights.push(ints("t", &[3], &[0, 1, sizes]));
        graph.nodes.push(node("Reshape", &["x", "s"], "down"));
        graph.nodes.push(node("Reshape", &["x", "t"], "across"));
        graph.nodes.push(node("MatMul", &["down", "across"], "all"));
        graph.nodes.push(wire::reduce_max("all", "y"));
        Network::parse(&graph.file("y"))
    };
    let network = table(8).unwrap();
    assert_eq!(
        network
            .run(&[1.0, -3.0, 2.0, 0.0, 0.0, 0.0, 0.0, 0.0])
            .unwrap(),
        [9.0]
    );
    let said = table(4_096).unwrap_err().to_string();
    assert!(said.contains("at most 67108864, is allowed"), "{said}");
}

#[test]
fn shapes_that_only_pretend_are_not_looked_at() {
    let deep = format!("{}1{}", "(".repeat(200_000), ")".repeat(200_000));
    let mut graph = Graph::new(2);
    graph.rows = deep;
    graph.nodes.push(node("Relu", &["x"], "y"));
    let network = Network::parse(&graph.file("y")).unwrap();
    assert_eq!(network.run(&[-1.0, 2.0]).unwrap(), [0.0, 2.0]);
}

#[test]
fn a_long_chain_is_run_and_a_longer_one_refused() {
    let chain = |length: usize| {
        let mut graph = Graph::new(1);
        for at in 0..length {
            let from = if at == 0 {
                "x".to_owned()
            } else {
                at.to_string()
            };
            let to = if at + 1 == length {
                "y".to_owned()
            } else {
                (at + 1).to_string()
            };
            graph.nodes.push(node("Tanh", &[&from], &to));
        }
        graph.file("y")
    };
    let network = Network::parse(&chain(300)).unwrap();
    assert!(network.run(&[1.0]).unwrap()[0] > 0.0);
    assert_eq!(
        problem(&chain(10_001)),
        "the graph is 10001 nodes, at most 10000 are allowed"
    );
}

#[test]
fn inputs_and_outputs_of_another_shape_are_refused() {
    let mut graph = Graph::new(0);
    graph.nodes.push(node("Relu", &["x"], "y"));
    assert_eq!(
        problem(&graph.file("y")),
        "the input x is of shape [?, 0], a shape of rows and 1 to 4096 values is allowed"
    );
    let mut graph = Graph::new(2);
    graph.nodes.push(node("Shape", &["x"], "y"));
    assert!(problem(&graph.file("y")).starts_with("the outputs is"));
    let mut graph = Graph::new(2);
    graph.nodes.push(node("Add", &["x", "missing"], "y"));
    assert!(problem(&graph.file("y")).contains("missing"));
    let network = Network::parse(&bytes("onnx_user_tower")).unwrap();
    assert_eq!(
        network.run(&[0.0; 13]).unwrap_err().to_string(),
        "the number of values is 13, a multiple of 12 is allowed"
    );
    assert!(network.run(&[]).unwrap().is_empty());
}

#[test]
fn an_axis_to_normalise_by_that_no_row_has_is_refused() {
    let of = |axis| {
        let mut graph = Graph::new(2);
        let normalised = node("LayerNormalization", &["x", "scale"], "y");
        graph.nodes.push(constant("scale", &[2], &[1, 1]));
        graph.nodes.push(with_number(&normalised, "axis", axis));
        graph.file("y")
    };
    let refused = |axis| problem(&of(axis)).starts_with("the axis");
    assert!(!refused(-1) && !refused(7));
    for axis in [-9, -3, i64::MIN, 8, i64::MAX] {
        let allowed = "-1 (the last) to 7 is allowed";
        assert_eq!(
            problem(&of(axis)),
            format!("the axis of y is {axis}, {allowed}")
        );
    }
}

/// Runs what can be read: neither reading nor running may end the process.
fn survive(bytes: &[u8]) {
    if let Ok(network) = Network::parse(bytes) {
        let rows = vec![0.5; 3 * network.features().len()];
        if let Ok(answer) = network.run(&rows) {
            assert_eq!(answer.len(), 3 * network.width());
        }
    }
}

#[test]
fn a_file_cut_off_anywhere_is_refused_or_a_smaller_network() {
    for name in NAMES {
        let whole = bytes(name);
        for length in (0..whole.len()).step_by(7) {
            survive(&whole[..length]);
        }
    }
    assert_eq!(
        problem(&bytes("onnx_mlp")[..200]).split(':').next(),
        Some("the file is not a whole ONNX model")
    );
    assert_eq!(
        problem(b""),
        "the file is not a whole ONNX model: it holds no graph"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_damaged_file_is_refused_or_run_and_never_ends_the_process(
        name in prop::sample::select(&NAMES[..]),
        wounds in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..5),
    ) {
        let mut bytes = bytes(name);
        for (at, byte) in wounds {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        survive(&bytes);
    }

    #[test]
    fn random_bytes_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        survive(&bytes);
        let mut headed = vec![8, 8];
        headed.extend(&bytes);
        survive(&headed);
    }
}
