"""A webhook sink, and incidents in the records with rows in the outbox."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from opsconsole.alerting.state import Instance, Reason, State, Transition
from opsconsole.records import ledger
from opsconsole.series.labels import Labels

NOW = 1_764_000_000_000


@dataclass
class Received:
    headers: dict[str, str]
    body: bytes

    @property
    def payload(self) -> dict:
        return json.loads(self.body)


@dataclass
class Sink:
    """Answers from a script of (status, headers), 200 when it is out; ``hold`` lets every request wait."""

    answers: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    received: list[Received] = field(default_factory=list)
    go_on: threading.Event = field(default_factory=threading.Event)
    arrived: threading.Condition = field(default_factory=threading.Condition)
    url: str = ""

    def wait_for(self, count: int, deadline_s: float = 20) -> list[Received]:
        with self.arrived:
            assert self.arrived.wait_for(lambda: len(self.received) >= count, deadline_s), (
                f"{len(self.received)} of {count} requests arrived in {deadline_s} s"
            )
        return self.received


@pytest.fixture
def sink() -> Iterator[Sink]:
    sink = Sink()
    sink.go_on.set()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            with sink.arrived:
                sink.received.append(Received({name.lower(): value for name, value in self.headers.items()}, body))
                sink.arrived.notify_all()
                status, headers = sink.answers.pop(0) if sink.answers else (200, {})
            sink.go_on.wait(30)
            try:
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", "0")
                self.end_headers()
            except OSError:
                pass  # the client is gone, which some tests are about

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    sink.url = f"http://127.0.0.1:{server.server_port}/hook?key=secret"
    yield sink
    sink.go_on.set()
    server.shutdown()
    thread.join()
    server.server_close()


def instance(queue: str, alert: str = "CeleryQueueBacklog", fired_at_ms: int = NOW) -> Instance:
    labels = Labels.of(alertname=alert, job="shop", queue=queue, severity="warning")
    return Instance(labels, State.FIRING, fired_at_ms - 1000, fired_at_ms, None, 90.0, f"{queue} waits", "Look at it.")


Record = Callable[..., None]


@pytest.fixture
def fire() -> Record:
    """``fire("mail", now_ms=…, channels=…)`` stores that it began to fire, as an evaluation would."""

    def store(
        queue: str, *, now_ms: int = NOW, channels: tuple[str, ...] = ("webhook",), alert: str = "CeleryQueueBacklog"
    ):
        began = instance(queue, alert, now_ms)
        fact = Transition(began, State.PENDING, State.FIRING, now_ms, Reason.HELD)
        ledger.record({}, {alert: {began.labels: began}}, [fact], channels, now_ms)

    return store


@pytest.fixture
def resolve() -> Record:
    """``resolve("mail", now_ms=…)`` stores that it ended."""

    def store(
        queue: str, *, now_ms: int = NOW, channels: tuple[str, ...] = ("webhook",), alert: str = "CeleryQueueBacklog"
    ):
        ended = instance(queue, alert)
        fact = Transition(ended, State.FIRING, State.INACTIVE, now_ms, Reason.ENDED)
        ledger.record({alert: {ended.labels: ended}}, {}, [fact], channels, now_ms)

    return store
