"""What a small request costs, end to end: medians over one kept connection, beside Debian's Prometheus in the same run.

python -m bench.request [--rounds 5] [--requests 400]
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urlencode

RESULT = Path(__file__).with_suffix(".json")
TOKEN = "bench"
RANGE = urlencode({"query": "vector(1)", "start": 1_764_000_000, "end": 1_764_003_600, "step": 15})
PATHS = {
    "1+1": "/api/v1/query?query=1%2B1",
    "up": "/api/v1/query?query=up",
    "constant range": f"/api/v1/query_range?{RANGE}",
}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start(command: list[str], port: int, ready: str) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(command, env=os.environ | {"OPSCONSOLE_API_TOKEN": TOKEN}, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            if ask(http.client.HTTPConnection("127.0.0.1", port, timeout=5), ready) == 200:
                return process
        except OSError:
            time.sleep(0.2)
    process.terminate()
    raise SystemExit(f"not ready within a minute: {command[0]}")


def ask(connection: http.client.HTTPConnection, path: str) -> int:
    connection.request("GET", path, headers={"Authorization": f"Bearer {TOKEN}"})
    answer = connection.getresponse()
    answer.read()
    return answer.status


def milliseconds(connection: http.client.HTTPConnection, path: str, requests: int) -> list[float]:
    taken = []
    for _ in range(requests):
        started = time.perf_counter()
        if ask(connection, path) != 200:
            raise SystemExit(f"no answer to {path}")
        taken.append((time.perf_counter() - started) * 1000)
    return taken


def a_second(port: int) -> float | None:
    """Requests a second of ``1+1`` over eight connections, by wrk."""
    if not (wrk := shutil.which("wrk")):
        return None
    said = subprocess.run(
        [
            *(wrk, "-t1", "-c8", "-d4s", "-H", f"Authorization: Bearer {TOKEN}"),
            f"http://127.0.0.1:{port}{PATHS['1+1']}",
        ],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return float(said.split("Requests/sec:")[1].split()[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="times each is asked in turn (default: %(default)s)")
    parser.add_argument("--requests", type=int, default=400, help="requests a round (default: %(default)s)")
    arguments = parser.parse_args()
    if not (binary := shutil.which("prometheus")):
        raise SystemExit("needs prometheus, which is not on this machine")
    ours, theirs = free_port(), free_port()
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "prometheus.yml"
        scrape = {"job_name": "self", "scrape_interval": "2s", "static_configs": [{"targets": [f"127.0.0.1:{theirs}"]}]}
        config.write_text(json.dumps({"scrape_configs": [scrape]}))
        processes = [
            start(
                [
                    *(binary, f"--config.file={config}", f"--storage.tsdb.path={folder}/prometheus"),
                    f"--web.listen-address=127.0.0.1:{theirs}",
                ],
                theirs,
                "/-/ready",
            )
        ]
        try:
            target = f"self=http://127.0.0.1:{theirs}/metrics"
            serve = [sys.executable, "-m", "opsconsole", "serve", "--port", str(ours), "--target", target]
            processes.append(
                start([*serve, "--profile", "demo", "--data-dir", f"{folder}/console"], ours, "/healthz/ready")
            )
            time.sleep(5)  # two scrapes
            result = compared(ours, theirs, arguments.rounds, arguments.requests)
        finally:
            for process in processes:
                process.terminate()
                process.wait(timeout=30)
    RESULT.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


def compared(ours: int, theirs: int, rounds: int, requests: int) -> dict[str, object]:
    ports = {"console": ours, "prometheus": theirs}
    connections = {name: http.client.HTTPConnection("127.0.0.1", port) for name, port in ports.items()}
    result: dict[str, object] = {}
    for what, path in PATHS.items():
        taken: dict[str, list[float]] = {name: [] for name in ports}
        for connection in connections.values():
            milliseconds(connection, path, 100)
        for _ in range(rounds):
            for name, connection in connections.items():
                taken[name] += milliseconds(connection, path, requests)
        row = {f"{name}_ms": round(statistics.median(times), 3) for name, times in taken.items()}
        result[what] = row | {"prometheus_over_console": round(row["prometheus_ms"] / row["console_ms"], 2)}
    if (console := a_second(ours)) and (prometheus := a_second(theirs)):
        result["requests a second, 8 connections"] = {"console": round(console), "prometheus": round(prometheus)}
    return result


if __name__ == "__main__":
    main()
