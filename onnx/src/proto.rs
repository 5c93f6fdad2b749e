//! What is read of a file before a network is built from it.

use tract_onnx::Onnx;
use tract_onnx::pb::tensor_shape_proto::dimension::Value as Dimension;
use tract_onnx::pb::type_proto::Value;
use tract_onnx::pb::{GraphProto, ModelProto, ValueInfoProto};
use tract_onnx::prelude::Framework as _;

use crate::error::{Error, shape};

/// Name of the metadata that names the features of an input, as a JSON list or with commas between.
const FEATURES: &str = "feature_names";
const MOST_FEATURES: usize = 4_096;
/// `TensorProto.FLOAT`.
const FLOAT: i32 = 1;
/// `TensorProto.EXTERNAL`.
const EXTERNAL: i32 = 1;

/// How rows become inputs.
#[derive(Clone, Debug)]
pub(crate) enum Inputs {
    /// One input of all features.
    Rows,
    /// One input for each feature, with or without a second dimension of 1.
    Columns(Vec<usize>),
}

#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) proto: ModelProto,
    pub(crate) inputs: Inputs,
    pub(crate) features: Vec<String>,
    pub(crate) nodes: usize,
    pub(crate) producer: String,
}

pub(crate) fn read(onnx: &Onnx, mut bytes: &[u8]) -> Result<Read, Error> {
    let proto = onnx.proto_model_for_read(&mut bytes);
    let proto = proto.map_err(|error| Error::Parse {
        detail: format!("{error:#}"),
    })?;
    let Some(graph) = &proto.graph else {
        let detail = "it holds no graph".to_owned();
        return Err(Error::Parse { detail });
    };
    check_operators(onnx, graph)?;
    check_inside(graph)?;
    let (inputs, count) = inputs(graph)?;
    let given: Vec<&ValueInfoProto> = given(graph).collect();
    let features = match &inputs {
        Inputs::Columns(_) => given.iter().map(|input| input.name.clone()).collect(),
        Inputs::Rows => named(&proto, count)?,
    };
    Ok(Read {
        nodes: graph.node.len(),
        producer: format!("{} {}", proto.producer_name, proto.producer_version)
            .trim()
            .to_owned(),
        inputs,
        features,
        proto,
    })
}

/// Every operator must have a builder; one without is named, with what may help.
fn check_operators(onnx: &Onnx, graph: &GraphProto) -> Result<(), Error> {
    let is_known = |operator: &str| onnx.op_register.0.contains_key(operator);
    match graph.node.iter().find(|node| !is_known(&node.op_type)) {
        None => Ok(()),
        Some(node) => {
            let domain = if node.domain.is_empty() {
                String::new()
            } else {
                format!("{}.", node.domain)
            };
            Err(Error::Operator {
                operator: format!("{domain}{}", node.op_type),
                node: if node.name.is_empty() {
                    node.output.join(", ")
                } else {
                    node.name.clone()
                },
                hint: match node.op_type.as_str() {
                    "ZipMap" => "; convert the model with zipmap=False",
                    _ => "; export the model without it",
                },
            })
        }
    }
}

/// A model is one file: what it keeps elsewhere would be read from wherever it says.
fn check_inside(graph: &GraphProto) -> Result<(), Error> {
    let outside = graph.initializer.iter().find(|tensor| {
        !tensor.external_data.is_empty() || tensor.data_location.is_some_and(|at| at == EXTERNAL)
    });
    match outside {
        None => Ok(()),
        Some(tensor) => Err(shape(
            format!("the data of {}", tensor.name),
            "in another file",
            "data inside the file is",
        )),
    }
}

/// Inputs that whoever runs the network gives: weights may be listed as inputs too.
fn given(graph: &GraphProto) -> impl Iterator<Item = &ValueInfoProto> {
    let is_weight = |name: &str| graph.initializer.iter().any(|tensor| tensor.name == name);
    graph
        .input
        .iter()
        .filter(move |input| !is_weight(&input.name))
}

fn inputs(graph: &GraphProto) -> Result<(Inputs, usize), Error> {
    let given: Vec<&ValueInfoProto> = given(graph).collect();
    let dimensions = given.iter().map(|input| dimensions(input));
    let dimensions = dimensions.collect::<Result<Vec<_>, Error>>()?;
    match dimensions.as_slice() {
        [] => Err(shape("the model", "without an input", "at least one is")),
        [one] if one.len() == 2 => {
            let count = one.get(1).copied().flatten();
            let count = count.filter(|count| (1..=MOST_FEATURES).contains(count));
            let count = count.ok_or_else(|| {
                let allowed = "a shape of rows and 1 to 4096 values is";
                shape(
                    format!("the input {}", given[0].name),
                    written(one),
                    allowed,
                )
            })?;
            Ok((Inputs::Rows, count))
        }
        many => {
            let is_column = |dimensions: &Vec<Option<usize>>| {
                matches!(dimensions.as_slice(), [_] | [_, Some(1)])
            };
            if let Some(at) = many.iter().position(|one| !is_column(one)) {
                let allowed = "one input of all features, or inputs of one value a row each, are";
                let place = format!("the input {}", given[at].name);
                return Err(shape(place, written(&many[at]), allowed));
            }
            let ranks = many.iter().map(Vec::len).collect();
            Ok((Inputs::Columns(ranks), many.len()))
        }
    }
}

/// Nothing for what is not said, such as the number of rows.
fn dimensions(input: &ValueInfoProto) -> Result<Vec<Option<usize>>, Error> {
    let place = || format!("the input {}", input.name);
    let value = input.r#type.as_ref().and_then(|kind| kind.value.as_ref());
    let Some(Value::TensorType(tensor)) = value else {
        return Err(shape(
            place(),
            "no tensor",
            "a tensor of single precision is",
        ));
    };
    if tensor.elem_type != FLOAT {
        let found = format!("of element type {}", tensor.elem_type);
        return Err(shape(place(), found, "single precision (1) is"));
    }
    let dimensions = tensor.shape.as_ref().map(|shape| shape.dim.as_slice());
    let dimensions = dimensions.unwrap_or_default().iter();
    let size = |value: &Dimension| match value {
        Dimension::DimValue(size) => usize::try_from(*size).ok(),
        Dimension::DimParam(_) => None,
    };
    Ok(dimensions
        .map(|dimension| dimension.value.as_ref().and_then(size))
        .collect())
}

fn written(dimensions: &[Option<usize>]) -> String {
    let words: Vec<String> = dimensions
        .iter()
        .map(|size| size.map_or("?".to_owned(), |size| size.to_string()))
        .collect();
    format!("of shape [{}]", words.join(", "))
}

/// Names from the metadata, else x0, x1, …
fn named(proto: &ModelProto, count: usize) -> Result<Vec<String>, Error> {
    let entry = proto
        .metadata_props
        .iter()
        .find(|entry| entry.key == FEATURES);
    let Some(entry) = entry else {
        return Ok((0..count).map(|at| format!("x{at}")).collect());
    };
    let listed: Option<Vec<String>> = serde_json::from_str(&entry.value).ok();
    let names = listed.unwrap_or_else(|| {
        let words = entry.value.split(',');
        words.map(|word| word.trim().to_owned()).collect()
    });
    if names.len() == count {
        return Ok(names);
    }
    Err(shape(
        format!("the metadata {FEATURES}"),
        format!("{} names", names.len()),
        &format!("{count}, one for each value of the input, are"),
    ))
}
