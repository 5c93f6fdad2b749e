"""Holds `cartwright features export` against a running server: what GetFeatures answered at a
moment is what the export of its event log says of that moment, to the last bit.

    python3 training_rows.py BINARY FEATURES-ADDRESS REDIS-URL
"""

import datetime
import json
import pathlib
import random
import struct
import subprocess
import sys
import tempfile
import time
import uuid

import grpc
import pandas
import pyarrow
import pyarrow.parquet
from google.protobuf.timestamp_pb2 import Timestamp

import stubs

KINDS = ["VIEW", "VIEW", "ADD_TO_CART", "REMOVE_FROM_CART", "CHECKOUT_START", "PURCHASE", "MESSAGE_SENT"]
CATEGORIES = ["home.bath", "home.kitchen", "toys", ""]


class Server:
    """Events in, features out, as a client sees them."""

    def __init__(self, pb, address):
        self.pb = pb
        channel = grpc.insecure_channel(address)
        self.events = pb.events_grpc.EventServiceStub(channel)
        self.features = pb.features_grpc.FeatureServiceStub(channel)

    def push(self, dice, shoppers, items):
        events = []
        for _ in range(6):
            item = dice.randrange(len(items))
            at = time.time() - dice.randrange(20) ** 4
            events.append(self.pb.events.Event(
                event_id=uuid.uuid4().hex, shopper_id=dice.choice(shoppers), type=dice.choice(KINDS),
                item_id=items[item], quantity=dice.randrange(1, 4), price_minor=499 + 700 * item, currency="EUR",
                occurred_at=Timestamp(seconds=int(at)), category=CATEGORIES[item], brand=f"brand-{item}"))
        answer = self.events.PushEvents(self.pb.events.PushEventsRequest(events=events))
        return sum(result.status == result.ACCEPTED for result in answer.results)

    def ask(self, entity, names):
        request = self.pb.features.GetFeaturesRequest(entities=[entity], features=names)
        answer = self.features.GetFeatures(request)
        now = answer.now.seconds * 1000 + answer.now.nanos // 1_000_000
        return now, [plain(value) for value in answer.rows[0].values]


def plain(value):
    kind = value.WhichOneof("value")
    found = getattr(value, kind) if kind else None
    status = value.Status.Name(value.status).lower()
    return exact(list(found.values) if kind in ("string_list", "double_list") else found), status


def exact(value):
    """A value that is equal only to the same bits."""
    if isinstance(value, float):
        return struct.pack("<d", value)
    return [exact(one) for one in value] if isinstance(value, list) else value


def run(binary, *args):
    done = subprocess.run([binary, "features", *args], capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"features {args[0]} failed: {done.stderr}")
    return json.loads(done.stdout)


def ask_and_push(server, names, dice):
    """The labels, and what the server said when they were made."""
    shoppers = [f"{name}-{uuid.uuid4().hex[:8]}" for name in ("ann", "bob", "nobody")]
    items = [f"item-{n}-{uuid.uuid4().hex[:8]}" for n in range(4)]
    shopper_names = [name for name in names if name.startswith("shopper.")]
    labels, said = [], []
    for _ in range(25):
        accepted = server.push(dice, shoppers[:2], items)
        for shopper in shoppers:
            at, values = server.ask(server.pb.features.Entity(shopper_id=shopper), shopper_names)
            labels.append({"shopper_id": shopper, "at": at, "accepted": accepted})
            said.append(values)
        # What is accepted within the millisecond of a question may be before it or behind it.
        time.sleep(0.003)
    return labels, said, shopper_names


def check_bits(binary, redis, names, labels, said, folder):
    table = pyarrow.Table.from_pylist(labels)
    order = list(range(len(labels)))
    random.Random(1).shuffle(order)
    table = table.take(order)
    at = table["at"].cast(pyarrow.timestamp("ms", tz="UTC"))
    pyarrow.parquet.write_table(table.set_column(1, "at", at), folder / "labels.parquet")
    (folder / "names").write_text("# those of a shopper\n" + "\n".join(names) + "\n")
    report = run(binary, "export", "--redis", redis, "--labels", folder / "labels.parquet", "--out",
                 folder / "rows.parquet", "--features-file", folder / "names", "--statuses", "--json")
    rows = pyarrow.parquet.read_table(folder / "rows.parquet").to_pylist()
    assert report["rows"] == len(rows) == len(labels), report
    for row, position in zip(rows, order):
        assert row["shopper_id"] == labels[position]["shopper_id"]
        assert row["accepted"] == labels[position]["accepted"]
        assert round(row["at"].timestamp() * 1000) == labels[position]["at"]
        for name, (value, status) in zip(names, said[position]):
            found = (exact(row[name]), row[f"{name}.status"])
            assert found == (value, status), f"{name} at {row['at']}: {found}, served {(value, status)}"
    return len(rows)


def check_pandas(binary, folder):
    """Labels as pandas writes them by default, and the output as it reads them."""
    start = datetime.datetime(2024, 3, 1, 12, tzinfo=datetime.timezone.utc)
    events = [{"event_id": str(n), "shopper_id": "ann", "type": "VIEW", "item_id": "lamp",
               "occurred_at": (start + datetime.timedelta(minutes=n)).isoformat()} for n in range(10)]
    (folder / "events.jsonl").write_text("\n".join(map(json.dumps, events)) + "\n")
    labels = pandas.DataFrame({
        "shopper_id": ["ann", "bob", "ann"], "item_id": ["lamp", None, "rug"],
        "at": pandas.to_datetime(["2024-03-01 12:03:00", "2024-03-01 12:03:00", "2024-03-01 12:30:00"]),
        "bought": [True, False, True], "group": pandas.Categorical(["a", "b", "a"])}, index=[7, 8, 9])
    for name, write in (("labels.parquet", labels.to_parquet), ("labels.csv", labels.to_csv)):
        write(folder / name)
        run(binary, "export", "--events", folder / "events.jsonl", "--labels", folder / name, "--out",
            folder / "rows.parquet", "--json", "--features",
            "shopper.view_count_24h,item.view_count_24h,shopper.recent_items,shopper.is_new")
        rows = pandas.read_parquet(folder / "rows.parquet")
        assert list(rows["shopper.view_count_24h"].fillna(-1)) == [4, -1, 10], rows
        assert list(rows["item.view_count_24h"].fillna(-1)) == [3, -1, -1], rows
        assert list(rows["shopper.recent_items"][rows.index[0]]) == ["lamp"], rows
        assert list(rows["bought"]) == [True, False, True], rows
        if name == "labels.parquet":
            assert rows[labels.columns].equals(labels), rows.dtypes


def main():
    binary, address, redis = sys.argv[1:]
    names = [feature["name"] for feature in run(binary, "list", "--json")]
    server = Server(stubs.compile_contract(), address)
    labels, said, names = ask_and_push(server, names, random.Random(11))
    with tempfile.TemporaryDirectory(prefix="cartwright-rows-") as folder:
        folder = pathlib.Path(folder)
        rows = check_bits(binary, redis, names, labels, said, folder)
        check_pandas(binary, folder)
    print(f"ok     {rows} rows of {len(names)} features, as the server answered them")


if __name__ == "__main__":
    main()
