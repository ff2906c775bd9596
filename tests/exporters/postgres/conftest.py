"""PostgreSQL 15 from Debian, PostgreSQL 18 with pgvector from its wheel, and PgBouncer before the latter."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pwd
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from opsconsole_exporters.postgres.collector import ServerCollector
from opsconsole_exporters.postgres.target import Target
from psycopg.conninfo import make_conninfo

DEBIAN = Path("/usr/lib/postgresql/15/bin")
PASSWORD = "k33p-me-to-yourself"


@pytest.fixture(scope="session")
def postgres_18(database: dict[str, Any]) -> str:
    """The connection string of a PostgreSQL 18 that has pgvector."""
    at = {
        "host": database["HOST"],
        "port": database["PORT"] or 5432,
        "user": database["USER"],
        "dbname": database["NAME"],
    }
    return make_conninfo(**at)


@pytest.fixture(scope="session")
def postgres_16(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The connection string of a PostgreSQL 16 with an old pgvector, 0.6."""
    found = importlib.util.find_spec("pgserver")  # importing it would make files
    if found is None or found.origin is None:
        pytest.skip("needs PostgreSQL 16; pip install pgserver")
    with _cluster(tmp_path_factory.mktemp("postgres16"), Path(found.origin).parent / "pginstall" / "bin") as conninfo:
        yield conninfo


@pytest.fixture(scope="session")
def postgres_15(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The connection string of a PostgreSQL 15 that has pg_stat_statements, and no pgvector, which Debian lacks."""
    if not DEBIAN.is_dir():
        pytest.skip("needs PostgreSQL 15; apt-get install postgresql-15")
    settings = {"shared_preload_libraries": "pg_stat_statements"}
    with _cluster(tmp_path_factory.mktemp("postgres15"), DEBIAN, **settings) as conninfo:
        yield conninfo


@pytest.fixture(scope="module")
def pgbouncer(
    tmp_path_factory: pytest.TempPathFactory, program: Callable[[str], str], postgres_18: str
) -> Iterator[str]:
    """The connection string of the console of a PgBouncer; its database ``shop`` lends two connections."""
    folder = tmp_path_factory.mktemp("pgbouncer")
    port = _free_port()
    (folder / "users.txt").write_text(f'"monitor" "{PASSWORD}"\n"shop" "{PASSWORD}"\n')
    (folder / "pgbouncer.ini").write_text(
        f"""
        [databases]
        shop = {postgres_18} pool_size=2
        [pgbouncer]
        listen_addr = 127.0.0.1
        listen_port = {port}
        unix_socket_dir =
        auth_type = scram-sha-256
        auth_file = {folder / "users.txt"}
        stats_users = monitor
        pool_mode = transaction
        max_client_conn = 77
        stats_period = 1
        """
    )
    _give(folder)
    with _running(folder / "log", program("pgbouncer"), folder / "pgbouncer.ini"):
        console = make_conninfo(host="127.0.0.1", port=port, user="monitor", password=PASSWORD, dbname="pgbouncer")
        _wait_for_connection(console)
        yield console


@pytest.fixture
def asking() -> Iterator[Callable[..., ServerCollector]]:
    """``asking(subject, main="host=...")`` is a collector of these servers, without its cache; closed after the test."""
    made: list[ServerCollector] = []

    def make(subject: Any, **servers: str) -> ServerCollector:
        ticks = iter(range(0, 1_000_000, 2))
        made.append(ServerCollector(subject, [Target(n, c) for n, c in servers.items()], lambda: float(next(ticks))))
        return made[-1]

    yield make
    for collector in made:
        collector.close()


@pytest.fixture
def values() -> Callable[..., dict[tuple[str, ...], float]]:
    """``values(collector, METRIC)``: what one scrape says of a metric, by the values of its labels."""

    def read(collector: ServerCollector, *wanted: Any) -> Any:
        found: list[dict[tuple[str, ...], float]] = [{} for _ in wanted]
        for family in collector.collect():
            for sample in family.samples:
                for values, metric in zip(found, wanted, strict=True):
                    if sample.name == metric.name:
                        values[tuple(sample.labels[label] for label in metric.labels)] = sample.value
        return found[0] if len(found) == 1 else found

    return read


@contextlib.contextmanager
def _cluster(folder: Path, programs: Path, **settings: str) -> Iterator[str]:
    """The connection string of a new server, which runs until the block ends."""
    _give(folder)
    data, port = folder / "data", _free_port()
    initdb = [programs / "initdb", "-D", data, "-U", "shop", "--auth=trust", "--no-sync", "--no-instructions"]
    subprocess.run(_as_nobody(*initdb), check=True, capture_output=True, cwd="/")
    settings |= {"fsync": "off", "listen_addresses": "127.0.0.1", "unix_socket_directories": ""}
    options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    with _running(folder / "log", programs / "postgres", "-D", data, "-p", port, *options):
        conninfo = make_conninfo(host="127.0.0.1", port=port, user="shop", dbname="postgres")
        _wait_for_connection(conninfo)
        yield conninfo


@contextlib.contextmanager
def _running(log: Path, *command: object) -> Iterator[None]:
    with log.open("wb") as stream:
        process = subprocess.Popen(
            _as_nobody(*command), stdout=stream, stderr=subprocess.STDOUT, start_new_session=True, cwd="/"
        )
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _as_nobody(*command: object) -> list[str]:
    """PostgreSQL and PgBouncer refuse root, who runs the tests in a container."""
    words = [str(word) for word in command]
    if os.geteuid():
        return words
    caps = ("--inh-caps=+dac_override", "--ambient-caps=+dac_override")
    return ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", *caps, *words]


def _give(folder: Path) -> None:
    if not os.geteuid():
        nobody = pwd.getpwnam("nobody")
        for path in (folder, *folder.iterdir()):
            os.chown(path, nobody.pw_uid, nobody.pw_gid)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for_connection(conninfo: str) -> None:
    end = time.monotonic() + 30
    while True:
        try:
            psycopg.connect(conninfo, autocommit=True, connect_timeout=2).close()
        except psycopg.OperationalError:
            assert time.monotonic() < end, "the server does not accept connections"
            time.sleep(0.05)
        else:
            return
