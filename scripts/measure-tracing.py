"""Measures what tracing costs; `scripts/measure-tracing.sh` says how, and calls this."""

import argparse
import json
import math
import os
import pathlib
import re
import socket
import statistics
import subprocess
import sys
import time
import urllib.request

# Two-sided 95 % quantiles of Student's t by degrees of freedom; beyond the last, the normal one.
STUDENT = {1: 12.71, 2: 4.30, 3: 3.18, 4: 2.78, 5: 2.57, 7: 2.36, 9: 2.26, 11: 2.20, 15: 2.13, 19: 2.09,
           23: 2.07, 31: 2.04, 39: 2.02, 59: 2.00}
# Seconds until memory, connections and what is usual are those of a role that runs.
WARM = 4
COUNTED = re.compile(r'^cartwright_recovery_requests_total\{.*RecoveryService/Decide".*code="OK"\} (\d+)', re.M)


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Servers:
    """Three processes over one Redis."""

    def __init__(self, args, name, flags, environment):
        self.args, self.name, self.processes = args, name, []
        self.ports = {role: free_port() for role in ("features", "candidates", "recovery")}
        self.admin = free_port()
        url = lambda role: f"http://127.0.0.1:{self.ports[role]}"
        snapshot = ["--snapshot", f"{args.work}/snapshot"]
        redis = ["--redis", args.redis]
        features, candidates = ["--features", url("features")], ["--candidates", url("candidates")]
        extra = {"features": redis, "candidates": snapshot + features, "recovery": snapshot + features + candidates}
        for role, more in extra.items():
            admin = f"127.0.0.1:{self.admin}" if role == "recovery" else "none"
            command = [f"{args.bin}/cartwright", "serve", role, "--addr", f"127.0.0.1:{self.ports[role]}",
                       "--admin", admin, "--log", "warn", *more, *flags]
            log = open(f"{args.work}/{name}-{role}.log", "w")
            self.processes.append(subprocess.Popen(
                command, env={**os.environ, **environment}, stdout=log, stderr=log))
        self.urls = [f"--{role}={url(role)}" for role in self.ports]
        self.wait()

    def wait(self):
        until = time.time() + 60
        while True:
            try:
                if urllib.request.urlopen(f"http://127.0.0.1:{self.admin}/ready").status == 200:
                    return
            except OSError:
                pass
            if time.time() > until:
                raise SystemExit(f"{self.name} is not ready; its logs are in {self.args.work}")
            time.sleep(0.1)

    def cpu_ns(self):
        """What all threads of the three processes ran so far."""
        total = 0
        for process in self.processes:
            for task in pathlib.Path(f"/proc/{process.pid}/task").iterdir():
                try:
                    total += int((task / "schedstat").read_text().split()[0])
                except FileNotFoundError:
                    pass
        return total

    def decisions(self):
        page = urllib.request.urlopen(f"http://127.0.0.1:{self.admin}/metrics").read().decode()
        return sum(int(count) for count in COUNTED.findall(page))

    def load(self, seconds):
        """A load generator of its own, as busy for this side as for the other."""
        return subprocess.Popen(
            [f"{self.args.bin}/cartwright-loadtest", "decide", *self.urls, "--rate", str(self.args.rate),
             "--duration", f"{seconds}s", "--warmup", "0s", "--shoppers", "300", "--items", "500"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def so_far(self):
        return self.cpu_ns(), self.decisions()

    def stop(self):
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.wait()


def compare(args, receiver):
    """(without, with) of each window, in microseconds of CPU per decision."""
    pairs = []
    each = math.ceil(args.windows / args.rounds)
    for round_ in range(args.rounds):
        start = {"off": lambda: Servers(args, "off", [], {"CARTWRIGHT_TELEMETRY_TRACE": "false"}),
                 "on": lambda: Servers(args, "on", ["--otlp", receiver, "--trace-sample", str(args.sample)], {})}
        order = ["off", "on"] if round_ % 2 == 0 else ["on", "off"]
        sides = {name: start[name]() for name in order}
        loads = [sides[name].load(WARM + each * (args.seconds + 1)) for name in order]
        try:
            until = time.time() + WARM
            while time.time() < until or any(side.decisions() < args.rate for side in sides.values()):
                for load in loads:
                    if load.poll() is not None:
                        raise SystemExit(f"a load generator ended early with {load.returncode}")
                time.sleep(0.1)
            for _ in range(each):
                before = {name: side.so_far() for name, side in sides.items()}
                time.sleep(args.seconds)
                after = {name: side.so_far() for name, side in sides.items()}
                took = {name: (after[name][0] - before[name][0]) / 1_000 / (after[name][1] - before[name][1])
                        for name in sides}
                pairs.append((took["off"], took["on"]))
                share = took["on"] / took["off"] - 1
                print(f"  {len(pairs):3} off {took['off']:7.1f} us   on {took['on']:7.1f} us   {share:+7.2%}", flush=True)
        finally:
            for load in loads:
                load.terminate()
                load.wait()
            for side in sides.values():
                side.stop()
    return pairs


def main():
    parser = argparse.ArgumentParser()
    for name, kind, default in [("bin", str, None), ("redis", str, None), ("work", str, None), ("windows", int, 48),
                                ("rounds", int, 6), ("seconds", float, 2), ("rate", int, 300),
                                ("sample", float, 0.01), ("json", str, None)]:
        parser.add_argument(f"--{name}", type=kind, default=default)
    args = parser.parse_args()
    grpc, http = free_port(), free_port()
    here = pathlib.Path(__file__).resolve().parents[1]
    script = here / "services/cartwright/tests/e2e/receiver.py"
    receiver = subprocess.Popen(
        [sys.executable, str(script), f"127.0.0.1:{grpc}", f"127.0.0.1:{http}"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        pairs = compare(args, f"http://127.0.0.1:{grpc}")
    finally:
        receiver.kill()
    shares = [on / off - 1 for off, on in pairs]
    freedom = len(shares) - 1
    quantile = next((t for df, t in sorted(STUDENT.items(), reverse=True) if df <= freedom), 12.71)
    mean, half = statistics.mean(shares), quantile * statistics.stdev(shares) / math.sqrt(len(shares))
    off, on = (statistics.mean(side) for side in zip(*pairs))
    print(f"CPU per decision, {len(pairs)} pairs of windows: off {off:.1f} us, on {on:.1f} us")
    print(f"difference {mean:+.2%}, 95 % interval {mean - half:+.2%} to {mean + half:+.2%}")
    if args.json:
        result = {"pairs": pairs, "mean": mean, "low": mean - half, "high": mean + half, "rate": args.rate,
                  "seconds": args.seconds, "sample": args.sample}
        pathlib.Path(args.json).write_text(json.dumps(result, indent=2) + "\n")
    sys.exit(0 if mean + half <= 0.03 else 1)


if __name__ == "__main__":
    main()
