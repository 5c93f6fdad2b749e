"""Goldens of current libraries. A golden that exists is never made again unless it is named."""

import re

import lightgbm
import numpy as np
import xgboost

import make_onnx
from golden import Goldens, edges, golden, near, table, truth

goldens = Goldens()
make_onnx.add_to(goldens)
LIGHTGBM = f"lightgbm {lightgbm.__version__}"
XGBOOST = f"xgboost {xgboost.__version__}"


def of_lightgbm(booster, rows):
    text = booster.model_to_string()
    # What the parameters were is of no use to a reader of the model.
    text = text[: text.index("\nparameters:")] + "\n\npandas_categorical:null\n"
    thresholds = [float(x) for line in re.findall(r"^threshold=(.*)$", text, re.M) for x in line.split()]
    rows = np.concatenate([rows, near(thresholds, rows.shape[1])])
    again = lightgbm.Booster(model_str=text)
    raw = again.predict(rows, raw_score=True, num_threads=1)
    scores = again.predict(rows, num_threads=1)
    return golden(LIGHTGBM, rows, raw, scores), "txt", text.encode()


def lgb(x, y, rounds, categorical="auto", group=None, **parameters):
    parameters = {"verbose": -1, "num_threads": 1, "deterministic": True, "force_row_wise": True,
                  "seed": 3, "min_data_in_leaf": 5, "num_leaves": 15, **parameters}
    data = lightgbm.Dataset(x, y, group=group, categorical_feature=categorical, free_raw_data=False)
    return lightgbm.train(parameters, data, rounds)


@goldens.golden
def lightgbm_binary_categories():
    x = table(800, 6, 1)
    rng = np.random.default_rng(2)
    x[:, 4] = rng.integers(0, 12, len(x))
    x[:, 5] = rng.choice([0, 3, 40, 999, 70_001], len(x))
    x[rng.random(len(x)) < 0.1, 4] = np.nan
    y = truth(x) + np.isin(x[:, 4], [1, 4, 7]) - np.isin(x[:, 5], [40, 70_001]) > 0
    booster = lgb(x, y, 12, [4, 5], objective="binary", sigmoid=0.7, min_data_per_group=5,
                  cat_smooth=1, max_cat_to_onehot=2)
    return of_lightgbm(booster, np.concatenate([table(60, 6, 3), edges(6, [4, 5])]))


@goldens.golden
def lightgbm_zero_as_missing():
    x = table(600, 5, 4, zeros=0.3)
    booster = lgb(x, truth(x), 12, objective="regression", zero_as_missing=True)
    return of_lightgbm(booster, np.concatenate([table(60, 5, 5, zeros=0.3), edges(5)]))


@goldens.golden
def lightgbm_nothing_missing():
    x = table(600, 5, 6, gaps=0, zeros=0.1)
    y = np.random.default_rng(7).poisson(np.exp(0.3 * truth(x).clip(-3, 3)))
    booster = lgb(x, y, 12, objective="poisson", use_missing=False)
    return of_lightgbm(booster, np.concatenate([table(60, 5, 8), edges(5)]))


@goldens.golden
def lightgbm_lambdarank():
    x = table(600, 5, 9)
    y = np.digitize(truth(x), [-1, 0, 1.5])
    booster = lgb(x, y, 12, group=[20] * 30, objective="lambdarank")
    return of_lightgbm(booster, np.concatenate([table(60, 5, 10), edges(5)]))


@goldens.golden
def lightgbm_random_forest():
    x = table(600, 5, 12)
    booster = lgb(x, truth(x) > 0, 7, objective="binary", boosting="rf", bagging_freq=1,
                  bagging_fraction=0.6)
    return of_lightgbm(booster, np.concatenate([table(60, 5, 13), edges(5)]))


@goldens.golden
def lightgbm_dart_cross_entropy():
    x = table(600, 4, 14)
    y = 1 / (1 + np.exp(-truth(x)))
    booster = lgb(x, y, 10, objective="cross_entropy", boosting="dart", drop_rate=0.5)
    return of_lightgbm(booster, np.concatenate([table(60, 4, 15), edges(4)]))


@goldens.golden
def lightgbm_cross_entropy_lambda():
    x = table(600, 4, 16)
    y = 1 / (1 + np.exp(-truth(x)))
    booster = lgb(x, y, 8, objective="cross_entropy_lambda")
    return of_lightgbm(booster, np.concatenate([table(60, 4, 17), edges(4)]))


@goldens.golden
def lightgbm_square_root():
    x = table(600, 4, 18)
    booster = lgb(x, 3 * truth(x), 8, objective="regression", reg_sqrt=True)
    return of_lightgbm(booster, np.concatenate([table(60, 4, 19), edges(4)]))


@goldens.golden
def lightgbm_one_leaf():
    x = table(100, 3, 20)
    booster = lgb(x, truth(x), 3, objective="regression", min_data_in_leaf=90)
    return of_lightgbm(booster, edges(3))


@goldens.golden
def lightgbm_very_deep():
    """Each split cuts off the last row: a tree of 90 leaves in a chain."""
    x = np.stack([np.arange(90), np.zeros(90)], axis=1).astype(np.float32)
    booster = lgb(x, 3.0 ** np.arange(90) / 3.0**60, 2, objective="regression", num_leaves=90,
                  min_data_in_leaf=1, min_data_in_bin=1, min_sum_hessian_in_leaf=0, max_bin=255)
    return of_lightgbm(booster, np.concatenate([x, x + 0.5, edges(2)]))


@goldens.golden
def lightgbm_many_leaves():
    """More leaves than a byte can count."""
    x = table(3_000, 3, 21, gaps=0.02)
    booster = lgb(x, truth(x), 1, objective="regression", num_leaves=300, min_data_in_leaf=2)
    return of_lightgbm(booster, np.concatenate([table(60, 3, 22), edges(3)]))


@goldens.golden
def lightgbm_thresholds_at_the_ends():
    """Thresholds that training avoids, written into a model."""
    x = table(600, 3, 23, zeros=0.2)
    booster = lgb(x, truth(x), 6, objective="regression", num_leaves=8)
    text = booster.model_to_string()
    odd = iter(["1e-36", "-1e-36", "-1e-35", "1e300", "-1e300", "0", "-0", "3.5e38", "1e-45",
                "-3.4028235677973366e+38", "1.1754943508222875e-38"] * 4)
    text = re.sub(r"^threshold=.*$",
                  lambda line: "threshold=" + " ".join(next(odd) for _ in line[0].split()),
                  text, flags=re.M)
    kinds = iter([0, 2, 4, 6, 8, 10] * 8)
    text = re.sub(r"^decision_type=.*$",
                  lambda line: "decision_type=" + " ".join(str(next(kinds)) for _ in line[0].split()),
                  text, flags=re.M)
    text = re.sub(r"^tree_sizes=.*\n", "", text, flags=re.M)
    booster = lightgbm.Booster(model_str=text)
    return of_lightgbm(booster, np.concatenate([table(40, 3, 24, zeros=0.2), edges(3)]))


def of_xgboost(booster, rows, kinds=None):
    model = bytes(booster.save_raw("json"))
    thresholds = re.findall(rb'"split_conditions":\[([^]]*)\]', model)
    thresholds = [float(x) for line in thresholds for x in line.split(b",")]
    rows = np.concatenate([rows, near(thresholds, rows.shape[1])])
    if kinds:
        for column in (at for at, kind in enumerate(kinds) if kind == "c"):
            rows[-72:, column] = np.abs(np.nan_to_num(rows[-72:, column])).clip(0, 30).astype(int)
    data = xgboost.DMatrix(rows, feature_types=kinds, enable_categorical=True)
    raw = booster.predict(data, output_margin=True)
    scores = booster.predict(data)
    return golden(XGBOOST, rows, raw, scores), "json", model


def xgb(x, y, rounds, kinds=None, group=None, **parameters):
    parameters = {"nthread": 1, "seed": 3, "tree_method": "hist", "max_depth": 4, **parameters}
    data = xgboost.DMatrix(x, y, feature_types=kinds, enable_categorical=True)
    if group is not None:
        data.set_group(group)
    return xgboost.train(parameters, data, rounds)


@goldens.golden
def xgboost_binary_categories():
    kinds = ["q", "q", "q", "q", "c", "c"]
    x = table(800, 6, 31)
    rng = np.random.default_rng(32)
    x[:, 4] = rng.integers(0, 12, len(x))
    x[:, 5] = rng.choice([0, 1, 2, 40, 99], len(x))
    x[rng.random(len(x)) < 0.1, 4] = np.nan
    y = truth(x) + np.isin(x[:, 4], [1, 4, 7]) - np.isin(x[:, 5], [40, 99]) > 0
    booster = xgb(x, y, 12, kinds, objective="binary:logistic", max_cat_to_onehot=6)
    rows = table(80, 6, 33)
    rows[:, 4] = rng.integers(0, 14, len(rows))
    rows[:, 5] = rng.choice([0, 1, 2, 3, 40, 98, 99, 100, 70_001], len(rows))
    rows[::9, 4:] = np.nan
    rows[1::9, 5] = 2.7
    rows[2::9, 5] = -0.0
    # XGBoost refuses other negative categories.
    return of_xgboost(booster, rows, kinds)


@goldens.golden
def xgboost_squared_error():
    x = table(600, 5, 34)
    booster = xgb(x, 100 + 20 * truth(x), 30, objective="reg:squarederror", max_depth=3)
    return of_xgboost(booster, np.concatenate([table(60, 5, 35), edges(5, infinite=False)]))


@goldens.golden
def xgboost_poisson():
    x = table(600, 4, 36)
    y = np.random.default_rng(37).poisson(np.exp(0.3 * truth(x).clip(-3, 3)))
    booster = xgb(x, y, 10, objective="count:poisson")
    return of_xgboost(booster, np.concatenate([table(60, 4, 38), edges(4, infinite=False)]))


@goldens.golden
def xgboost_rank():
    x = table(600, 5, 39)
    booster = xgb(x, np.digitize(truth(x), [-1, 0, 1.5]), 10, group=[20] * 30, objective="rank:ndcg")
    return of_xgboost(booster, np.concatenate([table(60, 5, 40), edges(5, infinite=False)]))


@goldens.golden
def xgboost_dart():
    x = table(600, 4, 41)
    booster = xgb(x, truth(x) > 0, 10, objective="binary:logistic", booster="dart", rate_drop=0.5)
    return of_xgboost(booster, np.concatenate([table(60, 4, 42), edges(4, infinite=False)]))


@goldens.golden
def xgboost_hinge():
    x = table(400, 4, 43)
    booster = xgb(x, truth(x) > 0, 4, objective="binary:hinge", base_score=0.3)
    return of_xgboost(booster, np.concatenate([table(60, 4, 44), edges(4, infinite=False)]))


@goldens.golden
def xgboost_gamma_forest():
    """Trees in parallel, cut back after they were grown."""
    x = table(600, 4, 45)
    booster = xgb(x, np.exp(truth(x).clip(-2, 2)), 3, objective="reg:gamma", num_parallel_tree=3,
                  subsample=0.6, tree_method="exact", gamma=2.0)
    return of_xgboost(booster, np.concatenate([table(60, 4, 46), edges(4, infinite=False)]))


@goldens.golden
def xgboost_logit_raw():
    x = table(400, 4, 47)
    booster = xgb(x, truth(x) > 0.4, 6, objective="binary:logitraw", grow_policy="lossguide",
                  max_leaves=12, max_depth=0)
    return of_xgboost(booster, np.concatenate([table(60, 4, 48), edges(4, infinite=False)]))


@goldens.golden
def xgboost_one_leaf():
    x = table(100, 3, 49)
    booster = xgb(x, truth(x), 2, objective="reg:squarederror", min_child_weight=1e6)
    return of_xgboost(booster, edges(3, infinite=False))


@goldens.golden
def xgboost_very_deep():
    x = np.stack([np.arange(90), np.zeros(90)], axis=1).astype(np.float32)
    booster = xgb(x, 3.0 ** np.arange(90) / 3.0**60, 2, objective="reg:squarederror", max_depth=0,
                  max_leaves=90, grow_policy="lossguide", min_child_weight=0, reg_lambda=0)
    return of_xgboost(booster, np.concatenate([x, x + 0.5, edges(2, infinite=False)]))


def of_a_role():
    """Items 1 to 10 at 10 to 100 EUR, the first two in the cart: what the role that ranks makes of
    them. Nothing is known of the shopper."""
    names = ["log_price", "log_price_ratio", "in_cart", "cart_lines", "shopper.idle_s"]
    price = np.arange(1, 11) * 1000.0
    rows = np.stack([np.log(price), np.log(price / 1500), price <= 2000, np.full(10, 2),
                     np.full(10, np.nan)], axis=1)
    x = np.repeat(rows, 60, axis=0)
    x += np.random.default_rng(51).normal(size=x.shape) * [0.2, 0.2, 0, 0.5, 0]
    x[::3, 4] = 60.0
    y = np.digitize(np.sin(9 * x[:, 0]) + 0.2 * np.isnan(x[:, 4]), [-0.3, 0.4])
    return names, rows.astype(np.float32), x.astype(np.float32), y


@goldens.golden
def lightgbm_ranker():
    names, rows, x, y = of_a_role()
    data = lightgbm.Dataset(x, y, group=[20] * 30, feature_name=names)
    booster = lightgbm.train({"objective": "lambdarank", "num_leaves": 15, "min_data_in_leaf": 5,
                              "verbose": -1, "num_threads": 1, "seed": 3}, data, 12)
    text = booster.model_to_string()
    text = text[: text.index("\nparameters:")] + "\n\npandas_categorical:null\n"
    scores = booster.predict(rows, num_threads=1)
    return golden(LIGHTGBM, rows, scores, scores), "txt", text.encode()


@goldens.golden
def xgboost_ranker():
    names, rows, x, y = of_a_role()
    data = xgboost.DMatrix(x, y > 1, feature_names=names)
    booster = xgboost.train({"objective": "binary:logistic", "max_depth": 4, "nthread": 1, "seed": 3},
                            data, 12)
    rows_of = xgboost.DMatrix(rows, feature_names=names)
    raw = booster.predict(rows_of, output_margin=True)
    return golden(XGBOOST, rows, raw, booster.predict(rows_of)), "json", bytes(booster.save_raw("json"))


@goldens.golden
def onnx_ranker():
    names, rows, _, _ = of_a_role()
    return make_onnx.ranker(names, rows)


if __name__ == "__main__":
    goldens.run()
