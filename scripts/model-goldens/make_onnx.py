"""Goldens of networks, answered by ONNX Runtime. Part of make.py."""

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from golden import edges, golden, table

RUNTIME = f"onnxruntime {onnxruntime.__version__}"


def weights(name, shape, seed):
    drawn = np.random.default_rng(seed).normal(size=shape) / np.sqrt(shape[0])
    return numpy_helper.from_array(drawn.astype(np.float32), name)


def dense(name, to, sizes, seed):
    """A layer and what it needs: x · W + b."""
    tensors = [weights(f"{name}_w", sizes, seed), weights(f"{name}_b", sizes[1:], seed + 1)]
    return helper.make_node("Gemm", [to, f"{name}_w", f"{name}_b"], [name], name=name), tensors


def model(nodes, inputs, outputs, tensors, names=None, opset=15, **metadata):
    graph = helper.make_graph(nodes, "golden", inputs, outputs, tensors)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8,
                             producer_name="golden")
    if names:
        metadata["feature_names"] = ",".join(names)
    if metadata:
        helper.set_model_props(made, metadata)
    return made


def constant(name, values, kind=np.float32):
    return numpy_helper.from_array(np.array(values, kind), name)


def floats(name, *shape):
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def run(made, rows, columns=False, output=None):
    onnx.checker.check_model(made)
    session = onnxruntime.InferenceSession(made.SerializeToString(), providers=["CPUExecutionProvider"])
    names = [one.name for one in session.get_inputs()]
    given = ({name: rows[:, at : at + 1] for at, name in enumerate(names)} if columns
             else {names[0]: rows})
    return session.run(output and [output], given)[0]


def hard_rows(columns, seed):
    """Drawn, zeros, missing, infinite, tiny and huge, all in one block."""
    zeros = np.zeros((2, columns), np.float32)
    return np.concatenate([table(40, columns, seed), zeros, edges(columns)])


def ranker(names, rows):
    """A ranker of two layers; what is missing is read as 0 by the network itself."""
    first, one = dense("first", "known", (len(names), 16), 121)
    last, two = dense("last", "first_on", (16, 1), 123)
    nodes = [helper.make_node("IsNaN", ["x"], ["gap"]),
             helper.make_node("Where", ["gap", "zero", "x"], ["known"]),
             first, helper.make_node("Relu", ["first"], ["first_on"]), last]
    made = model(nodes, [floats("x", "rows", len(names))], [floats("last", "rows", 1)],
                 [constant("zero", [0]), *one, *two], names)
    scores = run(made, rows)
    return golden(RUNTIME, rows, scores, scores), "onnx", made.SerializeToString()


def add_to(goldens):
    @goldens.golden
    def onnx_mlp():
        """A ranker of three layers; what is missing is read as 0 by the network itself."""
        first, one = dense("first", "known", (5, 16), 71)
        second, two = dense("second", "first_on", (16, 8), 73)
        last, three = dense("last", "second_on", (8, 1), 75)
        zero = numpy_helper.from_array(np.zeros(1, np.float32), "zero")
        nodes = [
            helper.make_node("IsNaN", ["x"], ["gap"]),
            helper.make_node("Where", ["gap", "zero", "x"], ["known"]),
            first, helper.make_node("Relu", ["first"], ["first_on"]),
            second, helper.make_node("Tanh", ["second"], ["second_on"]),
            last, helper.make_node("Sigmoid", ["last"], ["score"]),
        ]
        names = ["log_price", "log_price_ratio", "in_cart", "cart_lines", "shopper.idle_s"]
        made = model(nodes, [floats("x", "rows", 5)], [floats("score", "rows", 1)],
                     [zero, *one, *two, *three], names)
        rows = np.random.default_rng(77).normal(size=(70, 5)).astype(np.float32) * 3
        rows[::5, 4] = np.nan
        scores = run(made, rows)
        return golden(RUNTIME, rows, scores, scores), "onnx", made.SerializeToString()

    @goldens.golden
    def onnx_user_tower():
        """A shopper's vector of length 1: from the mean of the recent items, and counts."""
        first, one = dense("first", "x", (12, 24), 81)
        last, two = dense("last", "first_on", (24, 8), 83)
        nodes = [first, helper.make_node("LeakyRelu", ["first"], ["first_on"], alpha=0.1), last,
                 helper.make_node("LpNormalization", ["last"], ["vector"], axis=1, p=2)]
        made = model(nodes, [floats("x", "rows", 12)], [floats("vector", "rows", 8)], [*one, *two])
        rows = np.random.default_rng(85).normal(size=(30, 12)).astype(np.float32)
        vectors = run(made, rows)
        return golden(RUNTIME, rows, vectors, vectors), "onnx", made.SerializeToString()

    @goldens.golden
    def onnx_columns():
        """An input for each feature, as converters of data frames write them."""
        last, tensors = dense("last", "x", (3, 1), 91)
        nodes = [helper.make_node("Concat", ["price", "age", "views"], ["x"], axis=1), last,
                 helper.make_node("Squeeze", ["last", "axes"], ["score"])]
        axes = numpy_helper.from_array(np.array([1], np.int64), "axes")
        inputs = [floats(name, "rows", 1) for name in ("price", "age", "views")]
        made = model(nodes, inputs, [floats("score", "rows")], [axes, *tensors])
        rows = np.random.default_rng(93).normal(size=(20, 3)).astype(np.float32)
        scores = run(made, rows, columns=True)
        return golden(RUNTIME, rows, scores, scores), "onnx", made.SerializeToString()

    @goldens.golden
    def onnx_hard_rows():
        """Layers that let through what is not a number, or too large, to the score."""
        width = 7
        first, one = dense("first", "x", (width, 32), 101)
        second, two = dense("second", "first_on", (32, 16), 103)
        last, three = dense("last", "second_on", (16, 1), 105)
        nodes = [first, helper.make_node("Relu", ["first"], ["first_on"]), second,
                 helper.make_node("Elu", ["second"], ["second_on"]), last]
        made = model(nodes, [floats("x", "rows", width)], [floats("last", "rows", 1)],
                     [*one, *two, *three])
        rows = hard_rows(width, 107)
        scores = run(made, rows)
        return golden(RUNTIME, rows, scores, scores), "onnx", made.SerializeToString()

    @goldens.golden
    def onnx_classifier():
        """As converters write one of two classes: labels, and chances."""
        width = 5
        first, one = dense("first", "x", (width, 12), 111)
        last, two = dense("last", "first_on", (12, 2), 113)
        nodes = [first, helper.make_node("Tanh", ["first"], ["first_on"]), last,
                 helper.make_node("Softmax", ["last"], ["probabilities"], axis=1),
                 helper.make_node("ArgMax", ["last"], ["label"], axis=1, keepdims=0)]
        label = helper.make_tensor_value_info("label", TensorProto.INT64, ["rows"])
        made = model(nodes, [floats("x", "rows", width)],
                     [label, floats("probabilities", "rows", 2)], [*one, *two])
        rows = np.concatenate([table(40, width, 115, gaps=0), np.zeros((2, width), np.float32),
                               np.full((1, width), 1e30, np.float32)])
        scores = run(made, rows, output="probabilities")[:, 1]
        return golden(RUNTIME, rows, scores, scores), "onnx", made.SerializeToString()

    @goldens.golden
    def onnx_torch_tower():
        """The operators into which PyTorch writes LayerNorm, GELU, a residual layer and normalize."""
        width, inner, out = 10, 16, 6
        scale = np.random.default_rng(131).normal(1, 0.1, inner).astype(np.float32)
        weight = weights("second_w", (inner, inner), 133)
        first, one = dense("first", "x", (width, inner), 135)
        last, two = dense("last", "sum", (inner, out), 137)
        nodes = [
            first,
            helper.make_node("LayerNormalization", ["first", "scale", "shift"], ["even"], axis=-1),
            helper.make_node("Div", ["even", "root2"], ["by_root"]),
            helper.make_node("Erf", ["by_root"], ["erf"]),
            helper.make_node("Add", ["erf", "one"], ["more"]),
            helper.make_node("Mul", ["even", "more"], ["twice"]),
            helper.make_node("Mul", ["twice", "half"], ["gelu"]),
            helper.make_node("Gemm", ["gelu", "second_w"], ["second"], transB=1),
            helper.make_node("Add", ["second", "first"], ["sum"]),
            last,
            helper.make_node("ReduceL2", ["last"], ["length"], axes=[1], keepdims=1),
            helper.make_node("Clip", ["length", "least"], ["bounded"]),
            helper.make_node("Shape", ["last"], ["shape"]),
            helper.make_node("Expand", ["bounded", "shape"], ["wide"]),
            helper.make_node("Div", ["last", "wide"], ["vector"]),
        ]
        tensors = [*one, *two, weight, numpy_helper.from_array(scale, "scale"),
                   constant("shift", np.zeros(inner)), constant("root2", np.sqrt(2)),
                   constant("one", 1), constant("half", 0.5), constant("least", 1e-12)]
        made = model(nodes, [floats("x", "rows", width)], [floats("vector", "rows", out)], tensors,
                     opset=17)
        rows = np.concatenate([table(40, width, 139, gaps=0), np.zeros((2, width), np.float32)])
        vectors = run(made, rows)
        return golden(RUNTIME, rows, vectors, vectors), "onnx", made.SerializeToString()

    @goldens.golden
    def onnx_named_tower():
        """A shopper's vector of six numbers; the metadata say what it reads and of which run it is."""
        names = [*(f"mean.{at}" for at in range(6)), "count.add", "items"]
        first, one = dense("first", "x", (len(names), 12), 141)
        last, two = dense("last", "first_on", (12, 6), 143)
        nodes = [first, helper.make_node("Relu", ["first"], ["first_on"]), last]
        made = model(nodes, [floats("x", "rows", len(names))], [floats("last", "rows", 6)],
                     [*one, *two], names, tower_id="run-7")
        rows = table(10, len(names), 145, gaps=0)
        vectors = run(made, rows)
        return golden(RUNTIME, rows, vectors, vectors), "onnx", made.SerializeToString()
