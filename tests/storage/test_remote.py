"""Metrics at another server, which here is a small one that says whatever a test needs, on a real socket."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import orjson
import pytest

from opsconsole.promql.error import PromQLError
from opsconsole.promql.evaluator import Refused, Unreachable
from opsconsole.promql.limits import Budget, Canceled, LimitExceeded, Limits, TimedOut
from opsconsole.promql.parse import parse
from opsconsole.promql.plan import Selector
from opsconsole.promql.result import Matrix, Samples, Scalar
from opsconsole.series.labels import Labels
from opsconsole.storage.remote import RemoteEngine


@dataclass
class Server:
    url: str = ""
    status: int = 200
    body: bytes = b""
    asked: list[tuple[str, dict[str, list[str]], str | None]] = field(default_factory=list)
    reached: threading.Event = field(default_factory=threading.Event)
    left: threading.Event = field(default_factory=threading.Event)
    hold: bool = False  # say nothing until the client goes away

    def says(self, data: Any, **more: Any) -> None:
        self.body = orjson.dumps({"status": "success", "data": data, **more})


@pytest.fixture
def server() -> Iterator[Server]:
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            form = self.rfile.read(int(self.headers["Content-Length"])).decode()
            self._answer(parse_qs(form))

        def do_GET(self) -> None:
            self._answer(parse_qs(urlsplit(self.path).query))

        def _answer(self, asked: dict[str, list[str]]) -> None:
            state.asked.append((urlsplit(self.path).path, asked, self.headers.get("Authorization")))
            state.reached.set()
            if state.hold:
                self.connection.settimeout(30)
                if self.connection.recv(1) == b"":
                    state.left.set()
                return
            self.send_response(state.status)
            self.send_header("Content-Length", str(len(state.body)))
            self.end_headers()
            self.wfile.write(state.body)

        def log_message(self, *_: object) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{http.server_port}"
    thread = threading.Thread(target=http.serve_forever, args=(0.02,))
    thread.start()
    yield state
    http.shutdown()
    thread.join()
    http.server_close()


@pytest.fixture
def remote(server: Server) -> Iterator[Callable[..., RemoteEngine]]:
    made = []

    def make(prefix: str = "", login: str = "", **limits: Any) -> RemoteEngine:
        url = server.url.replace("//", f"//{login}@") if login else server.url
        made.append(RemoteEngine(url + prefix, limits=Limits(**limits)))
        return made[-1]

    yield make
    for engine in made:
        engine.close()
        engine.close()


@pytest.mark.parametrize(
    "url", ["prometheus:9090", "ftp://user:secret@host", "http://", "http://user:secret@host/?a=1", "https:///path"]
)
def test_what_is_no_address_is_refused_without_its_secrets(url: str) -> None:
    with pytest.raises(ValueError, match="METRICS_URL is no address") as refused:
        RemoteEngine(url)
    assert "secret" not in str(refused.value)


def test_prefix_and_credentials_are_used(server: Server, remote: Callable[..., RemoteEngine]) -> None:
    server.says({"resultType": "scalar", "result": [1, "2"]})
    engine = remote("/prom/", "us%40er:p%2Fw")
    assert engine.instant("2", 1_000) == Scalar(1_000, 2.0)
    ((path, asked, authorization),) = server.asked
    assert path == "/prom/api/v1/query"
    assert (asked["query"], asked["time"]) == (["2"], ["1.000"])
    assert 0 < float(asked["timeout"][0]) <= 30
    assert authorization == "Basic dXNAZXI6cC93"
    assert "p/w" not in engine.shown
    assert "@" not in engine.shown


def test_a_vector_keeps_its_order_and_its_special_values(server: Server, remote: Callable[..., RemoteEngine]) -> None:
    rows = [{"metric": {"n": n}, "value": [1.5, value]} for n, value in (("b", "+Inf"), ("a", "NaN"), ("c", "1e3"))]
    server.says({"resultType": "vector", "result": rows}, warnings=["careful"], infos=["by the way"])
    result = remote().instant("sort(x)", 1_500)
    assert isinstance(result, Matrix)
    assert not isinstance(result, Samples)
    assert [labels.get("n") for labels in result.labels] == ["b", "a", "c"]
    np.testing.assert_array_equal(result.values, [[np.inf], [np.nan], [1000.0]])
    assert result.present.all()
    assert (result.warnings, result.infos) == (("careful",), ("by the way",))


def test_a_range_is_sorted_and_has_its_gaps(server: Server, remote: Callable[..., RemoteEngine]) -> None:
    rows = [
        {"metric": {"n": "b"}, "values": [[10, "1"], [10.5, "2"]]},
        {"metric": {"n": "a"}, "values": [[11, "NaN"]]},
    ]
    server.says({"resultType": "matrix", "result": rows})
    result = remote().range("x", 10_000, 11_200, 500)
    assert result.timestamps.tolist() == [10_000, 10_500, 11_000]
    assert result.labels == [Labels.of(n="a"), Labels.of(n="b")]
    assert result.present.tolist() == [[False, False, True], [True, True, False]]
    (asked,) = [form for _, form, _ in server.asked]
    assert (asked["start"], asked["end"], asked["step"]) == (["10.000"], ["11.200"], ["0.500"])


def test_the_samples_of_a_range_vector_are_sorted_and_keep_their_times(
    server: Server, remote: Callable[..., RemoteEngine]
) -> None:
    rows = [{"metric": {"n": n}, "values": [[t, "1"]]} for n, t in (("b", 9.001), ("a", 10.137))]
    server.says({"resultType": "matrix", "result": rows})
    result = remote().instant("x[1m]", 11_000)
    assert isinstance(result, Samples)
    assert result.timestamps.tolist() == [9_001, 10_137]
    assert [labels.get("n") for labels in result.labels] == ["a", "b"]
    assert result.present.tolist() == [[False, True], [True, False]]


def test_series_and_labels_are_asked_for_there(server: Server, remote: Callable[..., RemoteEngine]) -> None:
    selector = parse('up{job=~"a|b"}')
    assert isinstance(selector, Selector)
    engine = remote()
    server.says([{"__name__": "up", "job": "b"}, {"__name__": "up", "job": "a"}])
    assert [each.get("job") for each in engine.series([selector.matchers], 0, 1000)] == ["a", "b"]
    server.says(["job", "__name__"])
    assert engine.label_names([], 0, 1000) == ["__name__", "job"]
    assert engine.label_values("job/name", [], 0, 1000) == ["__name__", "job"]
    server.says([])
    assert engine.series([], 0, 1000) == []
    (path, first, _), (_, names, _), (values_path, _, _), (_, everything, _) = server.asked
    assert (path, values_path) == ("/api/v1/series", "/api/v1/label/job%2Fname/values")
    assert first["match[]"] == ['{__name__="up", job=~"a|b"}']
    assert "match[]" not in names
    assert everything["match[]"] == ['{__name__!=""}']


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("bad_data", Refused),
        ("execution", PromQLError),
        ("timeout", TimedOut),
        ("canceled", Canceled),
        ("internal", Unreachable),
        ("unavailable", Unreachable),
    ],
)
def test_an_error_keeps_its_kind_and_its_words(
    server: Server, remote: Callable[..., RemoteEngine], kind: str, error: type[PromQLError]
) -> None:
    server.status = 422
    server.body = orjson.dumps({"status": "error", "errorType": kind, "error": "many-to-many\n matching"})
    with pytest.raises(PromQLError, match=r"^many-to-many matching$") as raised:
        remote().range("x", 0, 1000, 1000)
    assert type(raised.value) is error


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (401, b"go away", r"refuses the console \(401\); check user and password"),
        (404, b"<html>", r"does not answer as Prometheus does \(status 404\); check METRICS_URL and its prefix"),
        (200, b"[]", "does not answer as Prometheus does"),
        (200, b'{"status":"success","data":{"resultType":"vector","result":[{"metric":{}}]}}', "as Prometheus does"),
        (200, b'{"status":"success","data":null}', "as Prometheus does"),
        (200, b'{"status":"success"}', "as Prometheus does"),
    ],
)
def test_a_server_that_is_no_prometheus_is_said_in_one_line(
    server: Server, remote: Callable[..., RemoteEngine], status: int, body: bytes, said: str
) -> None:
    server.status, server.body = status, body
    with pytest.raises(Unreachable, match=said) as raised:
        remote(login="me:hunter2").instant("x", 0)
    assert "hunter2" not in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_server_that_is_away_is_said_in_one_line() -> None:
    engine = RemoteEngine("http://me:hunter2@127.0.0.1:1")
    with pytest.raises(
        Unreachable, match=r"^http://127\.0\.0\.1:1 does not answer \(ConnectError\); check METRICS_URL$"
    ):
        engine.instant("x", 0)
    engine.close()


def test_an_answer_over_the_limit_is_refused(server: Server, remote: Callable[..., RemoteEngine]) -> None:
    server.says({"resultType": "vector", "result": []}, padding="x" * 100_000)
    with pytest.raises(LimitExceeded, match="is too large"):
        remote(samples=1000).instant("x", 0)


def test_a_query_out_of_time_leaves_the_server_alone(server: Server, remote: Callable[..., RemoteEngine]) -> None:
    server.hold = True
    with pytest.raises(TimedOut, match="query timed out"):
        remote(seconds=0.2).instant("x", 0)
    assert server.left.wait(10), "the connection was closed, which ends the query over there"


def test_a_cancelled_query_leaves_the_server_alone(server: Server, remote: Callable[..., RemoteEngine]) -> None:
    server.hold = True
    cancelled = threading.Event()
    canceller = threading.Thread(target=lambda: server.reached.wait(10) and cancelled.set())
    canceller.start()
    with pytest.raises(Canceled, match="query was canceled"):
        remote().instant("x", 0, Budget(Limits(), cancelled=cancelled))
    canceller.join()
    assert server.left.wait(10), "the connection was closed, which ends the query over there"
