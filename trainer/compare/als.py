"""Next baskets: our methods against implicit's ALS, tuned on the same slice, in one run.

`cartwright evaluate retrieval --task next-basket --split-out DIR` writes the split, the questions
and our answers to DIR; this script tunes implicit on the validation questions, answers the test
questions once, and measures everything by one code. `make compare-als` does both.

    python trainer/compare/als.py DIR [--json FILE]
"""

import argparse
import itertools
import json
import os
import sys
from collections import defaultdict
from pathlib import Path

for name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import numpy as np
import scipy.sparse as sparse
from implicit.als import AlternatingLeastSquares

KNOWN = ("all_items", "new_items")
RESAMPLES = 2_000
# Walked one after the other from the first values, each taking its best with the others held.
GRID = {
    "weighting": ["log", "binary", "count"],
    "alpha": [1.0, 0.3, 3.0, 10.0, 40.0],
    "regularization": [1.0, 0.01, 0.1, 10.0, 30.0],
    "factors": [64, 32, 128, 256, 384],
    "iterations": [15, 30],
}
ROUNDS = 2


def lines(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


class Log:
    """Orders of shoppers with items, each order counted once."""

    def __init__(self, rows):
        orders = {(r["shopper_id"], r["item_id"], r["order_id"]) for r in rows}
        counts = defaultdict(int)
        for shopper, item, _ in orders:
            counts[shopper, item] += 1
        self.shoppers = {s: at for at, s in enumerate(sorted({s for s, _ in counts}))}
        self.items = sorted({i for _, i in counts})
        number = {item: at for at, item in enumerate(self.items)}
        cells = sorted((self.shoppers[s], number[i], n) for (s, i), n in counts.items())
        self.rows, self.columns, values = (np.array(part) for part in zip(*cells))
        self.counts = values.astype(np.float32)

    def matrix(self, weighting):
        values = {
            "binary": np.ones_like(self.counts),
            "count": self.counts,
            "log": np.log1p(self.counts),
        }[weighting]
        shape = (len(self.shoppers), len(self.items))
        return sparse.csr_matrix((values, (self.rows, self.columns)), shape=shape)


def measure(ranked, wanted, k):
    """Recall and nDCG with gain 1, as `trainer::metrics` defines them."""
    wanted = set(wanted)
    found = [item in wanted for item in ranked[:k]]
    discounts = 1 / np.log2(np.arange(2, k + 2))
    gained = discounts[: len(found)][found].sum()
    return sum(found) / len(wanted), gained / discounts[: min(k, len(wanted))].sum()


def points(questions, answers, k):
    return np.array([measure(answers[q["shopper_id"]], q["wanted"], k) for q in questions])


class Implicit:
    def __init__(self, log, settings):
        self.log = log
        self.matrix = log.matrix(settings["weighting"])
        self.model = AlternatingLeastSquares(
            factors=settings["factors"],
            regularization=settings["regularization"],
            alpha=settings["alpha"],
            iterations=settings["iterations"],
            random_state=1,
            num_threads=1,
        )
        self.model.fit(self.matrix, show_progress=False)

    def answers(self, questions, protocol, k):
        shoppers = [q["shopper_id"] for q in questions]
        rows = np.array([self.log.shoppers[s] for s in shoppers])
        found, _ = self.model.recommend(
            rows,
            self.matrix[rows],
            N=k,
            filter_already_liked_items=protocol == "new_items",
        )
        return {s: [self.log.items[i] for i in row] for s, row in zip(shoppers, found)}

    def answers_to_given(self, questions, k):
        """New shoppers: a vector is solved from the items that are given."""
        number = {item: at for at, item in enumerate(self.log.items)}
        answers = {}
        for q in questions:
            known = [number[item] for item in q["given"] if item in number]
            if not known:
                answers[q["shopper_id"]] = []
                continue
            row = sparse.csr_matrix(
                (np.ones(len(known), np.float32), ([0] * len(known), known)),
                shape=(1, len(self.log.items)),
            )
            found, _ = self.model.recommend(
                0, row, N=k, recalculate_user=True, filter_already_liked_items=True
            )
            answers[q["shopper_id"]] = [self.log.items[i] for i in found]
        return answers


def tuned(log, questions, k):
    """The settings whose mean of recall and nDCG over both protocols is greatest."""
    tried = {}

    def objective(settings):
        key = tuple(settings.values())
        if key not in tried:
            model = Implicit(log, settings)
            means = [
                points(questions[p], model.answers(questions[p], p, k), k).mean() for p in KNOWN
            ]
            tried[key] = float(np.mean(means))
            print(f"tried {settings}: {tried[key]:.4f}", file=sys.stderr)
        return tried[key]

    best = {name: values[0] for name, values in GRID.items()}
    for _, (name, values) in itertools.product(range(ROUNDS), GRID.items()):
        best = max(({**best, name: value} for value in values), key=objective)
    return best, objective(best), len(tried)


def interval(differences, random):
    draws = random.integers(0, len(differences), (RESAMPLES, len(differences)))
    return np.percentile(differences[draws].mean(axis=1), [2.5, 97.5])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    about = json.loads((args.folder / "about.json").read_text())
    k = about["k"]
    train = lines(args.folder / "train.jsonl")
    past = [row for row in train if row["occurred_at_ms"] < about["valid_from_ms"]]
    split = {
        name: {p: [q for q in lines(args.folder / f"{name}.jsonl") if q["protocol"] == p]
               for p in (*KNOWN, "new_shoppers")}
        for name in ("valid", "test")
    }
    settings, objective, tried = tuned(Log(past), split["valid"], k)
    print(f"implicit: {tried} settings tried, chosen {settings}, {objective:.4f} on validation")
    model = Implicit(Log(train), settings)
    answers = defaultdict(dict)
    for line in lines(args.folder / "lists.jsonl"):
        of_method = answers[line["protocol"]].setdefault(line["method"], {})
        of_method[line["shopper_id"]] = line["items"]
    rows, report = {(r["slice"], r["method"]): r for r in about["leaderboard"]["rows"]}, []
    random = np.random.default_rng(1)
    for protocol, questions in split["test"].items():
        if not questions:
            continue
        if protocol == "new_shoppers":
            found = model.answers_to_given(questions, k)
        else:
            found = model.answers(questions, protocol, k)
        theirs = points(questions, found, k)
        table = [("implicit ALS", theirs)]
        for method, lists in answers[protocol].items():
            ours = points(questions, lists, k)
            said = rows[protocol, method]
            # Both programs have to mean the same by a measure.
            assert np.allclose(ours.mean(axis=0), [said["recall"], said["ndcg"]], atol=1e-9)
            table.append((method, ours))
        print(f"\n{protocol}: {len(questions)} baskets, first {k} places")
        print(f"{'method':22}{'recall':>8}{'nDCG':>8}   recall − implicit             nDCG − implicit")
        for method, ours in table:
            recall, ndcg = ours.mean(axis=0)
            text, bounds = "", []
            if method != "implicit ALS":
                for at in range(2):
                    low, high = interval(ours[:, at] - theirs[:, at], random)
                    mean = (ours[:, at] - theirs[:, at]).mean()
                    bounds.append({"mean": mean, "low": low, "high": high})
                    text += f"   {mean:+.4f} [{low:+.4f}, {high:+.4f}]"
            print(f"{method:22}{recall:8.4f}{ndcg:8.4f}{text}")
            report.append({"protocol": protocol, "method": method, "baskets": len(questions),
                           "recall": recall, "ndcg": ndcg, "over_implicit": bounds})
    if args.json:
        args.json.write_text(json.dumps({"implicit": settings, "rows": report}, indent=2))


main()
