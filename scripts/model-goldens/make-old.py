"""Goldens of the first schema of XGBoost's JSON, as its version 1 writes it."""

import json
import pathlib
import tempfile

import numpy as np
import xgboost

from golden import Goldens, edges, golden, near, table, truth

goldens = Goldens()


def of(booster, rows):
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "model.json"
        booster.save_model(str(file))
        model = file.read_bytes()
    trees = json.loads(model)["learner"]["gradient_booster"]["model"]["trees"]
    rows = np.concatenate([rows, near(np.concatenate([t["split_conditions"] for t in trees]), rows.shape[1])])
    data = xgboost.DMatrix(rows)
    raw = booster.predict(data, output_margin=True)
    library = f"xgboost {xgboost.__version__}"
    return golden(library, rows, raw, booster.predict(data)), "json", model


@goldens.golden
def xgboost_1_binary():
    x = table(600, 5, 61)
    data = xgboost.DMatrix(x, truth(x) > 0, feature_names=[f"shop.{at}" for at in range(5)])
    booster = xgboost.train({"objective": "binary:logistic", "max_depth": 4, "nthread": 1,
                             "base_score": 0.25, "seed": 3}, data, 12)
    booster.feature_names = None
    return of(booster, np.concatenate([table(60, 5, 62), edges(5, infinite=False)]))


if __name__ == "__main__":
    goldens.run()
