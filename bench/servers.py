"""The console and its peers as real processes, filled with a workload and asked over HTTP.

Prometheus and VictoriaMetrics take the samples by remote write, so that Prometheus answers from its head in memory as a
live one does.  For the comparison with history its head is written to disk as a block (a snapshot) and served from there.
The console's samples are written into the ClickHouse of its data folder before it starts; it fills its head by itself.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from bench import remote_write
from bench.client import Client, Refused
from bench.workload import Workload, scrapes
from opsconsole.series.block import Block

TOKEN = "opc_bench_only_reads_its_own_loopback_port"
_START_TIMEOUT_S = 300
_BATCH = 200_000  # samples


class Server:
    """One engine: its process, and a connection to it."""

    def __init__(self, name: str, client: Client, extra: str = "") -> None:
        self.name = name
        self.client = client
        self._extra = extra

    def instant(self, text: str, at_ms: int) -> str:
        return f"/api/v1/query?{urlencode({'query': text, 'time': at_ms / 1000})}{self._extra}"

    def range(self, text: str, start_ms: int, end_ms: int, step_ms: int) -> str:
        span = {"query": text, "start": start_ms / 1000, "end": end_ms / 1000, "step": step_ms // 1000}
        return f"/api/v1/query_range?{urlencode(span)}{self._extra}"


@contextmanager
def console(workload: Workload, folder: Path, *, keeps_answers: bool = True) -> Iterator[Server]:
    name = "console" if keeps_answers else "console-anew"
    data, log = folder / name, folder / f"{name}.log"
    # A process of its own, because an embedded ClickHouse cannot move to another process while this one lives.
    writer = multiprocessing.get_context("spawn").Process(target=_store, args=(workload, data))
    writer.start()
    writer.join()
    if writer.exitcode:
        sys.exit("the console's samples could not be stored; see above")
    room = workload.size.series * (workload.scrapes + 64) * 8
    environment = os.environ | {
        "OPSCONSOLE_API_TOKEN": TOKEN,
        "OPSCONSOLE_HEAD_MEMORY": str(max(192 << 20, 4 * room)),
        "OPSCONSOLE_HEAD_SERIES": str(max(200_000, 2 * workload.size.series)),
    }
    if not keeps_answers:
        environment["OPSCONSOLE_ANSWERS_MEMORY"] = "0"
    command = [sys.executable, "-m", "opsconsole", "serve", "--port", "0", "--data-dir", str(data)]
    with _running(command, log, environment) as process:
        url = _eventually((data / "url").read_text, process, log)
        client = _connected(url, "/healthz/ready", process, log, {"Authorization": f"Bearer {TOKEN}"})
        held, needed = _head_bytes(client), workload.size.series * workload.scrapes * 8
        if workload.end_ms > time.time() * 1000 - 3_600_000 and held < needed * 0.9:
            print(
                f"the console's head holds {held >> 20} MB of {needed >> 20} MB; the rest is history", file=sys.stderr
            )
        yield Server(name, client)


def _head_bytes(client: Client) -> int:
    lines = client.get("/metrics").decode().splitlines()
    return round(next((float(line.split()[1]) for line in lines if line.startswith("opsconsole_head_bytes ")), 0))


def _store(workload: Workload, data: Path) -> None:
    from opsconsole.storage.clickhouse import ClickHouse
    from opsconsole.storage.samples import SampleStore, StoredScrape

    data.mkdir(parents=True, exist_ok=True)
    clickhouse = ClickHouse.open("", data)
    store = SampleStore(clickhouse)
    batch: list[StoredScrape] = []
    waiting = number = 0

    def flush() -> None:
        nonlocal waiting, number
        store.append(batch, batch_id=f"bench-{number}")
        number += 1
        waiting = 0
        batch.clear()

    for block in workload.blocks():
        for scrape in scrapes(block):
            batch.append(scrape)
            waiting += len(scrape.labels) + len(scrape.vanished)
            if waiting >= _BATCH:
                flush()
    flush()
    clickhouse.command("OPTIMIZE TABLE samples FINAL")  # as its background merges would have left it long ago
    clickhouse.close()


@contextmanager
def prometheus(blocks: Sequence[Block], folder: Path, *, from_disk: bool) -> Iterator[Server]:
    data = folder / "prometheus"
    (folder / "prometheus.yml").write_text("global: {}\n")
    command = [_program("prometheus"), f"--config.file={folder / 'prometheus.yml'}",
               "--storage.tsdb.retention.time=100y", "--web.enable-remote-write-receiver", "--web.enable-admin-api",
               "--query.max-samples=1000000000", "--query.timeout=10m", "--web.read-timeout=1h"]  # fmt: skip
    log = folder / "prometheus.log"
    with _listening(command, f"--storage.tsdb.path={data}", "--web.listen-address={}", log) as (process, url):
        client = _connected(url, "/-/ready", process, log)
        fill(client, blocks)
        if not from_disk:
            yield Server("prometheus", client)
            return
        client.post("/api/v1/admin/tsdb/snapshot?skip_head=false", b"", {})
    (snapshot,) = (data / "snapshots").iterdir()
    with _listening(command, f"--storage.tsdb.path={snapshot}", "--web.listen-address={}", log) as (process, url):
        yield Server("prometheus", _connected(url, "/-/ready", process, log))


@contextmanager
def victoriametrics(blocks: Sequence[Block], folder: Path) -> Iterator[tuple[Server, Server]]:
    """The same server twice: asked without, and with its cache of results."""
    command = [_program("victoria-metrics"), "-retentionPeriod=100y", "-search.latencyOffset=0s",
               "-http.connTimeout=1h", "-http.idleConnTimeout=1h"]  # fmt: skip
    log = folder / "victoriametrics.log"
    place = f"-storageDataPath={folder / 'victoriametrics'}"
    with _listening(command, place, "-httpListenAddr={}", log) as (process, url):
        client = _connected(url, "/health", process, log)
        fill(client, blocks)
        client.get("/internal/force_flush")
        yield Server("victoriametrics", client, "&nocache=1"), Server("victoriametrics-cached", client)


def versions(names: Sequence[str]) -> dict[str, str]:
    from opsconsole import __version__

    found = {"console": __version__, "python": sys.version.split()[0]}
    for name, flag in (("prometheus", "--version"), ("victoria-metrics", "-version")):
        if name.replace("-", "") in names and shutil.which(name):
            answer = subprocess.run([name, flag], capture_output=True, text=True, check=False)
            lines = (answer.stdout + answer.stderr).strip().splitlines()
            found[name] = lines[0] if lines else ""
    return found


def fill(client: Client, blocks: Sequence[Block]) -> None:
    """Remote-write what ``blocks`` hold."""
    for body in remote_write.requests(blocks):
        client.post("/api/v1/write", body, remote_write.HEADERS)


def _program(name: str) -> str:
    if found := shutil.which(name):
        return found
    sys.exit(f"{name} is not installed; apt install {name}, or leave it out with --engines")


@contextmanager
def _listening(
    command: Sequence[str], place: str, address: str, log: Path
) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{probe.getsockname()[1]}"
    with _running([*command, place, address.format(host)], log, dict(os.environ)) as process:
        yield process, f"http://{host}"


@contextmanager
def _running(command: Sequence[str], log: Path, environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("ab") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, env=environment)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(timeout=120)


def _connected(
    url: str, path: str, process: subprocess.Popen[bytes], log: Path, headers: dict[str, str] | None = None
) -> Client:
    def ready() -> Client:
        client = Client(url, headers)
        client.get(path)
        return client

    found: Client = _eventually(ready, process, log)
    return found


def _eventually(ask: Any, process: subprocess.Popen[bytes], log: Path) -> Any:
    deadline = time.monotonic() + _START_TIMEOUT_S
    while True:
        try:
            return ask()
        except (OSError, Refused):
            if process.poll() is not None or time.monotonic() > deadline:
                sys.exit(f"{process.args[0]} did not start:\n{log.read_text()[-3000:]}")  # type: ignore[index]
        time.sleep(0.05)
