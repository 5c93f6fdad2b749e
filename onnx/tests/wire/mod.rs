//! Writes small ONNX files by hand: what a test wants to be wrong, no library would write.

fn varint(mut value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    while value >= 0x80 {
        out.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    out.push(value.to_le_bytes()[0]);
    out
}

fn number(field: u64, value: i64) -> Vec<u8> {
    [varint(field << 3), varint(value.cast_unsigned())].concat()
}

fn bytes(field: u64, value: &[u8]) -> Vec<u8> {
    let length = varint(u64::try_from(value.len()).unwrap());
    [varint(field << 3 | 2), length, value.to_vec()].concat()
}

fn text(field: u64, value: &str) -> Vec<u8> {
    bytes(field, value.as_bytes())
}

/// A graph over one input `x` of rows.
pub(crate) struct Graph {
    columns: usize,
    /// What the number of rows is called.
    pub(crate) rows: String,
    pub(crate) nodes: Vec<Vec<u8>>,
    pub(crate) weights: Vec<Vec<u8>>,
}

impl Graph {
    pub(crate) fn new(columns: usize) -> Self {
        Self {
            columns,
            rows: "rows".to_owned(),
            nodes: Vec::new(),
            weights: Vec::new(),
        }
    }

    pub(crate) fn graph(&self, output: &str) -> Vec<u8> {
        let rows = bytes(1, &text(2, &self.rows));
        let columns = bytes(1, &number(1, i64::try_from(self.columns).unwrap()));
        let tensor = [number(1, 1), bytes(2, &[rows, columns].concat())].concat();
        let input = [text(1, "x"), bytes(2, &bytes(1, &tensor))].concat();
        let mut graph = Vec::new();
        graph.extend(self.nodes.iter().flat_map(|node| bytes(1, node)));
        graph.extend(text(2, "by hand"));
        graph.extend(self.weights.iter().flat_map(|tensor| bytes(5, tensor)));
        graph.extend(bytes(11, &input));
        graph.extend(bytes(12, &text(1, output)));
        graph
    }

    pub(crate) fn file(&self, output: &str) -> Vec<u8> {
        let operators = [text(1, ""), number(2, 15)].concat();
        [
            number(1, 8),
            bytes(7, &self.graph(output)),
            bytes(8, &operators),
        ]
        .concat()
    }
}

pub(crate) fn node(operator: &str, inputs: &[&str], output: &str) -> Vec<u8> {
    node_of("", operator, inputs, output)
}

pub(crate) fn node_of(domain: &str, operator: &str, inputs: &[&str], output: &str) -> Vec<u8> {
    let mut node: Vec<u8> = inputs.iter().flat_map(|input| text(1, input)).collect();
    node.extend(text(2, output));
    node.extend(text(3, output));
    node.extend(text(4, operator));
    node.extend(text(7, domain));
    node
}

/// `number` as the attribute `name` of a node.
pub(crate) fn with_number(node: &[u8], name: &str, value: i64) -> Vec<u8> {
    let attribute = [text(1, name), number(3, value), number(20, 2)].concat();
    [node, &bytes(5, &attribute)].concat()
}

pub(crate) fn node_with_graph(
    operator: &str,
    inputs: &[&str],
    output: &str,
    graph: &[u8],
) -> Vec<u8> {
    let attribute = [text(1, "then_branch"), bytes(6, graph), number(20, 5)].concat();
    [node(operator, inputs, output), bytes(5, &attribute)].concat()
}

/// The largest value of each row's table.
pub(crate) fn reduce_max(input: &str, output: &str) -> Vec<u8> {
    let axes = [text(1, "axes"), number(8, 1), number(8, 2), number(20, 7)].concat();
    let keep = [text(1, "keepdims"), number(3, 0), number(20, 2)].concat();
    let node = node("ReduceMax", &[input], output);
    [node, bytes(5, &axes), bytes(5, &keep)].concat()
}

pub(crate) fn ints(name: &str, dims: &[i64], values: &[i64]) -> Vec<u8> {
    let mut tensor: Vec<u8> = dims.iter().flat_map(|size| number(1, *size)).collect();
    tensor.extend(number(2, 7));
    tensor.extend(text(8, name));
    let raw: Vec<u8> = values.iter().flat_map(|x| x.to_le_bytes()).collect();
    tensor.extend(bytes(9, &raw));
    tensor
}

pub(crate) fn constant(output: &str, dims: &[i64], values: &[i64]) -> Vec<u8> {
    let value = bytes(5, &ints("", dims, values));
    let attribute = [text(1, "value"), value, number(20, 4)].concat();
    [node("Constant", &[], output), bytes(5, &attribute)].concat()
}
