"""Becomes Rotel, an OTLP receiver made by others, which writes what it is sent to its output.

    python3 receiver.py GRPC-ADDRESS HTTP-ADDRESS
"""

import os
import pathlib
import sys
import tempfile

import rotel

grpc, http = sys.argv[1:]
agent = pathlib.Path(rotel.__file__).parent / "rotel-agent"
agent.chmod(0o755)
os.environ["ROTEL_PID_FILE"] = os.path.join(tempfile.mkdtemp(), "pid")
os.execv(agent, [
    str(agent), "start", "--otlp-grpc-endpoint", grpc, "--otlp-http-endpoint", http,
    "--exporter", "blackhole", "--debug-log", "traces", "--debug-log-verbosity", "detailed"])
