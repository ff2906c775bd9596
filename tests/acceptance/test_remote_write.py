"""Debian's Prometheus scrapes a target and remote-writes into a served console, while both are stopped and killed."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.acceptance.conftest import environment

pytestmark = [pytest.mark.real, pytest.mark.timeout(1800)]

TOKEN = "a-token-of-this-test"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
ROUNDS = int(os.environ.get("REMOTE_WRITE_ROUNDS", "2"))  # of a kill of the console; each takes some ten seconds
SERIES = 700  # more than one request of Prometheus holds, so that a scrape arrives in several
READY_S = 60


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Program:
    """A server that is started, stopped and killed on one port."""

    command: list[str]
    url: str
    ready: str
    log: Path
    cwd: Path
    env: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(self.command, cwd=self.cwd, env=self.env, stdout=output, stderr=output)
        deadline = time.monotonic() + READY_S
        while True:
            assert self.process.poll() is None, self.log.read_text()[-4000:]
            assert time.monotonic() < deadline, self.log.read_text()[-4000:]
            try:
                if httpx.get(f"{self.url}{self.ready}", timeout=5).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.05)

    def end(self, how: signal.Signals) -> None:
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(READY_S)
            self.process = None

    def get(self, path: str, **parameters: str) -> Any:
        answer = httpx.get(f"{self.url}/api/v1/{path}", params=parameters, headers=BEARER, timeout=60)
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]


@pytest.fixture
def target() -> Iterator[str]:
    """A service with counters that rise with each scrape, a gauge that comes and goes, zeros and a NaN."""
    scrapes = iter(range(1, 1_000_000))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            number = next(scrapes)
            lines = [f'pushed_total{{n="{n}",path="/p/{n % 7}"}} {number * n + n % 3 / 7}' for n in range(SERIES)]
            lines += ["pushed_zero 0", f"pushed_scrapes {number}", "pushed_nan NaN"]
            if number % 10 < 6:
                lines.append(f"pushed_sometimes {number}")
            body = ("\n".join(lines) + "\n").encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Keep the test's output to the test."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def console(repository: Path, tmp_path: Path) -> Iterator[Program]:
    port = free_port()
    program = Program(
        [sys.executable, "-m", "opsconsole", "serve", "--port", str(port), "--data-dir", str(tmp_path / "console")],
        f"http://127.0.0.1:{port}",
        "/healthz/ready",
        tmp_path / "console.log",
        repository,
        environment(repository, OPSCONSOLE_API_TOKEN=TOKEN),
    )
    yield program
    program.end(signal.SIGKILL)


@pytest.fixture
def prometheus(
    program: Callable[[str], str], tmp_path: Path, target: str, console: Program, repository: Path
) -> Iterator[Program]:
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "2s"},
        "scrape_configs": [{"job_name": "service", "static_configs": [{"targets": [target]}]}],
        "rule_files": [str(tmp_path / "rules.yml")],
        "remote_write": [
            {
                "url": f"{console.url}/api/v1/write",
                "authorization": {"credentials": TOKEN},
                "queue_config": {"batch_send_deadline": "500ms", "max_backoff": "1s", "min_shards": 3},
            }
        ],
    }
    rule = {"record": "pushed:rate", "expr": "sum by (path) (rate(pushed_total[10s]))", "labels": {"job": "service"}}
    (tmp_path / "rules.yml").write_text(yaml.safe_dump({"groups": [{"name": "rules", "rules": [rule]}]}))
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(config))
    port = free_port()
    server = Program(
        [
            program("prometheus"),
            f"--config.file={tmp_path / 'prometheus.yml'}",
            f"--storage.tsdb.path={tmp_path / 'prometheus'}",
            f"--web.listen-address=127.0.0.1:{port}",
        ],
        f"http://127.0.0.1:{port}",
        "/-/ready",
        tmp_path / "prometheus.log",
        repository,
    )
    yield server
    server.end(signal.SIGKILL)


def test_nothing_is_missing_and_nothing_doubled_after_restarts_on_both_sides(
    prometheus: Program, console: Program, eventually: Callable[..., Any]
) -> None:
    began = time.time()
    console.start()
    prometheus.start()
    for number in range(ROUNDS):
        time.sleep(3)
        console.end(signal.SIGKILL if number % 4 != 3 else signal.SIGTERM)
        time.sleep(2)  # Prometheus keeps what it could not send
        console.start()
        if number % 2 == 1:
            eventually(lambda: behind(prometheus, console) < 3, 60, "the console has what Prometheus kept")
            prometheus.end(signal.SIGTERM)  # sends what it has; after a kill it would not send it again
            prometheus.start()
    eventually(lambda: behind(prometheus, console) < 3, 60, "the console has what Prometheus kept")
    prometheus.get("query", query="up")  # still alive
    window = f"{int(time.time() - began) + 5}s"
    settled = eventually(lambda: settled_at(prometheus, console), 60, "a scrape that both have")

    theirs = samples(prometheus, window, settled)
    deadline = time.monotonic() + 60  # one connection may be behind the others
    while (ours := samples(console, window, settled)) != theirs and time.monotonic() < deadline:
        time.sleep(1)
    print(f"{len(theirs)} series, {sum(map(len, theirs.values()))} samples compared")
    assert theirs.keys() == ours.keys()
    for series, expected in theirs.items():
        assert ours[series] == expected, (
            f"{series}: missing {expected - ours[series]}, too much {ours[series] - expected}"
        )
    assert len(theirs) > SERIES
    refused = [line for line in console_metrics(console) if line.startswith("opsconsole_pushed_refused_samples_total{")]
    assert [line for line in refused if not line.endswith(" 0.0")] == []


def behind(prometheus: Program, console: Program) -> float:
    """How many scrapes the console has not got yet."""
    newest = [server.get("query", query="pushed_scrapes")["result"] for server in (prometheus, console)]
    if not all(newest):
        return float("inf")
    theirs, ours = (float(result[0]["value"][1]) for result in newest)
    return theirs - ours


def settled_at(prometheus: Program, console: Program) -> float:
    """An instant of the past up to which nothing is under way any more."""
    at = prometheus.get("query", query="timestamp(pushed_scrapes)")["result"][0]["value"][1]
    return float(at) if behind(prometheus, console) <= 1 else 0.0


def samples(server: Program, window: str, until: float) -> dict[str, set[tuple[float, str]]]:
    """Every raw sample of every series."""
    found: dict[str, set[tuple[float, str]]] = {}
    result = server.get("query", query=f'{{__name__=~".+"}}[{window}]', time=f"{until - 2:.3f}")["result"]
    for row in result:
        name = str(sorted(row["metric"].items()))
        values = [(at, str(float(value))) for at, value in row["values"]]
        assert len(values) == len({at for at, _ in values}), f"a sample of {name} stands there twice"
        found[name] = set(values)
    return found


def console_metrics(console: Program) -> list[str]:
    return httpx.get(f"{console.url}/metrics", timeout=20).text.splitlines()
