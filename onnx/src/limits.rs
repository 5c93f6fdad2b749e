//! What a file may ask for. It comes from outside, and memory that cannot be had ends the process.

use tract_onnx::Onnx;
use tract_onnx::pb::{AttributeProto, GraphProto, NodeProto, TensorProto};

use crate::error::{Error, shape};
use crate::sizes;

/// Files larger than this are refused before they are read.
const MOST_BYTES: usize = 256 << 20;
const MOST_NODES: usize = 10_000;
const MOST_AXIS: i64 = 7;
/// `TensorProto.EXTERNAL`.
const EXTERNAL: i32 = 1;
/// Where operators come from that are built; elsewhere the same name may mean something else.
const DOMAINS: [&str; 3] = ["", "ai.onnx", "ai.onnx.ml"];
/// Operators that draw numbers: a score would be another each time.
const DRAWING: [&str; 5] = [
    "Multinomial",
    "RandomNormal",
    "RandomNormalLike",
    "RandomUniform",
    "RandomUniformLike",
];
/// For images, and making as many values as they are told.
const FOREIGN: [&str; 2] = ["Resize", "Upsample"];

pub(crate) fn check_size(bytes: &[u8]) -> Result<(), Error> {
    if bytes.len() <= MOST_BYTES {
        return Ok(());
    }
    let allowed = format!("at most {MOST_BYTES} bytes are");
    Err(shape(
        "the file",
        format!("{} bytes", bytes.len()),
        &allowed,
    ))
}

pub(crate) fn check(onnx: &Onnx, graph: &GraphProto) -> Result<(), Error> {
    if graph.node.len() > MOST_NODES {
        let found = format!("{} nodes", graph.node.len());
        return Err(shape("the graph", found, "at most 10000 are"));
    }
    graph
        .node
        .iter()
        .try_for_each(|node| operator(onnx, node))?;
    graph.node.iter().try_for_each(normalised)?;
    tensors(graph).try_for_each(|(name, tensor)| held(&name, tensor))?;
    graph
        .node
        .iter()
        .try_for_each(|node| sizes::check(graph, node))
}

/// Every operator must have a builder; one without is named, with what may help.
fn operator(onnx: &Onnx, node: &NodeProto) -> Result<(), Error> {
    let is_known = onnx.op_register.0.contains_key(&node.op_type);
    let is_ours = DOMAINS.contains(&node.domain.as_str());
    let has_graph = |node: &NodeProto| {
        let mut attributes = node.attribute.iter();
        attributes.any(|one| one.g.is_some() || !one.graphs.is_empty())
    };
    let hint = match node.op_type.as_str() {
        "ZipMap" => "; convert the model with zipmap=False",
        "TreeEnsemble" | "TreeEnsembleClassifier" | "TreeEnsembleRegressor" => {
            "; give the file of the library that grew the trees, LightGBM's text or XGBoost's JSON"
        }
        drawing if DRAWING.contains(&drawing) => "; a score has to be the same each time",
        _ if has_graph(node) => "; export the model without loops and branches",
        image if FOREIGN.contains(&image) => "; rows of numbers are read, not images",
        _ if is_known && is_ours => return Ok(()),
        _ => "; export the model without it",
    };
    let operator = if node.domain.is_empty() {
        node.op_type.clone()
    } else {
        format!("{}.{}", node.domain, node.op_type)
    };
    Err(Error::Operator {
        operator,
        node: name(node),
        hint,
    })
}

/// Shapes are worked out axis by axis up to the one that is named, which before the first axis is
/// taken for one that is never reached.
fn normalised(node: &NodeProto) -> Result<(), Error> {
    let is_axis = |one: &&AttributeProto| one.name == "axis";
    let axis = node.attribute.iter().find(is_axis).map_or(-1, |one| one.i);
    if node.op_type != "LayerNormalization" || (-1..=MOST_AXIS).contains(&axis) {
        return Ok(());
    }
    let place = format!("the axis of {}", name(node));
    let allowed = format!("-1 (the last) to {MOST_AXIS} is");
    Err(shape(place, axis.to_string(), &allowed))
}

pub(crate) fn name(node: &NodeProto) -> String {
    if node.name.is_empty() {
        node.output.join(", ")
    } else {
        node.name.clone()
    }
}

/// Tensors of the file, with their names.
fn tensors(graph: &GraphProto) -> impl Iterator<Item = (String, &TensorProto)> {
    let weights = graph.initializer.iter();
    let weights = weights.map(|tensor| (tensor.name.clone(), tensor));
    let inside = graph.node.iter().flat_map(|node| {
        let attributes = node.attribute.iter();
        let tensors = attributes.flat_map(|one| one.t.iter().chain(&one.tensors));
        tensors.map(|tensor| (name(node), tensor))
    });
    weights.chain(inside)
}

/// A model is one file: what it keeps elsewhere would be read from wherever it says. And a tensor is
/// as large as what the file holds of it.
fn held(name: &str, tensor: &TensorProto) -> Result<(), Error> {
    let place = format!("the tensor {name}");
    if !tensor.external_data.is_empty() || tensor.data_location.is_some_and(|at| at == EXTERNAL) {
        return Err(shape(place, "in another file", "data inside the file is"));
    }
    let lists = [
        tensor.raw_data.len(),
        tensor.float_data.len(),
        tensor.double_data.len(),
        tensor.int32_data.len(),
        tensor.int64_data.len(),
        tensor.uint64_data.len(),
        tensor.string_data.len(),
    ];
    let most: usize = lists.iter().sum();
    let values = volume(&tensor.dims).filter(|values| *values <= most as u64);
    if values.is_some() {
        return Ok(());
    }
    let allowed = format!("as many values as the file holds, at most {most}, are");
    Err(shape(place, of_shape(&tensor.dims), &allowed))
}

/// `None` when it is negative or cannot be counted.
pub(crate) fn volume(sizes: &[i64]) -> Option<u64> {
    let mut sizes = sizes.iter();
    sizes.try_fold(1_u64, |all, size| {
        all.checked_mul(u64::try_from(*size).ok()?)
    })
}

pub(crate) fn of_shape(sizes: &[i64]) -> String {
    let mut words: Vec<String> = sizes.iter().take(8).map(i64::to_string).collect();
    if sizes.len() > words.len() {
        words.push("…".to_owned());
    }
    format!("of shape [{}]", words.join(", "))
}
