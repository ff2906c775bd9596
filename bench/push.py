"""Samples a CPU second by remote write, end to end over HTTP, beside Debian's Prometheus taking the same bodies.

``python -m bench.push`` writes ``bench/push.json``.  Both servers take the same requests in turns of the same run, with as
many connections; CPU time is that of the whole server process, the embedded ClickHouse and its merges included.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import pyarrow as pa

REPOSITORY = Path(__file__).resolve().parent.parent
SERIES = 20_000
ROUNDS = 3
SCRAPES = 12  # of all series, a round
CONNECTIONS = 16
SHAPES = (500, 2_000, 10_000)  # samples a request: Prometheus 2, Prometheus 3, a large collector
TOKEN = "bench"


@dataclass
class Server:
    name: str
    process: subprocess.Popen[bytes]
    url: str

    def cpu_s(self) -> float:
        times = psutil.Process(self.process.pid).cpu_times()
        return times.user + times.system


def varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def field(number: int, body: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(body)) + body


def labels_of(number: int) -> bytes:
    pairs = {
        "__name__": f"http_requests_{number % 40}_total",
        "instance": f"10.0.{number % 23}.1:8000",
        "job": "shop-web",
        "method": ("GET", "POST")[number % 2],
        "route": f"/orders/{number}/items",
        "status": "200",
    }
    return b"".join(field(1, field(1, name.encode()) + field(2, value.encode())) for name, value in pairs.items())


def bodies(labels: list[bytes], at_ms: int, size: int) -> list[bytes]:
    import struct

    requests = []
    for start in range(0, len(labels), size):
        parts = []
        for number, one in enumerate(labels[start : start + size], start):
            value = (at_ms // 1000 % 1000) * (number % 9)
            sample = (b"\x09" + struct.pack("<d", value) if value else b"") + b"\x10" + varint(at_ms)
            parts.append(field(1, one + field(2, sample)))
        requests.append(pa.compress(b"".join(parts), codec="snappy", asbytes=True))
    return requests


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start(name: str, folder: Path) -> Server:
    port = free_port()
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("OPSCONSOLE_", "DJANGO_"))}
    if name == "console":
        command = [sys.executable, "-m", "opsconsole", "serve", "--port", str(port), "--data-dir", str(folder / name)]
        ready = "/healthz/ready"
        clean |= {"OPSCONSOLE_API_TOKEN": TOKEN, "PYTHONPATH": f"{REPOSITORY}:{REPOSITORY / 'exporters' / 'src'}"}
    else:
        (folder / "prometheus.yml").write_text("global: {}\n")
        command = [
            shutil.which("prometheus") or sys.exit("needs prometheus; apt install prometheus"),
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / name}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--web.enable-remote-write-receiver",
        ]
        ready = "/-/ready"
    with (folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=REPOSITORY, env=clean, stdout=log, stderr=log)
    server = Server(name, process, f"http://127.0.0.1:{port}")
    for _ in range(600):
        try:
            if httpx.get(f"{server.url}{ready}", timeout=5).status_code == 200:
                return server
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    sys.exit((folder / f"{name}.log").read_text())


def push(server: Server, requests: list[bytes], client: httpx.Client, pool: ThreadPoolExecutor) -> None:
    headers = {
        "Authorization": f"Bearer {TOKEN}",
        "Content-Type": "application/x-protobuf",
        "Content-Encoding": "snappy",
        "X-Prometheus-Remote-Write-Version": "0.1.0",
    }

    def one(body: bytes) -> None:
        answer = client.post(f"{server.url}/api/v1/write", content=body, headers=headers)
        assert answer.status_code == 204, answer.text

    list(pool.map(one, requests))


def main() -> None:
    labels = [labels_of(number) for number in range(SERIES)]
    results = []
    with tempfile.TemporaryDirectory(prefix="bench-push-") as temporary, ThreadPoolExecutor(CONNECTIONS) as pool:
        servers = [start(name, Path(temporary)) for name in ("console", "prometheus")]
        try:
            limits = httpx.Limits(max_connections=CONNECTIONS)
            with httpx.Client(limits=limits, timeout=60) as client:
                at_ms = (time.time_ns() // 1_000_000_000 - 3000) * 1000
                for server in servers:  # the series become known
                    push(server, bodies(labels, at_ms, 2000), client, pool)
                for size in SHAPES:
                    spent = {server.name: [0.0, 0.0] for server in servers}
                    for _ in range(ROUNDS):
                        requests = []
                        for _ in range(SCRAPES):
                            at_ms += 15_000
                            requests.append(bodies(labels, at_ms, size))
                        for server in servers:
                            cpu, wall = server.cpu_s(), time.perf_counter()
                            for scrape in requests:
                                push(server, scrape, client, pool)
                            spent[server.name][0] += server.cpu_s() - cpu
                            spent[server.name][1] += time.perf_counter() - wall
                    samples = SERIES * SCRAPES * ROUNDS
                    row = {"samples_a_request": size}
                    for name, (cpu, wall) in spent.items():
                        row[f"{name}_samples_per_cpu_second"] = round(samples / cpu)
                        row[f"{name}_samples_per_second"] = round(samples / wall)
                    row["ratio_per_cpu_second"] = round(spent["prometheus"][0] / spent["console"][0], 2)
                    results.append(row)
                    print(json.dumps(row))
                own = httpx.get(f"{servers[0].url}/metrics").text.splitlines()
                memory = next(float(line.split()[1]) for line in own if line.startswith("opsconsole_pushed_bytes "))
                stacks = next(float(line.split()[1]) for line in own if line.startswith("opsconsole_pushed_sheets "))
        finally:
            for server in servers:
                server.process.send_signal(signal.SIGTERM)
                server.process.wait(60)
    report = {
        "series": SERIES,
        "connections": CONNECTIONS,
        "machine": f"{os.cpu_count()} cores",
        "results": results,
        "bytes_a_series_in_memory": round(memory / SERIES),
        "sheets": int(stacks),
    }
    (Path(__file__).parent / "push.json").write_text(json.dumps(report, indent=2) + "\n")
    print(json.dumps({key: value for key, value in report.items() if key != "results"}))


if __name__ == "__main__":
    main()
