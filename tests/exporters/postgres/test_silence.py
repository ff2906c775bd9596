"""Servers that take a connection and then say nothing: the page comes all the same, and says who is silent."""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading
from pathlib import Path

import pytest
from opsconsole_exporters import metrics
from opsconsole_exporters.catalog.exporter import COLLECTOR_ERRORS
from opsconsole_exporters.catalog.postgres import PG_ACTIVITY, PG_MAX_CONNECTIONS, PG_UP
from opsconsole_exporters.postgres import pgbouncer, server, vector
from opsconsole_exporters.postgres.collector import ServerCollector
from opsconsole_exporters.postgres.target import Target
from opsconsole_exporters.server import Server
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tests.exporters.conftest import Scrape

pytestmark = pytest.mark.real


class Relay:
    """Passes on what PostgreSQL and its client say, until it is told to swallow the answers."""

    def __init__(self, upstream: Path) -> None:
        self.silent = threading.Event()
        self._upstream = upstream
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def hang_up(self) -> None:
        """End what is open, as a machine that comes up again does."""
        for connection in self._open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._open.clear()

    def close(self) -> None:
        self._listener.close()
        self.hang_up()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                upstream = socket.socket(socket.AF_UNIX)
                upstream.connect(str(self._upstream))
                self._open += [client, upstream]
                threading.Thread(target=self._pass, args=(client, upstream, False), daemon=True).start()
                threading.Thread(target=self._pass, args=(upstream, client, True), daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket, answers: bool) -> None:
        with contextlib.suppress(OSError), source:
            while data := source.recv(65536):
                if not (answers and self.silent.is_set()):
                    target.sendall(data)


@pytest.fixture
def relay(postgres_18):
    at = conninfo_to_dict(postgres_18)
    made = Relay(Path(str(at["host"])) / f".s.PGSQL.{at.get('port', 5432)}")
    yield made
    made.close()


@pytest.fixture
def silent_port():
    """A port that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        yield silent.getsockname()[1]


@pytest.fixture
def serving():
    """``serving(subject, name=conninfo)``: a real page of one exporter, read by a client that waits at most 30 s."""
    with contextlib.ExitStack() as stack:

        def start(subject, **servers):
            collector = ServerCollector(subject, [Target(name, conninfo) for name, conninfo in servers.items()])
            web = stack.enter_context(Server("127.0.0.1", 0))
            web.collectors = (collector,)
            thread = threading.Thread(target=web.serve_forever, kwargs={"poll_interval": 0.05})
            thread.start()
            stack.callback(collector.close)
            stack.callback(thread.join)
            stack.callback(web.shutdown)

            def scrape():
                connection = http.client.HTTPConnection("127.0.0.1", web.server_port, timeout=30)
                with contextlib.closing(connection):
                    connection.request("GET", "/metrics")
                    response = connection.getresponse()
                    assert response.status == 200
                    return Scrape.parse(response.read().decode())

            return scrape

        yield start


@pytest.mark.parametrize("subject", [server.SUBJECT, pgbouncer.SUBJECT, vector.subject()], ids=lambda s: s.name)
def test_a_server_that_never_says_a_word_is_down_on_a_page_that_comes(serving, silent_port, caplog, subject):
    conninfo = make_conninfo(host="127.0.0.1", port=silent_port, user="u", password="hush-hush", dbname="x")
    scrape = serving(subject, silent=conninfo)
    before = errors_counted(subject.name)
    page = scrape()
    assert page.value(subject.up, server="silent") == 0
    assert {name for name, labels in page.samples if ("server", "silent") in labels} == {subject.up.name}
    assert page.value(COLLECTOR_ERRORS, collector=subject.name) - before == 1
    (line,) = [record for record in caplog.records if "cannot be asked" in record.getMessage()]
    assert "hush-hush" not in line.getMessage()


def test_a_server_that_falls_silent_between_two_scrapes_costs_its_own_metrics_alone(serving, relay, postgres_18, until):
    """It has logged in, its connection is open, and no answer comes any more: the deadline of the page is all there is."""
    through = make_conninfo(postgres_18, host="127.0.0.1", port=relay.port)
    scrape = serving(server.SUBJECT, falls=through, stays=postgres_18)
    page = scrape()
    assert {name: page.value(PG_UP, server=name) for name in ("falls", "stays")} == {"falls": 1, "stays": 1}
    assert page.value(PG_MAX_CONNECTIONS, server="falls") > 0

    before = errors_counted("postgres")
    relay.silent.set()
    page = until("silence", lambda: page if (page := scrape()).value(PG_UP, server="falls") == 0 else None)
    assert {name for name, labels in page.samples if ("server", "falls") in labels} == {PG_UP.name}
    assert page.value(PG_UP, server="stays") == 1
    assert page.sum(PG_ACTIVITY, server="stays") > 0
    assert page.value(COLLECTOR_ERRORS, collector="postgres") - before == 1

    relay.silent.clear()
    relay.hang_up()
    until("its return", lambda: scrape().value(PG_UP, server="falls") == 1)


def errors_counted(collector):
    return metrics.counter(COLLECTOR_ERRORS).labels(collector)._value.get()
