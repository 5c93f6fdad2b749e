//! How much a node is told to make by an input that holds sizes. It is made while the network is
//! built, so it must be known to be little before.

use tract_onnx::pb::{GraphProto, NodeProto, TensorProto};

use crate::error::{Error, shape};
use crate::limits::{name, of_shape, volume};

const MOST_VALUES: u64 = 1 << 24;
/// Shapes of other tensors that a size may be worked out from; each is of 4,096 at most.
const MOST_SHAPES: u32 = 3;
const MOST_STEPS: u32 = 1_000;
/// `TensorProto.INT64`.
const INT64: i32 = 7;

/// Where an operator is told how much to make.
fn told(operator: &str) -> Option<std::ops::Range<usize>> {
    match operator {
        "ConstantOfShape" => Some(0..1),
        "Expand" | "OneHot" | "Pad" | "Tile" => Some(1..2),
        "Range" => Some(0..3),
        _ => None,
    }
}

pub(crate) fn check(graph: &GraphProto, node: &NodeProto) -> Result<(), Error> {
    let inputs =
        told(&node.op_type).and_then(|at| node.input.get(at.start..at.end.min(node.input.len())));
    for input in inputs.unwrap_or_default() {
        let place = || format!("what node {} ({}) makes", name(node), node.op_type);
        let allowed = format!("at most {MOST_VALUES} values, by sizes that are known, are");
        if let Some(tensor) = constant(graph, input) {
            let numbers = integers(tensor);
            let found = numbers.as_deref().map_or("of no size".to_owned(), of_shape);
            // 0 and -1 stand for sizes that are there already.
            let sizes =
                numbers.map(|all| all.iter().map(|size| (*size).max(1)).collect::<Vec<_>>());
            let values = sizes.and_then(|sizes| volume(&sizes));
            if values.is_none_or(|values| values > MOST_VALUES) {
                return Err(shape(place(), found, &allowed));
            }
        } else {
            let mut walk = Walk::default();
            walk.up(graph, input);
            if !walk.is_little() {
                return Err(shape(place(), "of a size that is worked out", &allowed));
            }
        }
    }
    Ok(())
}

/// What a size is worked out from: a bound of it, whatever is added or multiplied.
#[derive(Debug)]
struct Walk {
    values: u64,
    shapes: u32,
    steps: u32,
    is_known: bool,
}

impl Default for Walk {
    fn default() -> Self {
        Self {
            values: 1,
            shapes: 0,
            steps: 0,
            is_known: true,
        }
    }
}

impl Walk {
    fn is_little(&self) -> bool {
        self.is_known
            && self.values <= MOST_VALUES
            && self.shapes <= MOST_SHAPES
            && self.steps <= MOST_STEPS
    }

    fn up(&mut self, graph: &GraphProto, name: &str) {
        let mut open = vec![name.to_owned()];
        while let Some(name) = open.pop() {
            self.steps += 1;
            if !self.is_little() {
                return;
            }
            if let Some(tensor) = constant(graph, &name) {
                match integers(tensor) {
                    Some(numbers) => self.count(&numbers),
                    None => self.is_known = false,
                }
                continue;
            }
            let made = graph.node.iter().find(|node| node.output.contains(&name));
            match made {
                Some(node) if ["Shape", "Size"].contains(&node.op_type.as_str()) => {
                    self.shapes += 1
                }
                Some(node) => open.extend(node.input.iter().filter(|one| !one.is_empty()).cloned()),
                // An input of the network: as many as a value of a row says.
                None => self.is_known = false,
            }
        }
    }

    /// One more than each number, since sums of ones grow as well.
    fn count(&mut self, numbers: &[i64]) {
        for number in numbers {
            let most = number.unsigned_abs().saturating_add(1);
            self.values = self.values.saturating_mul(most);
        }
    }
}

/// A tensor by the name of a weight, or of what a node `Constant` puts out.
fn constant<'a>(graph: &'a GraphProto, name: &str) -> Option<&'a TensorProto> {
    let weight = graph.initializer.iter().find(|tensor| tensor.name == name);
    weight.or_else(|| {
        let is_it = |node: &&NodeProto| node.op_type == "Constant" && node.output == [name];
        let node = graph.node.iter().find(is_it)?;
        node.attribute.iter().find_map(|one| one.t.as_ref())
    })
}

/// `None` when it holds no integers of 64 bits, which is what sizes are.
fn integers(tensor: &TensorProto) -> Option<Vec<i64>> {
    if tensor.data_type != INT64 {
        return None;
    }
    let raw = tensor.raw_data.as_chunks().0.iter();
    let raw = raw.map(|bytes| i64::from_le_bytes(*bytes));
    Some(raw.chain(tensor.int64_data.iter().copied()).collect())
}
