//! What is read of a file before a network is built from it.

use std::collections::BTreeMap;

use tract_onnx::Onnx;
use tract_onnx::pb::tensor_shape_proto::dimension::Value as Dimension;
use tract_onnx::pb::type_proto::Value;
use tract_onnx::pb::{GraphProto, ModelProto, StringStringEntryProto, ValueInfoProto};
use tract_onnx::prelude::Framework as _;

use crate::error::{Error, shape};
use crate::limits;

/// Name of the metadata that names the values of a row, as a JSON list or with commas between.
const FEATURES: &str = "feature_names";
const MOST_FEATURES: usize = 4_096;
/// `TensorProto.FLOAT`.
const FLOAT: i32 = 1;

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
    pub(crate) metadata: BTreeMap<String, String>,
}

pub(crate) fn read(onnx: &Onnx, mut bytes: &[u8]) -> Result<Read, Error> {
    limits::check_size(bytes)?;
    let proto = onnx.proto_model_for_read(&mut bytes);
    let mut proto = proto.map_err(|error| Error::Parse {
        detail: format!("{error:#}"),
    })?;
    let graph = proto.graph.as_mut().ok_or_else(|| Error::Parse {
        detail: "it holds no graph".to_owned(),
    })?;
    limits::check(onnx, graph)?;
    strip(graph);
    let nodes = graph.node.len();
    let (inputs, count) = inputs(graph)?;
    let features = match (said(&proto.metadata_props, FEATURES), &inputs) {
        (Some(said), _) => named(said, count)?,
        (None, Inputs::Columns(_)) => given(graph).map(|input| input.name.clone()).collect(),
        (None, Inputs::Rows) => (0..count).map(|at| format!("x{at}")).collect(),
    };
    let producer = format!("{} {}", proto.producer_name, proto.producer_version);
    let metadata = proto.metadata_props.iter();
    let metadata = metadata.map(|entry| (entry.key.clone(), entry.value.clone()));
    Ok(Read {
        metadata: metadata.collect(),
        nodes,
        producer: producer.trim().to_owned(),
        inputs,
        features,
        proto,
    })
}

/// Takes out what the file claims of shapes beside the sizes of its inputs: they follow from those,
/// and formulas in their place are not ours to trust.
fn strip(graph: &mut GraphProto) {
    graph.value_info.clear();
    for info in graph.input.iter_mut().chain(&mut graph.output) {
        let Some(Value::TensorType(tensor)) = info.r#type.as_mut().and_then(|of| of.value.as_mut())
        else {
            continue;
        };
        let dimensions = tensor.shape.iter_mut().flat_map(|shape| &mut shape.dim);
        for dimension in dimensions {
            if matches!(dimension.value, Some(Dimension::DimParam(_))) {
                dimension.value = None;
            }
        }
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

/// What the metadata say last under a name.
pub(crate) fn said<'a>(metadata: &'a [StringStringEntryProto], name: &str) -> Option<&'a str> {
    let mut entries = metadata.iter();
    let entry = entries.rfind(|entry| entry.key == name);
    entry.map(|entry| entry.value.as_str())
}

fn named(said: &str, count: usize) -> Result<Vec<String>, Error> {
    let listed: Option<Vec<String>> = serde_json::from_str(said).ok();
    let names = listed.unwrap_or_else(|| {
        let words = said.split(',');
        words.map(|word| word.trim().to_owned()).collect()
    });
    if names.len() == count {
        return Ok(names);
    }
    Err(shape(
        format!("the metadata {FEATURES}"),
        format!("{} names", names.len()),
        &format!("{count}, one for each value of a row, are"),
    ))
}

/// The same file with other names of its features: fields of a message that follow it belong to it.
pub(crate) fn with_features(bytes: &[u8], names: &[String]) -> Vec<u8> {
    const METADATA_PROPS: u8 = 14;
    let names = serde_json::json!(names).to_string();
    let entry = [field(1, FEATURES.as_bytes()), field(2, names.as_bytes())].concat();
    let mut file = bytes.to_vec();
    file.extend(field(METADATA_PROPS, &entry));
    file
}

/// A field of bytes as protobuf writes it; its number is below 16.
fn field(number: u8, value: &[u8]) -> Vec<u8> {
    let mut out = vec![number << 3 | 2];
    let mut length = value.len();
    while length >= 0x80 {
        out.push(0x80 | length.to_le_bytes()[0] & 0x7f);
        length >>= 7;
    }
    out.push(length.to_le_bytes()[0]);
    out.extend_from_slice(value);
    out
}
