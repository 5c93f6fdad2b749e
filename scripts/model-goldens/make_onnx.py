"""Goldens of networks, answered by ONNX Runtime. Part of make.py."""

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from golden import golden

RUNTIME = f"onnxruntime {onnxruntime.__version__}"


def weights(name, shape, seed):
    drawn = np.random.default_rng(seed).normal(size=shape) / np.sqrt(shape[0])
    return numpy_helper.from_array(drawn.astype(np.float32), name)


def dense(name, to, sizes, seed):
    """A layer and what it needs: x · W + b."""
    tensors = [weights(f"{name}_w", sizes, seed), weights(f"{name}_b", sizes[1:], seed + 1)]
    return helper.make_node("Gemm", [to, f"{name}_w", f"{name}_b"], [name], name=name), tensors


def model(nodes, inputs, outputs, tensors, names=None):
    graph = helper.make_graph(nodes, "golden", inputs, outputs, tensors)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8,
                             producer_name="golden")
    if names:
        helper.set_model_props(made, {"feature_names": ",".join(names)})
    return made


def floats(name, *shape):
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def run(made, rows, columns=False):
    onnx.checker.check_model(made)
    session = onnxruntime.InferenceSession(made.SerializeToString(), providers=["CPUExecutionProvider"])
    names = [one.name for one in session.get_inputs()]
    given = ({name: rows[:, at : at + 1] for at, name in enumerate(names)} if columns
             else {names[0]: rows})
    return session.run(None, given)[0]


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
