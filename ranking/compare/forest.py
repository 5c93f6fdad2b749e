"""Our evaluator beside LightGBM, XGBoost and ONNX Runtime, on the same models and rows, in one run.

A model of 300 trees of depth 6, up to 64 leaves each, is trained with LightGBM and with XGBoost;
ONNX Runtime gets LightGBM's, converted. All use one thread, score the same 500 rows of single
precision and take turns, round by round. What counts is the median of the calls; the least is
printed beside it. LightGBM and XGBoost are called from Python, which costs some 20 microseconds
of each call; their C function is timed as well where there is a stable one (LightGBM).

    make compare-forest
    make compare-forest ARGS="--rounds 50 --json forest.json"
"""

import argparse
import ctypes
import json
import os
import subprocess
import time
from pathlib import Path

import lightgbm
import numpy as np
import onnxruntime
import xgboost
from onnxmltools import convert_lightgbm
from onnxmltools.convert.common.data_types import FloatTensorType

CALLS = 5


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", required=True, type=Path)
    parser.add_argument("--work", required=True, type=Path)
    parser.add_argument("--rows", type=int, default=500)
    parser.add_argument("--trees", type=int, default=300)
    parser.add_argument("--depth", type=int, default=6)
    parser.add_argument("--columns", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--json", type=Path, help="where the figures go as JSON as well")
    return parser.parse_args()


def data(rows, columns, seed):
    """Numbers with a tenth missing, and a label that many columns have a say in."""
    random = np.random.default_rng(seed)
    x = random.standard_normal((rows, columns), dtype=np.float32)
    known = x.copy()
    x[random.random(x.shape) < 0.1] = np.nan
    score = known @ np.linspace(1, 0.1, columns) + known[:, 0] * known[:, 1] - known[:, 2] ** 2
    return x, (score + random.standard_normal(rows) > -1).astype(int)


def train(options):
    x, y = data(40_000, options.columns, 1)
    common = {"max_depth": options.depth, "learning_rate": 0.05, "seed": 7}
    light = lightgbm.train(
        {**common, "objective": "binary", "num_leaves": 2**options.depth, "min_data_in_leaf": 10,
         "verbose": -1, "num_threads": 1}, lightgbm.Dataset(x, y), options.trees)
    extreme = xgboost.train(
        {**common, "objective": "binary:logistic", "tree_method": "hist", "nthread": 1},
        xgboost.DMatrix(x, y), options.trees)
    return light, extreme


class Ours:
    def __init__(self, program, model, rows):
        command = [program, model, rows]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "ready\n", command

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return np.array([float(word) for word in self.process.stdout.readline().split()])

    def __call__(self):
        return self.ask(f"time {CALLS}") / 1e6

    def scores(self):
        return self.ask("scores")


def timed(call):
    def times():
        each = []
        for _ in range(CALLS):
            started = time.perf_counter_ns()
            call()
            each.append((time.perf_counter_ns() - started) / 1e6)
        return each

    return times


def of_c(booster, x):
    """LightGBM's C function, without what Python adds."""
    x = np.ascontiguousarray(x)
    out, length = np.zeros(len(x)), ctypes.c_int64()
    function, handle = lightgbm.basic._LIB.LGBM_BoosterPredictForMat, booster._handle
    pointer = lambda array: array.ctypes.data_as(ctypes.c_void_p)

    def call():
        failed = function(handle, pointer(x), 0, len(x), x.shape[1], 1, 0, 0, -1, b"num_threads=1",
                          ctypes.byref(length), pointer(out))
        assert failed == 0 and length.value == len(x)

    return call


def of_onnx(light, work, x):
    model = convert_lightgbm(light, initial_types=[("x", FloatTensorType([None, x.shape[1]]))],
                             zipmap=False, target_opset=15)
    file = work / "light.onnx"
    file.write_bytes(model.SerializeToString())
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    return lambda: session.run(["probabilities"], {"x": x})[0][:, 1]


def main():
    options = arguments()
    options.work.mkdir(parents=True, exist_ok=True)
    light, extreme = train(options)
    x, _ = data(options.rows, options.columns, 2)
    rows = options.work / "rows.f32"
    x.astype("<f4").tofile(rows)
    files = options.work / "light.txt", options.work / "extreme.json"
    light.save_model(files[0])
    extreme.save_model(files[1])
    ours = Ours(options.program, files[0], rows)
    ours_of_xgboost = Ours(options.program, files[1], rows)
    onnx = of_onnx(light, options.work, x)
    extreme.set_param({"nthread": 1})
    sides = {
        "ours, LightGBM's model": ours,
        "LightGBM, from Python": timed(lambda: light.predict(x, num_threads=1)),
        "LightGBM, its C function": timed(of_c(light, x)),
        "ONNX Runtime, LightGBM's model": timed(onnx),
        "ours, XGBoost's model": ours_of_xgboost,
        "XGBoost, inplace_predict": timed(lambda: extreme.inplace_predict(x)),
    }
    times = {name: [] for name in sides}
    for round_number in range(options.rounds + 2):
        for name, side in sides.items():
            found = side()
            # The first two rounds warm up.
            times[name].extend(found if round_number >= 2 else [])
    report(options, times, {
        "LightGBM": apart(ours.scores(), light.predict(x, num_threads=1)),
        "ONNX Runtime": apart(ours.scores(), onnx()),
        "XGBoost": apart(ours_of_xgboost.scores(), extreme.inplace_predict(x)),
    })


def apart(a, b):
    return float(np.abs(a - b).max())


def report(options, times, furthest):
    figures = {name: {"median_ms": float(np.median(each)), "least_ms": float(np.min(each))}
               for name, each in times.items()}
    light, extreme = "ours, LightGBM's model", "ours, XGBoost's model"

    def ratio(theirs, ours, figure="median_ms"):
        return figures[theirs][figure] / figures[ours][figure]

    pairs = {
        "LightGBM": ("LightGBM, from Python", light),
        "LightGBM, its C function": ("LightGBM, its C function", light),
        "ONNX Runtime": ("ONNX Runtime, LightGBM's model", light),
        "XGBoost": ("XGBoost, inplace_predict", extreme),
    }
    ratios = {name: {"median": ratio(*pair), "least": ratio(*pair, "least_ms")}
              for name, pair in pairs.items()}
    print(f"{options.rows} rows x {options.trees} trees x depth {options.depth}, "
          f"{options.columns} columns, one thread")
    print(f"{'':32} {'median ms':>10} {'least ms':>10}")
    for name, figure in figures.items():
        print(f"{name:32} {figure['median_ms']:10.3f} {figure['least_ms']:10.3f}")
    print()
    for name, found in ratios.items():
        print(f"{'ours against ' + name:40} {found['median']:5.1f} x  (least of each {found['least']:5.1f} x)")
    print()
    for name, distance in furthest.items():
        print(f"{'furthest from ' + name:40} {distance:.1e}")
    if options.json:
        versions = {"lightgbm": lightgbm.__version__, "xgboost": xgboost.__version__,
                    "onnxruntime": onnxruntime.__version__}
        shape = {name: getattr(options, name) for name in ("rows", "trees", "depth", "columns")}
        document = {"shape": shape, "versions": versions, "cpus": os.cpu_count(),
                    "times": figures, "ratios": ratios, "furthest": furthest}
        options.json.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
