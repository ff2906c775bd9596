"""A real Prometheus beside a console that is really served: the same samples, the same scraped service."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler
from django.core.wsgi import get_wsgi_application

from opsconsole.ingest.scrape import Scraper, ScrapeSink
from opsconsole.ingest.target import Target
from opsconsole.series.clock import Clock
from opsconsole.series.labels import Labels
from opsconsole.storage.head import Head

NOW_MS = 1_764_000_000_000

EXPOSITION = """\
# HELP shop_orders Orders.
# TYPE shop_orders counter
shop_orders_total{kind="book"} 7.0 # {trace_id="4bf92f3577b34da6"} 1.0 1763999990.25
# HELP shop_latency_seconds How long an order takes.
# TYPE shop_latency_seconds histogram
# UNIT shop_latency_seconds seconds
shop_latency_seconds_bucket{le="0.1"} 3.0 # {trace_id="00f067aa0ba902b7"} 0.05 1763999991.0
shop_latency_seconds_bucket{le="+Inf"} 5.0
shop_latency_seconds_count 5.0
shop_latency_seconds_sum 1.25
# EOF
"""

CONFIG = """\
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: [rules.yml]
scrape_configs:
- job_name: shop
  static_configs: [{{targets: ['{target}']}}]
"""

RULES = """\
groups:
- name: availability
  rules:
  - alert: TargetDown
    expr: up == 1
    labels: {severity: critical}
    annotations: {summary: "{{ $labels.job }}", description: "down"}
"""


def samples() -> list[tuple[Labels, Sequence[Labels], np.ndarray, np.ndarray]]:
    """(target, series, timestamps int64[P], values float64[S, P]) of ten minutes; none stands on a whole second."""
    random = np.random.default_rng(3)
    targets = []
    for number, job in enumerate(("web", "web", "worker")):
        own = {"job": job, "instance": f"10.0.0.{number}:8000"}
        timestamps = NOW_MS + 137 + 411 * number + np.arange(-600, 0, 15) * 1000
        labels = [Labels.of(__name__="up", **own)]
        rows = [np.ones(timestamps.size)]
        for path in ("/", '/a"b\\', "/größe"):
            labels.append(Labels.of(__name__="requests_total", path=path, **own))
            rows.append(5000 + np.cumsum(random.integers(0, 50, timestamps.size)).astype(float))
        labels.append(Labels.of(__name__="temperature", **own))
        rows.append(random.normal(0, 20, timestamps.size))
        targets.append((Labels.of(own), labels, timestamps, np.array(rows)))
    return targets


def fill(head: Head) -> None:
    for target, labels, timestamps, values in samples():
        for column, at_ms in enumerate(timestamps.tolist()):
            head.append(target, at_ms, labels, values[:, column])


@contextmanager
def service() -> Iterator[str]:
    """``host:port`` of something to scrape."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/openmetrics-text; version=1.0.0; charset=utf-8")
            self.end_headers()
            self.wfile.write(EXPOSITION.encode())

        def log_message(self, *_: Any) -> None:
            """Keep the test's output to the test."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def scraped(service: str, sink: ScrapeSink, clock: Clock) -> Scraper:
    """A scraper that has asked ``service`` once, and is stopped."""
    target = Target.parse(f"shop=http://{service}", interval_s=1)
    scraper = Scraper([target], sink, clock)

    async def scrape() -> None:
        await scraper.start()
        await scraper.scrape(target.labels)
        await scraper.stop()

    asyncio.run(scrape())
    return scraper


@contextmanager
def prometheus(program: Callable[[str], str], folder: Path, target: str) -> Iterator[str]:
    """The URL of a server that holds ``samples`` and scrapes ``target``; it may not be ready yet."""
    lines = [
        f"{str(labels).replace(', ', ',')} {float(value)!r} {at_ms / 1000:.3f}"
        for _, series, timestamps, values in samples()
        for labels, row in zip(series, values, strict=True)
        for at_ms, value in zip(timestamps.tolist(), row, strict=True)
    ]
    (folder / "samples.om").write_text("\n".join([*lines, "# EOF\n"]))
    (folder / "prometheus.yml").write_text(CONFIG.format(target=target))
    (folder / "rules.yml").write_text(RULES)
    subprocess.run(
        [program("promtool"), "tsdb", "create-blocks-from", "openmetrics", folder / "samples.om", folder / "data"],
        check=True,
        capture_output=True,
    )
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [
                program("prometheus"),
                f"--config.file={folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{port}",
                "--storage.tsdb.retention.time=100y",
                "--enable-feature=exemplar-storage",
            ],
            stdout=log,
            stderr=log,
        )
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)


@contextmanager
def served() -> Iterator[str]:
    """The installed console behind HTTP, in threads of this process."""

    class Quiet(WSGIRequestHandler):
        def log_message(self, *_: Any) -> None:
            """Keep the test's output to the test."""

    server = ThreadedWSGIServer(("127.0.0.1", 0), Quiet)
    server.set_app(get_wsgi_application())
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def up(url: str) -> bool:
    try:
        answer = httpx.get(f"{url}/api/v1/targets").json()["data"]["activeTargets"]
    except (httpx.TransportError, ValueError, KeyError):
        return False
    return [target["health"] for target in answer] == ["up"]
