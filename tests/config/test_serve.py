"""``opsconsole serve`` as a process: what stops it from starting, what a kill does not take away, how it ends."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from alerts.profile import DEMO
from alerts.registry import BY_NAME as ALERTS
from dashboards.boards.overview import OVERVIEW
from opsconsole.operations.boards import snapshot
from opsconsole.operations.console import Console
from opsconsole.series.clock import SystemClock
from opsconsole.series.timerange import TimeRange
from opsconsole.storage.remote import RemoteEngine

pytestmark = [pytest.mark.real, pytest.mark.timeout(180)]

TOKEN = "a-token-of-this-test"
READ = {"Authorization": f"Bearer {TOKEN}"}
PROTOBUF = READ | {"Content-Type": "application/x-protobuf"}


@dataclass
class Running:
    process: subprocess.Popen[bytes]
    url: str
    log: Path

    def query(self, promql: str, at_s: float | None = None) -> list[dict[str, Any]]:
        parameters = {"query": promql} | ({} if at_s is None else {"time": str(at_s)})
        answer = httpx.get(f"{self.url}/api/v1/query", params=parameters, headers=READ, timeout=20)
        assert answer.status_code == 200, answer.text
        result: list[dict[str, Any]] = answer.json()["data"]["result"]
        return result


def environment(repository: Path, **more: str) -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("OPSCONSOLE_", "DJANGO_"))}
    return clean | {"PYTHONPATH": f"{repository}:{repository / 'exporters' / 'src'}"} | more


@pytest.fixture
def serve(repository: Path, tmp_path: Path) -> Iterator[Callable[..., Running]]:
    """``serve("--target", …)`` starts a console on a free port and returns it when it is ready."""
    started: list[subprocess.Popen[bytes]] = []

    def start(*arguments: str, data_dir: Path | None = None, **more: str) -> Running:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        log = tmp_path / f"console-{len(started)}.log"
        folder = data_dir or tmp_path / "data"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "opsconsole", "serve", "--port", str(port), "--profile", "demo"),
                    *("--data-dir", str(folder), *arguments),
                ],
                cwd=repository,
                env=environment(repository, OPSCONSOLE_API_TOKEN=TOKEN, **more),
                stdout=output,
                stderr=output,
            )
        started.append(process)
        running = Running(process, f"http://127.0.0.1:{port}", log)
        deadline = time.monotonic() + 60
        while True:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            try:
                if httpx.get(f"{running.url}/healthz/ready", timeout=5).status_code == 200:
                    return running
            except httpx.TransportError:
                pass
            time.sleep(0.1)

    yield start
    for process in started:
        process.kill()
        process.wait()


@pytest.fixture
def refused(repository: Path, tmp_path: Path) -> Callable[..., str]:
    """``refused("--port", …)`` runs a console that must not start, and returns the one line it said."""

    def run(*arguments: str, data_dir: Path | None = None, **more: str) -> str:
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "opsconsole",
                "serve",
                *arguments,
                "--data-dir",
                str(data_dir or tmp_path / "other"),
            ],
            cwd=repository,
            env=environment(repository, **more),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 1, done.stderr
        lines = done.stderr.strip().splitlines()
        assert len(lines) == 1, done.stderr
        return lines[0]

    return run


@dataclass
class Service:
    """A watched service whose counter and whose health the test decides."""

    url: str
    body: bytes = b"# TYPE visits_total counter\nvisits_total 1\n"


@pytest.fixture
def service() -> Iterator[Service]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.end_headers()
            self.wfile.write(watched.body)

        def log_message(self, *_: Any) -> None:
            """Keep the test's output to the test."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    watched = Service(f"http://127.0.0.1:{server.server_port}/metrics")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield watched
    server.shutdown()
    server.server_close()


def trace(trace_id: bytes) -> bytes:
    request = ExportTraceServiceRequest()
    resource = request.resource_spans.add()
    resource.resource.attributes.add(key="service.name").value.string_value = "shop-web"
    now_ns = time.time_ns()
    resource.scope_spans.add().spans.add(
        trace_id=trace_id, span_id=b"spanspan", name="GET /", start_time_unix_nano=now_ns, end_time_unix_nano=now_ns + 1
    )
    return request.SerializeToString()


def test_a_taken_port_is_named_in_one_line(refused: Callable[..., str]) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        line = refused("--port", str(port))
    assert f"127.0.0.1:{port}" in line
    assert "--port" in line


def test_a_second_console_on_the_same_folder_is_told_who_owns_it(
    serve: Callable[..., Running], refused: Callable[..., str], tmp_path: Path
) -> None:
    first = serve()
    line = refused("--port", "0", data_dir=tmp_path / "data")
    assert str(tmp_path / "data") in line
    assert str(first.process.pid) in line
    assert first.query("vector(1)"), "the first goes on"


@pytest.mark.parametrize(
    ("arguments", "more", "named"),
    [
        (("--target", "no-url"), {}, "--target"),
        (("--profile", "fast"), {}, "OPSCONSOLE_PROFILE"),
        ((), {"OPSCONSOLE_WEBHOOK_URL": "ftp://example.invalid"}, "OPSCONSOLE_WEBHOOK_URL"),
        ((), {"TELEMETRY_URL": "mysql://nowhere"}, "TELEMETRY_URL"),
        ((), {"METRICS_URL": "prometheus:9090"}, "METRICS_URL"),
        (("--target", "web=http://127.0.0.1:1/"), {"METRICS_URL": "http://127.0.0.1:2"}, "never be shown"),
        ((), {"OPSCONSOLE_HEAD_SERIES": "5000000"}, "cannot hold 5,000,000 series"),
    ],
)
def test_a_wrong_setting_is_named_in_one_line(
    refused: Callable[..., str], arguments: tuple[str, ...], more: dict[str, str], named: str
) -> None:
    assert named in refused("--port", "0", *arguments, **more)


def test_a_malformed_scrape_is_shown_and_stops_nothing(
    serve: Callable[..., Running], service: Service, eventually: Callable[..., Any]
) -> None:
    console = serve("--target", f"web={service.url}")
    eventually(lambda: console.query("visits_total"), what="the counter is stored")
    service.body = b"visits_total 1\nthis is { not an exposition\n"

    def error() -> str:
        (target,) = httpx.get(f"{console.url}/api/v1/targets", headers=READ).json()["data"]["activeTargets"]
        return str(target["lastError"])

    said = eventually(error, what="the target says what is wrong")
    assert "line 2" in said
    assert "\n" not in said
    eventually(lambda: console.query("up == 0"), what="the target counts as down")
    service.body = b"visits_total 2\n"
    eventually(lambda: console.query("visits_total == 2"), what="and is read again as soon as it makes sense")


def test_kill_9_loses_no_stored_sample_and_no_acknowledged_trace(
    serve: Callable[..., Running], service: Service, eventually: Callable[..., Any]
) -> None:
    console = serve("--target", f"web={service.url}")
    eventually(
        lambda: float((console.query("count_over_time(up[1m])") or [{"value": [0, 0]}])[0]["value"][1]) >= 3,
        what="scrapes",
    )
    stored_at_s = time.time()
    acknowledged = [bytes([number]) * 16 for number in range(1, 6)]
    for trace_id in acknowledged:
        answer = httpx.post(f"{console.url}/v1/traces", content=trace(trace_id), headers=PROTOBUF, timeout=20)
        assert answer.status_code == 200, answer.text
    time.sleep(1.5)  # what was scraped before is committed within a second; that bound is what is promised
    before = float(console.query("count_over_time(up[5m])", stored_at_s)[0]["value"][1])
    console.process.send_signal(signal.SIGKILL)
    console.process.wait()

    again = serve("--target", f"web={service.url}")
    after = float(again.query("count_over_time(up[5m])", stored_at_s)[0]["value"][1])
    assert after == before
    with httpx.Client(base_url=again.url, headers=READ) as client:
        link = subprocess.run(
            [sys.executable, "-m", "opsconsole", "sign-in-link", "--data-dir", str(again.log.parent / "data")],
            cwd=Path(__file__).parents[2],
            env=environment(Path(__file__).parents[2]),
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        assert link.startswith(again.url), "the command knows where the console of this folder listens"
        client.get(link)
        client.post(link, data={"csrfmiddlewaretoken": client.cookies["opsconsole_csrf"]}, headers={"Referer": link})
        for trace_id in acknowledged:
            assert client.get(f"/traces/{trace_id.hex()}/").status_code == 200


def test_sigterm_ends_it_cleanly_and_frees_the_port(serve: Callable[..., Running]) -> None:
    console = serve()
    console.process.terminate()
    assert console.process.wait(timeout=20) == 0, console.log.read_text()
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{console.url}/healthz/live")


@pytest.fixture
def prometheus(program: Callable[[str], str], tmp_path: Path, eventually: Callable[..., Any]) -> Iterator[str]:
    """The address of a real one that scrapes itself, and a service that is down."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    jobs = [
        {"job_name": "prometheus", "static_configs": [{"targets": [f"127.0.0.1:{port}"]}]},
        {"job_name": "shop", "static_configs": [{"targets": ["127.0.0.1:1"]}]},
    ]
    config = {"global": {"scrape_interval": "1s"}, "scrape_configs": jobs}
    (tmp_path / "prometheus.yml").write_text(json.dumps(config))  # JSON is YAML
    process = subprocess.Popen(
        [
            program("prometheus"),
            f"--config.file={tmp_path / 'prometheus.yml'}",
            f"--storage.tsdb.path={tmp_path / 'prometheus'}",
            f"--web.listen-address=127.0.0.1:{port}",
        ],
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"

    def scraped() -> bool:
        try:
            found = httpx.get(f"{url}/api/v1/query", params={"query": "count_over_time(up[1m]) > 4"}).json()
        except (httpx.TransportError, ValueError):  # while it starts it answers, but not in JSON
            return False
        return len(found["data"]["result"]) == 2

    try:
        eventually(scraped, timeout_s=60, what="Prometheus has scraped")
        yield url
    finally:
        process.terminate()
        process.wait(30)


def test_with_metrics_url_everything_is_answered_by_that_server(
    serve: Callable[..., Running], prometheus: str, eventually: Callable[..., Any]
) -> None:
    console = serve(METRICS_URL=prometheus)
    now_s = int(time.time())

    def both(path: str, **asked: str | int) -> list[Any]:
        answers = [
            httpx.get(f"{url}/api/v1/{path}", params=asked, headers=READ, timeout=20).json()
            for url in (prometheus, console.url)
        ]
        return [answer.get("data") or (answer["errorType"], answer["error"]) for answer in answers]

    span: dict[str, str | int] = {"start": now_s - 6, "end": now_s - 1, "step": 1}
    selected: dict[str, str | int] = {"match[]": "up", "start": now_s - 60, "end": now_s}
    for path, asked in [
        ("query", {"query": "up", "time": now_s - 1}),
        ("query", {"query": "up[4s]", "time": now_s - 1}),
        ("query", {"query": "scalar(vector(7)) / 0", "time": now_s}),
        ("query", {"query": "sort_desc(prometheus_http_requests_total)", "time": now_s - 1}),
        ("query_range", {"query": "rate(prometheus_http_requests_total[5s])", **span}),
        ("query_range", {"query": "nothing_here", **span}),
        ("series", selected),
        ("labels", selected),
        ("label/job/values", selected),
    ]:
        theirs, ours = both(path, **asked)
        assert ours == theirs, (path, asked)
    for asked in ({"query": "sum("}, {"query": "no_such_function(up)"}, {"query": "up + on(nothing) up"}):
        theirs, ours = both("query", **asked)
        assert ours == theirs

    pushed = httpx.post(
        f"{console.url}/v1/metrics", content=b"{}", headers=READ | {"Content-Type": "application/json"}, timeout=20
    )
    assert pushed.status_code == 400
    assert "push them to that server" in pushed.text

    def rule() -> Any:
        groups = httpx.get(f"{console.url}/api/v1/rules", headers=READ, timeout=20).json()["data"]["groups"]
        found = [each for group in groups for each in group["rules"] if each["name"] == "TargetDown"]
        return found[0]["alerts"] and found[0]

    down = eventually(rule, timeout_s=30, what="the alert saw that the service is down")
    assert down["health"] == "ok"
    assert [alert["labels"]["job"] for alert in down["alerts"]] == ["shop"]


def test_a_console_may_show_what_another_has_scraped(
    serve: Callable[..., Running], service: Service, eventually: Callable[..., Any], tmp_path: Path
) -> None:
    """The same answers, whole, as of the console that scraped; what it alone knows is not made up by the other."""
    one = serve("--target", f"web={service.url}")
    eventually(lambda: one.query("visits_total"), what="the counter is scraped")
    two = serve(data_dir=tmp_path / "two", METRICS_URL=one.url.replace("//", f"//any:{TOKEN}@"))
    now_s = time.time()
    for query in ("visits_total", "up", "up[30s]", "rate(visits_total[1m])", "scrape_samples_scraped + 1"):
        assert two.query(query, now_s) == one.query(query, now_s), query
    service.body = b"# TYPE visits_total counter\nvisits_total 5\n"
    eventually(lambda: two.query("visits_total == 5"), what="the next scrape is seen by both")
    targets = httpx.get(f"{two.url}/api/v1/targets", headers=READ).json()["data"]["activeTargets"]
    assert targets == []


@pytest.mark.django_db
def test_a_board_is_filled_from_metrics_url(prometheus: str) -> None:
    nothing = cast("Any", None)
    engine = RemoteEngine(prometheus)
    console = Console(
        clock=SystemClock(),
        profile=DEMO,
        boards={"overview": OVERVIEW},
        alerts=ALERTS,
        engine=engine,
        spans=nothing,
        scraper=nothing,
        hub=nothing,
        public_url="",
    )
    frame = snapshot(console, OVERVIEW, TimeRange("now-1m", "now"), {})
    engine.close()
    panels = frame["panels"]
    assert not any("error" in panel for panel in panels.values())
    up = panels["targets"]
    values = {
        series["labels"]["job"]: value
        for series, value in zip(up["series"], up["values"], strict=True)
        if not series["query"]
    }
    assert values == {"prometheus": 1.0, "shop": 0.0}
