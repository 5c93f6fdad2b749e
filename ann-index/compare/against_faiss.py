"""Compares the index that a snapshot would get with faiss-cpu, at the same recall, in one run.

Both sides get the same vectors, the same queries and the same filters, run on one thread, one query
at a time, and take turns, round by round. Of FAISS, Flat, IVF,SQ8 and HNSW are each tuned, on the
very queries that are then timed, to the least effort that reaches our recall (at most 0.97: where
our answer is exact FAISS need not be), and the fastest counts. Ours is tuned on queries of its own,
as for a snapshot.

    make compare-ann
    make compare-ann ARGS="--sets 100000x64 --json compare.json"
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

import faiss
import numpy as np

K = 100
LATENT = 24
ENOUGH = 0.97
RANDOM = np.random.default_rng


def vectors_of(rows, dimension, seed):
    """Unit vectors in clusters whose sizes follow Zipf's law, of 24 latent dimensions."""
    random = RANDOM(seed)
    clusters = max(rows // 50, 10)
    share = 1 / np.arange(1, clusters + 1)
    cluster = random.choice(clusters, rows, p=share / share.sum())
    centres = random.standard_normal((clusters, LATENT), dtype=np.float32)
    latent = centres[cluster] + 0.5 * random.standard_normal((rows, LATENT), dtype=np.float32)
    basis = np.linalg.qr(random.standard_normal((dimension, LATENT)))[0].astype(np.float32)
    data = latent @ basis.T + 0.05 * random.standard_normal((rows, dimension), dtype=np.float32)
    return unit(data), cluster


def carts_of(vectors, count, seed):
    """Means of three items, with some noise: harder than items themselves."""
    random = RANDOM(seed)
    items = vectors[random.integers(0, len(vectors), (count, 3))].mean(axis=1)
    noise = random.standard_normal(items.shape, dtype=np.float32)
    return unit(items + 0.1 / np.sqrt(items.shape[1]) * noise)


def unit(data):
    return np.ascontiguousarray(data / np.linalg.norm(data, axis=1, keepdims=True), dtype=np.float32)


def masks_of(cluster, seed):
    """Filters by name: drawn evenly, whole clusters, and the AND of the two."""
    random = RANDOM(seed)
    rows = len(cluster)
    even, ranks = random.random(rows), random.permutation(int(cluster.max()) + 1)
    # Whole clusters in a random order, the last one cut.
    place = np.empty(rows, dtype=np.int64)
    place[np.lexsort((even, ranks[cluster]))] = np.arange(rows)

    def drawn(share):
        return random.permutation(rows) < share * rows

    def clustered(share):
        return place < share * rows

    masks = {"all": None}
    for share in (0.5, 0.1, 0.01, 0.001):
        masks[f"{share} random"] = drawn(share)
        masks[f"{share} clusters"] = clustered(share)
        if share in (0.1, 0.01):
            masks[f"{share} both"] = drawn(share**0.5) & clustered(share**0.5)
    return masks


def truth_of(vectors, queries, mask):
    allowed = np.arange(len(vectors)) if mask is None else np.flatnonzero(mask)
    rows, found = vectors[allowed], []
    for part in np.array_split(queries, max(1, len(queries) // 25)):
        scores = part @ rows.T
        count = min(K, len(allowed))
        found.append(allowed[np.argpartition(-scores, count - 1, axis=1)[:, :count]])
    return np.concatenate(found)


def recall_of(truth, ids):
    met = sum(len(np.intersect1d(a, b)) for a, b in zip(truth, ids, strict=True))
    return met / truth.size


class Faiss:
    """One FAISS index, searched with a parameter and a filter."""

    def __init__(self, name, index, parameters, efforts):
        self.name, self.index, self.parameters, self.efforts = name, index, parameters, efforts

    def prepare(self, effort, bits):
        selector = None
        if bits is not None:
            selector = faiss.IDSelectorBitmap(len(bits), faiss.swig_ptr(bits))
        arguments = {self.parameters[1]: effort} if self.parameters[1] else {}
        return self.parameters[0](sel=selector, **arguments)

    def ids(self, queries, effort, bits):
        return self.index.search(queries, K, params=self.prepare(effort, bits))[1]

    def tune(self, queries, truth, bits, wanted):
        """The least effort that reaches the recall, or None."""
        reached = lambda effort: recall_of(truth, self.ids(queries, effort, bits)) >= wanted
        below = 0
        for effort in self.efforts:
            if reached(effort):
                break
            below = effort
        else:
            return None
        while effort - below > max(1, effort // 32):
            middle = (below + effort) // 2
            below, effort = (below, middle) if reached(middle) else (middle, effort)
        return effort

    def times(self, queries, effort, bits):
        """Nanoseconds of each query, without the wrapping that Python puts around a search."""
        parameters = self.prepare(effort, bits)
        scores, ids = np.empty(K, dtype=np.float32), np.empty(K, dtype=np.int64)
        to_scores, to_ids = faiss.swig_ptr(scores), faiss.swig_ptr(ids)
        pointers = [faiss.swig_ptr(query) for query in queries]
        spent = np.empty(len(queries), dtype=np.int64)
        for at, pointer in enumerate(pointers):
            begin = time.perf_counter_ns()
            self.index.search_c(1, pointer, K, to_scores, to_ids, parameters)
            spent[at] = time.perf_counter_ns() - begin
        return spent


def doubling(least, most):
    efforts = []
    while least < most:
        efforts.append(least)
        least *= 2
    return [*efforts, most]


def faiss_indexes(vectors, hnsw, work):
    rows, dimension = vectors.shape
    flat = faiss.IndexFlatIP(dimension)
    flat.add(vectors)
    yield Faiss("Flat", flat, (faiss.SearchParameters, None), [1])
    for lists in (1024, 2048) if rows <= 200_000 else (4096, 8192):
        name = f"IVF{lists},SQ8"
        index = cached(work, name, lambda: built(dimension, name, vectors))
        yield Faiss(name, index, (faiss.SearchParametersIVF, "nprobe"), doubling(8, lists))
    if hnsw:
        index = cached(work, "HNSW32", lambda: built(dimension, "HNSW32", vectors))
        yield Faiss("HNSW32", index, (faiss.SearchParametersHNSW, "efSearch"), doubling(K, 3200))


def built(dimension, name, vectors):
    index = faiss.index_factory(dimension, name, faiss.METRIC_INNER_PRODUCT)
    if isinstance(index, faiss.IndexHNSW):
        index.hnsw.efConstruction = 100
    if isinstance(index, faiss.IndexIVF):
        # Twice as many as our own k-means gets; the default would take four times as long.
        index.cp.max_points_per_centroid = 64
    faiss.omp_set_num_threads(2)
    index.train(vectors)
    index.add(vectors)
    faiss.omp_set_num_threads(1)
    return index


def cached(work, name, build):
    path = work / f"{name}.faiss"
    if not path.exists():
        say(f"building {name}")
        faiss.write_index(build(), str(path))
    return faiss.read_index(str(path))


class Ours:
    def __init__(self, program, work, dimension):
        command = [program, str(work), str(K), str(dimension)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.work = work
        self.built = self.answer()

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            sys.exit("our side ended early; what it said is above")
        return json.loads(line)

    def run(self, name):
        out = self.work / "answers"
        self.process.stdin.write(f"{name.replace(' ', '-')} {out}\n")
        self.process.stdin.flush()
        report = self.answer()
        rows = np.fromfile(out, dtype=[("ns", "<u8"), ("ids", "<u4", (K,))])
        return report, rows["ns"], rows["ids"].astype(np.int64)

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def compare(rows, dimension, options):
    work = options.work / f"{rows}x{dimension}"
    work.mkdir(parents=True, exist_ok=True)
    say(f"{rows} x {dimension}: data")
    vectors, cluster = vectors_of(rows, dimension, options.seed)
    vectors.tofile(work / "vectors.f32")
    carts_of(vectors, 200, options.seed + 1).tofile(work / "tune.f32")
    queries = carts_of(vectors, options.queries, options.seed + 2)
    queries.tofile(work / "queries.f32")
    masks = masks_of(cluster, options.seed + 3)
    bits = {name: packed(mask) for name, mask in masks.items()}
    for name, words in bits.items():
        if words is not None:
            words.tofile(work / f"mask-{name.replace(' ', '-')}.bits")
    say("our index")
    ours = Ours(options.program, work, dimension)
    say(json.dumps(ours.built))
    indexes = list(faiss_indexes(vectors, options.hnsw, work))
    lines = []
    for name, mask in masks.items():
        truth = truth_of(vectors, queries, mask)
        line = one_band(ours, indexes, name, queries, truth, bits[name], options.rounds)
        lines.append({"rows": rows, "dimension": dimension, "filter": name, **line})
        say(row_of(lines[-1]))
    ours.close()
    return {"set": f"{rows}x{dimension}", "ours": ours.built, "lines": lines}


def packed(mask):
    if mask is None:
        return None
    words = np.zeros(-(-len(mask) // 64) * 8, dtype=np.uint8)
    bits = np.packbits(mask, bitorder="little")
    words[: len(bits)] = bits
    return words


def one_band(ours, indexes, name, queries, truth, bits, rounds):
    report, _, ids = ours.run(name)
    recall = recall_of(truth, ids)
    wanted = min(recall, ENOUGH)
    tuned = [(index, index.tune(queries, truth, bits, wanted)) for index in indexes]
    tuned = [(index, effort) for index, effort in tuned if effort is not None]
    mine, theirs = [], {index.name: [] for index, _ in tuned}
    for _ in range(rounds):
        mine.append(ours.run(name)[1])
        for index, effort in tuned:
            theirs[index.name].append(index.times(queries, effort, bits))
    best, effort = min(tuned, key=lambda one: p50(theirs[one[0].name]))
    faiss_ms, our_ms = p50(theirs[best.name]), p50(mine)
    return {
        "recall": round(recall, 4),
        "ms": our_ms,
        "exact": report["exact"],
        "lists": report["lists"],
        "scanned": report["scanned"],
        "faiss": best.name,
        "effort": effort,
        "faiss_recall": round(recall_of(truth, best.ids(queries, effort, bits)), 4),
        "faiss_ms": faiss_ms,
        "ratio": round(faiss_ms / our_ms, 2),
        "all_faiss": {index.name: {"effort": effort, "ms": p50(theirs[index.name])} for index, effort in tuned},
    }


def p50(rounds):
    """Median over the queries of each one's best round, in ms: others use the machine too."""
    return round(float(np.median(np.min(rounds, axis=0))) / 1e6, 4)


HEAD = f"{'set':>13} {'filter':<14} {'recall':>6} {'ms':>7}  {'FAISS':<12} {'effort':>6} {'recall':>6} {'ms':>7} {'ratio':>6}"


def row_of(line):
    shape = f"{line['rows']}x{line['dimension']}"
    mark = "exact" if line["exact"] else ""
    return (
        f"{shape:>13} {line['filter']:<14} {line['recall']:>6.3f} {line['ms']:>7.3f}  {line['faiss']:<12}"
        f" {line['effort']:>6} {line['faiss_recall']:>6.3f} {line['faiss_ms']:>7.3f} {line['ratio']:>6.2f} {mark}"
    )


def say(text):
    print(text, file=sys.stderr, flush=True)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", required=True, help="our side: the built example `compare`")
    parser.add_argument("--work", type=Path, required=True, help="folder for data and built indexes")
    parser.add_argument("--sets", default="100000x64,100000x128,1000000x64", help="rows x dimension, several by comma")
    parser.add_argument("--queries", type=int, default=200, help="timed queries (default 200)")
    parser.add_argument("--rounds", type=int, default=7, help="turns of each side (default 7)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--no-hnsw", dest="hnsw", action="store_false", help="without HNSW, which takes minutes to build")
    parser.add_argument("--json", type=Path, help="also write everything to this file")
    return parser.parse_args()


def main():
    options = arguments()
    faiss.omp_set_num_threads(1)
    sets = [tuple(map(int, name.split("x"))) for name in options.sets.split(",")]
    found = [compare(rows, dimension, options) for rows, dimension in sets]
    print(HEAD)
    for one in found:
        for line in one["lines"]:
            print(row_of(line))
    if options.json:
        options.json.write_text(json.dumps({"faiss": faiss.__version__, "k": K, "sets": found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
