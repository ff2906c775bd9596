"""The whole product as a user starts it: one supervisor, real parts, a real browser, a real Prometheus."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

START_TIMEOUT_S = 180


@dataclass
class WebhookSink:
    """A real receiver: what was posted to it, newest last."""

    url: str
    payloads: list[dict[str, Any]] = field(default_factory=list)

    def alerts(self, name: str, status: str) -> list[dict[str, Any]]:
        return [
            alert
            for payload in list(self.payloads)
            for alert in payload["alerts"]
            if alert["labels"]["alertname"] == name and alert["status"] == status
        ]


@pytest.fixture(scope="session")
def webhook_sink() -> Iterator[WebhookSink]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            sink.payloads.append(json.loads(body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Keep the test's output to the test."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    sink = WebhookSink(f"http://127.0.0.1:{server.server_port}/")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield sink
    server.shutdown()
    server.server_close()


@dataclass
class Demo:
    """A running demo; ``ready`` is what ``up --json`` printed."""

    process: subprocess.Popen[str]
    ready: dict[str, Any]
    repository: Path
    data_dir: Path

    def fault(self, name: str, state: str) -> None:
        subprocess.run(
            [sys.executable, "-m", "demo_app", "fault", name, state, "--data-dir", str(self.data_dir)],
            check=True,
            cwd=self.repository,
            env=environment(self.repository),
            capture_output=True,
        )

    def query(self, promql: str) -> list[dict[str, Any]]:
        answer = httpx.get(
            f"{self.ready['console_url']}/api/v1/query",
            params={"query": promql},
            headers={"Authorization": f"Bearer {self.ready['api_token']}"},
        )
        answer.raise_for_status()
        result: list[dict[str, Any]] = answer.json()["data"]["result"]
        return result

    def stop(self) -> list[psutil.Process]:
        """Stop as Ctrl-C does and return the processes that should not be there any more."""
        family = psutil.Process(self.process.pid).children(recursive=True)
        self.process.send_signal(signal.SIGINT)
        self.process.wait(timeout=30)
        _, alive = psutil.wait_procs(family, timeout=3)
        return alive


def environment(repository: Path, **more: str) -> dict[str, str]:
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("OPSCONSOLE_", "DJANGO_"))}
    return clean | {"PYTHONPATH": f"{repository}:{repository / 'exporters' / 'src'}", "PYTHONUNBUFFERED": "1"} | more


@pytest.fixture(scope="session")
def demo(repository: Path, tmp_path_factory: pytest.TempPathFactory, webhook_sink: WebhookSink) -> Iterator[Demo]:
    data_dir = tmp_path_factory.mktemp("demo")
    log = (data_dir / "up.log").open("w")
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "demo_app", "up", "--json", "--port", "0"),
            *("--data-dir", str(data_dir), "--webhook-url", webhook_sink.url),
        ],
        cwd=repository,
        env=environment(repository),
        stdout=subprocess.PIPE,
        stderr=log,
        text=True,
    )
    assert process.stdout is not None
    timer = threading.Timer(START_TIMEOUT_S, process.kill)
    timer.start()
    ready: dict[str, Any] = {}
    printed = []
    for line in process.stdout:
        printed.append(line)
        if line.startswith("{"):
            ready = json.loads(line)
            break
    timer.cancel()
    if not ready:
        process.wait(timeout=30)
        pytest.fail(f"the demo did not start:\n{''.join(printed)}\n{(data_dir / 'up.log').read_text()}")
    demo = Demo(process, ready, repository, data_dir)
    yield demo
    if process.poll() is None:
        demo.stop()
    process.stdout.close()
    log.close()
