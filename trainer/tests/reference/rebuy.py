"""How fast what was bought before loses its say about the next basket.

Items bought before a cut are ordered by the sum over their purchases of 2^(-age / half-life), ties
by id, and held against the first basket after the cut of each customer who had bought before.

    zstd -dc online_retail.csv.zst > online_retail.csv
    python3 rebuy.py online_retail.csv
"""

import sys

import numpy as np
import pandas as pd

PLACES = 20
HALF_LIVES_DAYS = [7, 14, 30, 60, 90, 120, 180, 365, 1e9]
MONTHS = [("2011-09-01", "2011-10-01"), ("2011-10-01", "2011-11-01")]


def baskets(path):
    rows = pd.read_csv(path, encoding="latin-1", parse_dates=["InvoiceDate"])
    good = rows.CustomerID.notna() & (rows.Quantity > 0) & (rows.UnitPrice > 0)
    return rows[good]


def next_baskets(rows, cut, end):
    later = rows[(rows.InvoiceDate >= cut) & (rows.InvoiceDate < end)]
    first = later.sort_values("InvoiceDate").groupby("CustomerID").InvoiceNo.first()
    return later[later.InvoiceNo.isin(first)].groupby("CustomerID").StockCode.agg(set)


def measure(rows, cut, end):
    wanted = next_baskets(rows, cut, end)
    past = rows[(rows.InvoiceDate < cut) & rows.CustomerID.isin(wanted.index)]
    past = past.drop_duplicates(["CustomerID", "InvoiceNo", "StockCode"])
    days = (pd.Timestamp(cut) - past.InvoiceDate).dt.total_seconds() / 86400
    for half_life in HALF_LIVES_DAYS:
        weighted = past.assign(weight=np.maximum(2.0 ** (-days / half_life), 1e-3))
        scores = weighted.groupby(["CustomerID", "StockCode"]).weight.sum().reset_index()
        scores = scores.sort_values(["weight", "StockCode"], ascending=[False, True])
        recalls = [
            len(set(items.StockCode.head(PLACES)) & wanted[customer]) / len(wanted[customer])
            for customer, items in scores.groupby("CustomerID")
        ]
        print(f"{cut} half-life {half_life:g} d: recall@{PLACES} {np.mean(recalls):.4f} "
              f"of {len(recalls)} customers")


if __name__ == "__main__":
    log = baskets(sys.argv[1])
    for cut, end in MONTHS:
        measure(log, cut, end)
