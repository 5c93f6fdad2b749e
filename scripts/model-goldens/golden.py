"""What a golden holds, and how it is written: rows of single precision, and what the library says."""

import argparse
import json
import math
import pathlib

import numpy as np


def number(value):
    value = float(value)
    return value if math.isfinite(value) else str(value)


def rows_of(rows):
    """Single precision, as JSON can say it: what is not finite is a word."""
    return [[number(x) for x in row] for row in np.asarray(rows, dtype=np.float32)]


class Goldens:
    """Names of goldens to the functions that make them; those that exist are left alone."""

    def __init__(self):
        self.makers = {}

    def golden(self, make):
        self.makers[make.__name__] = make
        return make

    def run(self):
        parser = argparse.ArgumentParser(description=__doc__)
        parser.add_argument("--out", required=True, type=pathlib.Path)
        parser.add_argument("names", nargs="*", help="made again although they exist")
        options = parser.parse_args()
        options.out.mkdir(parents=True, exist_ok=True)
        for name, make in self.makers.items():
            file = options.out / f"{name}.golden.json"
            if file.exists() and name not in options.names:
                continue
            golden, ending, model = make()
            (options.out / f"{name}.{ending}").write_bytes(model)
            file.write_text(json.dumps(golden, separators=(",", ":")) + "\n")
            print(name, golden["library"], len(golden["rows"]), "rows", len(model), "bytes")


def golden(library, rows, raw, scores):
    return {
        "library": library,
        "rows": rows_of(rows),
        "raw": [number(x) for x in np.asarray(raw).ravel()],
        "scores": [number(x) for x in np.asarray(scores).ravel()],
    }


TINY = [0.0, -0.0, 1e-35, -1e-35, 1e-36, -1e-36, 2e-35, -2e-35, 1e-45]


def edges(columns, categories=(), infinite=True, most=80):
    """Rows of what is rarely looked at, the same in every column and one column at a time."""
    values = [math.nan, *TINY, 3.4e38, -3.4e38, 1.0, -1.0]
    if infinite:
        values += [math.inf, -math.inf]
    rows = [np.full(columns, value) for value in values]
    rng = np.random.default_rng(11)
    for column in range(columns):
        for value in values:
            row = rng.normal(size=columns)
            row[column] = value
            rows.append(row)
    rows = np.array(rows, dtype=np.float32)
    keep = np.sort(rng.permutation(len(rows))[:most])
    rows = np.concatenate([rows[: len(values)], rows[keep]])
    odd = [-1.0, -0.5, -0.0, 0.5, 2.7, 31.0, 32.0, 63.0, 64.0, 999.0, 70_001.0, 16_777_215.0]
    odd += [16_777_216.0, 2.2e9, 3e9, -3e9, math.nan]
    for column in categories:
        extra = rng.normal(size=(len(odd), columns)).astype(np.float32)
        for other in categories:
            extra[:, other] = rng.integers(0, 12, len(odd))
        extra[:, column] = odd
        rows = np.concatenate([rows, extra])
    return rows


def near(thresholds, columns):
    """Rows whose every value is a threshold, or the next single on either side of one."""
    values = np.unique(np.asarray(thresholds, dtype=np.float64))[:24].astype(np.float32)
    values = np.concatenate([
        values,
        np.nextafter(values, np.float32(np.inf)),
        np.nextafter(values, np.float32(-np.inf)),
    ])
    values = values[np.isfinite(values)]
    return np.repeat(values[:, None], columns, axis=1).astype(np.float32)


def table(rows, columns, seed, gaps=0.1, zeros=0.0):
    """Normal numbers, some of them missing or 0."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, columns)).astype(np.float32)
    x[rng.random(x.shape) < zeros] = 0.0
    x[rng.random(x.shape) < gaps] = np.nan
    return x


def truth(x):
    known = np.nan_to_num(x)
    return known[:, 0] - known[:, 1] * known[:, 2] + 0.5 * np.isnan(x[:, 0])
