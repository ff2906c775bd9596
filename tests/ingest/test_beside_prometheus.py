"""The same expositions, scraped by a real Prometheus and by our scraper into a head: the same series and values.

Debian's Prometheus is 2.42.  ``honor_timestamps: false`` is how the console keeps samples, and is said in its configuration.
Prometheus 3 differs in two things on purpose, and so do we: ``le`` and ``quantile`` are floats whatever the format
(``le="1"`` of the text format becomes ``le="1.0"``), and a name may stand in quotes, which 2.42 cannot read.
"""

from __future__ import annotations

import asyncio
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from opsconsole.ingest.scrape import Scraper, TargetState, TargetStatus
from opsconsole.ingest.scraped import OWN_SERIES
from opsconsole.ingest.target import Target
from opsconsole.promql.engine import Engine
from opsconsole.series.clock import SystemClock
from opsconsole.series.labels import Labels
from opsconsole.series.matcher import Matcher, Operator
from opsconsole.storage.clickhouse import ClickHouse
from opsconsole.storage.exemplars import ExemplarStore
from opsconsole.storage.head import Head
from opsconsole.storage.metadata import MetadataStore
from opsconsole.storage.recorder import Recorder
from opsconsole.storage.samples import SampleStore

pytestmark = [pytest.mark.real]

TEXT = r"""# HELP hits Visits, with a \\ and a
# A comment of no meaning.
# TYPE hits counter
hits{view="/",method="GET"} 1027
hits { view = "/a" , method = "POST" , } 3.5e+2 1395066363000
hits{view="quote \" backslash \\ line \n end",method=""} 7
hits{view="größe 日本",method="GET",} -0
hits{view="/",method="GET"} 1028
hits{method="GET",view="/"} 1029
job_of_its_own{job="theirs",instance="inner",exported_job="twice"} 1
not_a_number NaN
above +Inf
below -Inf
tiny 4.9e-324
large 1.7976931348623157e308
exact 9007199254740993
# TYPE latency_seconds histogram
latency_seconds_bucket{le="0.5"} 1
latency_seconds_bucket{le="2.5"} 2
latency_seconds_bucket{le="+Inf"} 3
latency_seconds_sum 4
latency_seconds_count 3
# TYPE age summary
age{quantile="0.5"} 1
age{quantile="0.99"} NaN
age_sum 2
age_count 3
# TYPE hits_too untyped
hits_too 1
no_type{a="1",b="2",c="3",d="4",e="5",f="6",g="7",h="8"} 0.1
:colons:in:a:name 1
UPPER_and_9 2
"""

OPENMETRICS = r"""# TYPE orders counter
# HELP orders Orders.
orders_total{kind="book"} 7.0 1700000000.123 # {trace_id="4bf92f3577b34da6"} 1.0 1700000000.25
orders_total{kind="quote \" backslash \\ line \n end"} 8 # {trace_id="00f067aa0ba902b7",span="größe"} 0.5
orders_total{kind="empty"} 9 # {} 2
orders_created{kind="book"} 1.7e9
# TYPE wait_seconds histogram
# UNIT wait_seconds seconds
wait_seconds_bucket{le="0.1"} 3.0 # {trace_id="aa"} 0.05
wait_seconds_bucket{le="1.0"} 4.0
wait_seconds_bucket{le="+Inf"} 5.0 # {trace_id="bb"} 1.5 1700000001
wait_seconds_count 5.0
wait_seconds_sum 1.25
# TYPE build info
build_info{version="1"} 1
# TYPE mode stateset
mode{mode="on"} 1
mode{mode="off"} 0
# TYPE free gauge
free NaN
free_too -Inf
free_three +Inf
# TYPE twice gauge
twice{a="1"} 1
twice{a="1"} 2
# EOF
"""

PAGES = {
    "/text": ("text/plain; version=0.0.4; charset=utf-8", TEXT),
    "/openmetrics": ("application/openmetrics-text; version=1.0.0; charset=utf-8", OPENMETRICS),
    "/no-type": ("", 'plain{le="1"} 1\n'),
    "/empty": ("text/plain", ""),
    "/torn": ("text/plain", 'good 1\nbad{a="1} 1\n'),
    "/no-eof": ("application/openmetrics-text; version=1.0.0", "good 1\n"),
}

CONFIG = """\
global: {{scrape_interval: 500ms, scrape_timeout: 500ms}}
scrape_configs:
{jobs}
"""
JOB = """\
- job_name: '{path}'
  metrics_path: '{path}'
  honor_timestamps: false
  static_configs: [{{targets: ['{address}']}}]
"""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            kind, body = PAGES[self.path]
            self.send_response(200)
            if kind:
                self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body.encode())))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: Any) -> None:
            """Keep the test's output to the test."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def theirs(
    address: str,
    program: Callable[[str], str],
    eventually: Callable[..., Any],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[httpx.Client]:
    folder: Path = tmp_path_factory.mktemp("prometheus")
    (folder / "prometheus.yml").write_text(
        CONFIG.format(jobs="".join(JOB.format(path=path, address=address) for path in PAGES))
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
                "--enable-feature=exemplar-storage",
            ],
            stdout=log,
            stderr=log,
        )
    with httpx.Client(base_url=f"http://127.0.0.1:{port}/api/v1/") as client:

        def scraped() -> bool:
            try:
                found = client.get("targets").json()["data"]["activeTargets"]
            except (httpx.TransportError, ValueError):  # while it starts it answers, but not in JSON
                return False
            return len(found) == len(PAGES) and all(target["health"] != "unknown" for target in found)

        try:
            eventually(scraped, timeout_s=60, what="Prometheus has scraped")
            yield client
        finally:
            process.terminate()
            process.wait(30)


class Ours:
    """A head and its neighbours, after one scrape of every page."""

    def __init__(self, address: str, clickhouse: ClickHouse) -> None:
        self.head, self.exemplars, self.metadata = Head(), ExemplarStore(), MetadataStore()
        self.recorder = Recorder(self.head, SampleStore(clickhouse), exemplars=self.exemplars, metadata=self.metadata)
        # Targets differ by job and instance: here the page is the job, as it is with the other.
        self.targets = {path: Target.parse(f"{path[1:]}=http://{address}{path}", interval_s=600) for path in PAGES}
        self._scraper = Scraper(list(self.targets.values()), self.recorder, SystemClock())
        asyncio.run(self._scrape())

    async def _scrape(self) -> None:
        await self._scraper.start()
        for target in self.targets.values():
            await self._scraper.scrape(target.labels)
        await self._scraper.stop()

    def status(self, path: str) -> TargetStatus:
        return next(status for status in self._scraper.status if status.target is self.targets[path])

    def samples(self, path: str) -> dict[Labels, str]:
        at_ms = self.status(path).last_scrape_ms
        found = Engine(self.head).instant(f'{{job="{path[1:]}"}}', at_ms)
        return {
            labels: str(float(value))
            for labels, value in zip(found.labels, found.last.tolist(), strict=True)  # type: ignore[union-attr]
        }


@pytest.fixture(scope="module")
def ours(address: str, embedded_engine: ClickHouse) -> Iterator[Ours]:
    found = Ours(address, embedded_engine)
    yield found
    found.recorder.close()


def samples(client: httpx.Client, path: str) -> dict[Labels, str]:
    """What Prometheus holds of a page, under the job that we give it."""
    result = client.get("query", params={"query": f'{{job="{path}"}}'}).json()["data"]["result"]
    return {
        Labels.of({**each["metric"], "job": path[1:]}): str(float(each["value"][1].replace("Inf", "inf")))
        for each in result
    }


def exposed(found: dict[Labels, str]) -> dict[Labels, str]:
    """Without what a scraper says of its own work, which takes a time of its own."""
    return {labels: value for labels, value in found.items() if labels.metric not in OWN_SERIES}


@pytest.mark.parametrize("path", ["/text", "/openmetrics", "/empty"])
def test_the_same_series_and_values_come_of_it(ours: Ours, theirs: httpx.Client, path: str) -> None:
    mine, real = exposed(ours.samples(path)), exposed(samples(theirs, path))
    assert mine == real
    assert bool(mine) == (path != "/empty")


@pytest.mark.parametrize("path", ["/text", "/openmetrics", "/empty", "/torn", "/no-eof"])
def test_a_scrape_is_good_or_bad_alike(ours: Ours, theirs: httpx.Client, path: str) -> None:
    targets = theirs.get("targets").json()["data"]["activeTargets"]
    health = {target["labels"]["job"]: target["health"] for target in targets}
    assert (ours.status(path).state is TargetState.UP) == (health[path] == "up")


@pytest.mark.parametrize("path", ["/text", "/openmetrics", "/empty"])  # of a torn one Prometheus counts up to the tear
def test_a_scraper_counts_alike(ours: Ours, theirs: httpx.Client, path: str) -> None:
    def own(found: dict[Labels, str]) -> dict[str, str]:
        wanted = {"up", "scrape_samples_scraped"}  # what is new differs from the second scrape on
        return {labels.metric: value for labels, value in found.items() if labels.metric in wanted}

    assert own(ours.samples(path)) == own(samples(theirs, path))


def test_a_bound_is_a_float_as_in_prometheus_3(ours: Ours, theirs: httpx.Client) -> None:
    """2.42 keeps the text; of a family that is no histogram we do, too."""
    assert exposed(ours.samples("/no-type")) == exposed(samples(theirs, "/no-type"))
    ((labels, _),) = exposed(ours.samples("/no-type")).items()
    assert labels.get("le") == "1"


def test_the_same_exemplars_are_kept(ours: Ours, theirs: httpx.Client) -> None:
    """But for the instant of one without its own, which is that of its scrape."""

    def dated(at: float) -> float | None:
        return at if at < 1_700_000_002 else None

    real = {
        Labels.of({**each["seriesLabels"], "job": "openmetrics"}): [
            (Labels.of(one["labels"]), float(one["value"]), dated(one["timestamp"])) for one in each["exemplars"][-1:]
        ]
        for each in theirs.get(
            "query_exemplars", params={"query": '{job="/openmetrics"}', "start": 0, "end": 32503680000}
        ).json()["data"]
    }
    job = Matcher("job", Operator.EQUAL, "openmetrics")
    mine = {
        found.labels: [(one.labels, one.value, dated(one.timestamp_ms / 1000)) for one in found.exemplars]
        for found in ours.exemplars.select((job,), 0, 1 << 62)
    }
    assert mine == real
    assert len(mine) == 5


def test_the_same_metadata_is_kept(ours: Ours, theirs: httpx.Client) -> None:
    said = theirs.get("targets/metadata", params={"match_target": '{job="/openmetrics"}'}).json()["data"]
    real = {each["metric"]: (each["type"], each["help"], each["unit"]) for each in said}
    of_target = ours.metadata.of(ours.targets["/openmetrics"].labels)
    assert {name: (about.type, about.help, about.unit) for name, about in of_target.items()} == real
