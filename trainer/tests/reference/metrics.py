"""Writes trainer/tests/golden/metrics.json: measures as scikit-learn computes them.

    python -m venv venv && venv/bin/pip install -r trainer/tests/reference/requirements.txt
    venv/bin/python trainer/tests/reference/metrics.py > trainer/tests/golden/metrics.json
"""

import json
import sys
import warnings

import numpy as np
from sklearn.calibration import calibration_curve
from sklearn.metrics import (
    average_precision_score,
    brier_score_loss,
    label_ranking_average_precision_score,
    log_loss,
    ndcg_score,
    recall_score,
    roc_auc_score,
    top_k_accuracy_score,
)

ITEMS = 50
random = np.random.default_rng(20)


def indicator(items):
    found = np.zeros(ITEMS)
    found[list(items)] = 1.0
    return found


def ranking(k, wanted_count):
    """One ranked list of distinct items and what was wanted; the first of it is the target."""
    ranked = random.permutation(ITEMS)
    # Wanted items stand rather in front, as in a list worth measuring.
    chance = 1 / np.arange(2, ITEMS + 2)
    wanted = random.choice(ranked, wanted_count, replace=False, p=chance / chance.sum())
    scores = np.empty(ITEMS)
    scores[ranked] = np.arange(ITEMS, 0, -1)
    target = int(wanted[0])
    # With one right label the average precision of the ranking is 1 / its place.
    reciprocal = label_ranking_average_precision_score([indicator([target])], [scores])
    hit = top_k_accuracy_score([target], [scores], k=k, labels=np.arange(ITEMS))
    return {
        "k": k,
        "ranked": ranked.tolist(),
        "wanted": wanted.tolist(),
        "target": target,
        "hit_rate": float(hit),
        "mrr": float(reciprocal) if hit else 0.0,
        "ndcg": float(ndcg_score([indicator(wanted)], [scores], k=k)),
        "recall": float(recall_score(indicator(wanted), indicator(ranked[:k]))),
    }


def classification(count, sharpness, ties):
    """Labels and probabilities that know something of them."""
    chance = random.beta(1.2, 4.0, count)
    labels = (random.random(count) < chance).astype(int)
    odds = np.log(chance / (1 - chance)) * sharpness + random.normal(0, 0.7, count)
    risks = 1 / (1 + np.exp(-odds))
    if ties:
        # Odd hundredths, so that none lies on the edge of a bin.
        risks = (np.floor(risks * 49) * 2 + 1) / 100
    right, said = calibration_curve(labels, risks, n_bins=10, strategy="uniform")
    sizes = np.histogram(risks, bins=np.linspace(0, 1, 11))[0]
    sizes = sizes[sizes > 0]
    return {
        "labels": labels.tolist(),
        "risks": risks.tolist(),
        "auc": float(roc_auc_score(labels, risks)),
        "average_precision": float(average_precision_score(labels, risks)),
        "log_loss": float(log_loss(labels, risks)),
        "brier": float(brier_score_loss(labels, risks)),
        "ece": float(np.sum(sizes * np.abs(right - said)) / count),
    }


def main():
    warnings.simplefilter("error")
    shapes = [(20, 1), (20, 7), (20, 30), (5, 3), (1, 2), (10, 10), (20, 2), (3, 1), (20, 12), (2, 5)]
    goldens = {
        "ranking": [ranking(k, wanted) for _ in range(3) for k, wanted in shapes],
        "classification": [
            classification(400, 1.0, ties=False),
            classification(400, 1.6, ties=True),
            classification(60, 0.3, ties=True),
        ],
    }
    json.dump(goldens, sys.stdout, separators=(",", ":"))
    sys.stdout.write("\n")


main()
