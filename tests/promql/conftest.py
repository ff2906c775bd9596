"""Blocks to ask, and a real Prometheus to compare with."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import httpx
import numpy as np
import pytest
from hypothesis import settings

from opsconsole.promql.engine import Engine
from opsconsole.promql.memory import MemorySource
from opsconsole.series.block import NAN_SAMPLE, STALE, Block, is_sample
from opsconsole.series.labels import Labels

MakeBlock = Callable[..., Block]

settings.register_profile("promql", deadline=None)  # a busy machine is no failure
settings.load_profile("promql")


@pytest.fixture(scope="session")
def block() -> MakeBlock:
    """``block({"x{...}": values}, step_ms=15_000, start_ms=0)``; None ends the series there."""

    def make(rows: dict[Labels, Sequence[float | None]], *, step_ms: int = 15_000, start_ms: int = 0) -> Block:
        values = np.array([[STALE if v is None else v for v in row] for row in rows.values()], dtype=np.float64)
        timestamps = start_ms + np.arange(values.shape[1], dtype=np.int64) * step_ms
        return Block(list(rows), timestamps, values)

    return make


@pytest.fixture(scope="session")
def engine() -> Callable[..., Engine]:
    def make(*blocks: Block) -> Engine:
        return Engine(MemorySource(blocks))

    return make


class Prometheus:
    """A running server; answers as {labels: {timestamp_ms: value}}."""

    def __init__(self, url: str) -> None:
        self._client = httpx.Client(base_url=url, timeout=30)

    def ready(self) -> bool:
        try:
            return self._client.get("/-/ready").status_code == 200
        except httpx.TransportError:
            return False

    def instant(self, query: str, at_ms: int) -> dict[Labels, dict[int, float]] | None:
        return self._ask("/api/v1/query", {"query": query, "time": at_ms / 1000})

    def range(self, query: str, start_ms: int, end_ms: int, step_ms: int) -> dict[Labels, dict[int, float]] | None:
        span = {"query": query, "start": start_ms / 1000, "end": end_ms / 1000, "step": step_ms / 1000}
        return self._ask("/api/v1/query_range", span)

    def error(self, query: str) -> str:
        """What it says about a query it refuses."""
        return str(self._client.get("/api/v1/query", params={"query": query}).json()["error"])

    def close(self) -> None:
        self._client.close()

    def _ask(self, path: str, parameters: dict[str, str | float]) -> dict[Labels, dict[int, float]] | None:
        """None when the query fails."""
        answer = self._client.get(path, params=parameters).json()
        if answer["status"] != "success":
            return None
        data = answer["data"]
        if data["resultType"] == "scalar":
            return {Labels(): _points([data["result"]])}
        return {Labels.of(row["metric"]): _points(row.get("values") or [row["value"]]) for row in data["result"]}


def _points(pairs: list[tuple[float, str]]) -> dict[int, float]:
    return {round(seconds * 1000): float(value) for seconds, value in pairs}


@pytest.fixture(scope="session")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[Sequence[Block]], Prometheus]]:
    """Starts servers that hold the samples of given blocks."""
    server, tool = shutil.which("prometheus"), shutil.which("promtool")
    if server is None or tool is None:
        pytest.skip("needs prometheus and promtool; apt install prometheus")
    running: list[tuple[subprocess.Popen[bytes], Prometheus]] = []

    def start(blocks: Sequence[Block]) -> Prometheus:
        folder = tmp_path_factory.mktemp("prometheus")
        (folder / "samples.om").write_text(_open_metrics(blocks))
        (folder / "prometheus.yml").write_text("global: {}\n")
        data = folder / "data"
        subprocess.run(
            [tool, "tsdb", "create-blocks-from", "openmetrics", folder / "samples.om", data],
            check=True, capture_output=True,
        )  # fmt: skip
        port = _free_port()
        command = [server, f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={data}",
                   f"--web.listen-address=127.0.0.1:{port}", "--storage.tsdb.retention.time=100y"]  # fmt: skip
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log)
        client = Prometheus(f"http://127.0.0.1:{port}")
        running.append((process, client))
        _wait(client, process, folder / "log")
        return client

    yield start
    for process, client in running:
        client.close()
        process.terminate()
        process.wait(30)


def _wait(client: Prometheus, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while not client.ready():
        if process.poll() is not None or time.monotonic() > deadline:
            pytest.fail(f"prometheus did not start: {log.read_text()[-2000:]}")
        time.sleep(0.05)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _open_metrics(blocks: Sequence[Block]) -> str:
    lines = [
        f"{str(labels).replace(', ', ',')} {'NaN' if np.isnan(value) else repr(float(value))} {timestamp / 1000:.3f}"
        for block in blocks
        for labels, values, sampled in zip(block.labels, block.values, is_sample(block.values), strict=True)
        for timestamp, value, there in zip(block.timestamps, values, sampled, strict=True)
        if there
    ]
    return "\n".join([*lines, "# EOF\n"])


BASE_MS = 1_700_000_000_000


@pytest.fixture(scope="session")
def shop() -> list[Block]:
    """Three targets over 40 minutes: counters with resets, gaps, a histogram, gauges; never a sample on a whole second.

    What gaps are to a range function they are to Prometheus too.  For a bare selector a NaN cell is a staleness marker, which
    OpenMetrics cannot carry; so only ``gappy_total`` has NaN cells, and ``seldom`` misses scrapes in a block of its own.
    Counters begin high: how the first one of a window is extrapolated towards zero changed since Prometheus 2.42.
    """
    random = np.random.default_rng(7)
    blocks = []
    for target, (job, offset) in enumerate((("web", 137), ("web", 4_211), ("worker", 9_903))):
        instance = f"10.0.0.{target}:8000"
        own = {"job": job, "instance": instance}
        points = 160
        rows: dict[Labels, np.ndarray] = {}
        for status in ("200", "404", "500"):
            counter = 5e4 + np.cumsum(random.integers(0, 40, points))
            if status != "404":
                counter[70 + target :] -= counter[70 + target]  # restarted
            rows[Labels.of(__name__="requests_total", status=status, **own)] = counter
        hits = (2e3 + np.cumsum(random.integers(0, 9, (6, points)), axis=1)).cumsum(axis=0)
        for bound, counter in zip(("0.05", "0.1", "0.5", "1", "5", "+Inf"), hits, strict=True):
            rows[Labels.of(__name__="latency_bucket", le=bound, **own)] = counter
        rows[Labels.of(__name__="latency_count", **own)] = hits[-1]
        rows[Labels.of(__name__="latency_sum", **own)] = 1e4 + np.cumsum(random.random(points) * 7)
        rows[Labels.of(__name__="temperature", **own)] = random.normal(0, 20, points)
        rows[Labels.of(__name__="memory_bytes", **own)] = random.integers(10**8, 10**9, points).astype(float)
        odd = random.normal(3, 1, points)
        odd[random.random(points) < 0.2] = NAN_SAMPLE
        rows[Labels.of(__name__="odd", **own)] = odd
        gappy = 5e4 + np.cumsum(random.integers(1, 40, points)).astype(float)
        gappy[90:] -= 3e4 if target == 0 else 0
        gappy[(random.random(points) < 0.3) | ((np.arange(points) > 40) & (np.arange(points) < 60))] = np.nan
        rows[Labels.of(__name__="gappy_total", **own)] = gappy
        timestamps = BASE_MS + offset + np.arange(points, dtype=np.int64) * 15_000
        timestamps += random.integers(0, 90, points)  # jitter, less than what separates a sample from a whole second
        blocks.append(Block(list(rows), timestamps, np.array(list(rows.values()))))
        seldom = np.flatnonzero(random.random(points) < 0.08)
        blocks.append(
            Block([Labels.of(__name__="seldom", **own)], timestamps[seldom], random.random((1, seldom.size)) * 10)
        )
    info = Labels.of(__name__="build_info", instance="10.0.0.0:8000", version="1.2", job="web")
    blocks.append(Block([info], BASE_MS + 551 + np.arange(160, dtype=np.int64) * 15_000, np.ones((1, 160))))
    return blocks
