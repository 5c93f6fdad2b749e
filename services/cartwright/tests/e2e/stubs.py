"""Compiles the wire contract with the official protoc and imports the result.

The stubs are made at run time, in a folder that goes away with the process, so that they can never
be older than the .proto files.
"""

import importlib
import os
import pathlib
import sys
import tempfile
import types

import grpc_tools
from grpc_tools import protoc

PROTO = pathlib.Path(__file__).resolve().parents[4] / "proto"
NAMES = ["campaigns", "candidates", "catalog", "events", "features", "offers", "outcomes", "recovery", "shoppers", "snapshots", "webhooks"]


def compile_contract() -> types.SimpleNamespace:
    """Returns the message modules by name (`events`) and the stub modules as `events_grpc`."""
    out = tempfile.TemporaryDirectory(prefix="cartwright-stubs-")
    well_known = os.path.join(os.path.dirname(grpc_tools.__file__), "_proto")
    files = [f"cartwright/v1/{name}.proto" for name in NAMES]
    arguments = [f"-I{PROTO}", f"-I{well_known}", f"--python_out={out.name}"]
    if protoc.main(["protoc", *arguments, f"--grpc_python_out={out.name}", *files]) != 0:
        raise SystemExit(f"protoc refuses the contract in {PROTO}")
    sys.path.insert(0, out.name)
    modules = {}
    for name in NAMES:
        modules[name] = importlib.import_module(f"cartwright.v1.{name}_pb2")
        modules[f"{name}_grpc"] = importlib.import_module(f"cartwright.v1.{name}_pb2_grpc")
    return types.SimpleNamespace(folder=out, **modules)
