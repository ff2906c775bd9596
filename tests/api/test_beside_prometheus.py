"""Every answer beside that of a real Prometheus, asked the same over HTTP: status, shape, words and values.

Debian's is 2.42; where Prometheus 3 answers otherwise, the case is in ``test_prometheus.py``.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import numpy as np
import pytest
from django.conf import settings

from alerts.profile import DEMO
from alerts.registry import ALERTS
from opsconsole.alerting.rule import Rule
from opsconsole.alerting.rulebook import RuleBook, evaluate
from opsconsole.live.hub import Hub
from opsconsole.operations.console import Console, install
from opsconsole.promql.engine import Engine
from opsconsole.series.clock import ManualClock
from opsconsole.series.labels import Labels
from opsconsole.storage.exemplars import ExemplarStore
from opsconsole.storage.head import Head
from opsconsole.storage.metadata import MetadataStore
from opsconsole.storage.recorder import Recorder
from opsconsole.storage.samples import SampleStore
from tests.api import peer

pytestmark = [pytest.mark.real]

TOKEN = "a-token-of-these-tests"
NOW_S = peer.NOW_MS // 1000
SPAN = {"start": NOW_S - 300, "end": NOW_S, "step": 30}


@pytest.fixture(scope="module")
def service() -> Iterator[str]:
    with peer.service() as address:
        yield address


@pytest.fixture(scope="module")
def theirs(
    service: str, program: Callable[[str], str], eventually: Callable[..., Any], tmp_path_factory: Any
) -> Iterator[httpx.Client]:
    with peer.prometheus(program, tmp_path_factory.mktemp("prometheus"), service) as url:
        eventually(lambda: peer.up(url), what="Prometheus has scraped the service", timeout_s=60)
        with httpx.Client(base_url=f"{url}/api/v1/") as client:
            yield client


@pytest.fixture(scope="module")
def ours(service: str, span_store: Any, embedded_engine: Any) -> Iterator[httpx.Client]:
    """The same samples in a head, and the same service scraped once."""
    head, clock = Head(), ManualClock(peer.NOW_MS + 3_600_000)
    peer.fill(head)
    exemplars, metadata = ExemplarStore(), MetadataStore()
    recorder = Recorder(head, SampleStore(embedded_engine), exemplars=exemplars, metadata=metadata)
    scraper = peer.scraped(service, recorder, clock)
    down = Labels.of(job="db", instance="10.0.0.9:8000")
    head.append(down, clock.now_ms(), [Labels.of(down, __name__="up")], np.array([0.0]))
    engine = Engine(head)

    def ask(promql: str, at_ms: int) -> list[tuple[Labels, float]]:
        found = engine.instant(promql, at_ms)
        return list(zip(found.labels, found.last.tolist(), strict=True))

    rules = RuleBook(Rule.of(alert, DEMO) for alert in ALERTS)
    rules.replace({name: evaluate(status, ask, clock.now_ms())[0] for name, status in rules.statuses().items()})
    install(
        Console(
            clock=clock,
            profile=DEMO,
            boards={},
            alerts={alert.name: alert for alert in ALERTS},
            engine=engine,
            spans=span_store,
            scraper=scraper,
            hub=Hub(),
            public_url="http://testserver",
            recorder=recorder,
            exemplars=exemplars,
            metadata=metadata,
            rules=rules,
            started_ms=peer.NOW_MS - 1000,
        )
    )
    kept, settings.OPSCONSOLE_API_TOKEN = settings.OPSCONSOLE_API_TOKEN, TOKEN
    with peer.served() as url, httpx.Client(base_url=f"{url}/api/v1/", auth=("any", TOKEN)) as client:
        yield client
    settings.OPSCONSOLE_API_TOKEN = kept
    install(None)
    recorder.close()


SAME = [
    ("query", {"query": "1 + 1", "time": 4}),
    ("query", {"query": '"a \\" string"', "time": NOW_S + 0.5}),
    ("query", {"query": "time()", "time": "2025-11-24T16:00:00.25Z"}),
    ("query", {"query": "requests_total", "time": NOW_S}),
    ("query", {"query": "up[40s]", "time": NOW_S}),
    ("query", {"query": "sort(temperature)", "time": NOW_S}),
    ("query", {"query": "nothing", "time": NOW_S}),
    ("query", {"query": "temperature > bool 0 or vector(1/0)", "time": NOW_S}),
    ("query", {"query": "up", "time": -9223309901257974}),
    ("query", {"query": "up", "time": 253402300801}),
    ("query", {"query": "up", "time": "noon"}),
    ("query", {"query": "up", "timeout": "soon"}),
    ("query", {"query": "up", "time": NOW_S, "timeout": "5s"}),
    ("query_range", {"query": "requests_total", **SPAN}),
    ("query_range", {"query": "rate(requests_total[2m])", **SPAN}),
    ("query_range", {"query": "sum by (job) (rate(requests_total[1m]))", **SPAN, "step": "1m"}),
    ("query_range", {"query": "3", **SPAN}),
    ("query_range", {"query": "nothing", **SPAN}),
    ("query_range", {"query": "up"}),
    ("query_range", {"query": "up", "start": 1}),
    ("query_range", {"query": "up", "start": 1, "end": 2}),
    ("query_range", {"query": "up", "start": 1, "end": 2, "step": "abc"}),
    ("query_range", {"query": "up", "start": 1, "end": 2, "step": 0}),
    ("query_range", {"query": "up", "start": 1, "end": 2, "step": -1}),
    ("query_range", {"query": "up", "start": 2, "end": 1, "step": 1}),
    ("query_range", {"query": "up", "start": 0, "end": 11001, "step": 1}),
    ("series", {}),
    ("series", {"match[]": ["up", '{job="worker"}'], "start": NOW_S - 600, "end": NOW_S}),
    ("series", {"match[]": "up", "start": "x"}),
    ("series", {"match[]": "up", "start": 10, "end": 5}),
    ("series", {"match[]": '{__name__=~"requests_.*",path!="/"}', "start": NOW_S - 600, "end": NOW_S}),
    ("labels", {"start": NOW_S - 600, "end": NOW_S - 1}),
    ("labels", {"match[]": "requests_total", "start": NOW_S - 600, "end": NOW_S}),
    ("labels", {"start": 10, "end": 5}),
    ("label/path/values", {"start": NOW_S - 600, "end": NOW_S}),
    ("label/__name__/values", {"match[]": '{job="web"}', "start": NOW_S - 600, "end": NOW_S}),
    ("label/no_such/values", {}),
    ("label/job/values", {"match[]": "up", "end": "x"}),
    ("query_exemplars", {"query": "1"}),
    ("query_exemplars", {"query": "nothing"}),
    ("query_exemplars", {"query": "up", "start": 5, "end": 4}),
    ("query_exemplars", {"query": "rate(shop_orders_total[5m])", "start": NOW_S - 60, "end": NOW_S}),
    ("query_exemplars", {"query": "shop_latency_seconds_bucket / shop_orders_total", "start": 0, "end": NOW_S}),
    ("query_exemplars", {"query": "shop_orders_total", "start": NOW_S, "end": NOW_S + 60}),
    ("metadata", {}),
    ("metadata", {"metric": "shop_orders"}),
    ("metadata", {"metric": "nothing"}),
    ("metadata", {"limit": 0}),
    ("metadata", {"limit": "x"}),
    ("targets/metadata", {"metric": "shop_latency_seconds"}),
    ("targets/metadata", {"match_target": '{job="nowhere"}'}),
    ("targets/metadata", {"limit": "x"}),
    ("rules", {"type": "both"}),
    ("alertmanagers", {}),
    ("status/walreplay", {}),
    ("format_query", {"query": "sum(rate(foo{b='c',a=~\"d\"}[5m]))by(job)/ignoring(x)group_left(y)bar offset 1h"}),
    ("format_query", {"query": "(1 + x) ^ -2 > bool 3 or max_over_time(abs(-y)[5m:1m] @ 3 offset -2m) unless on() z @ end()"}),
]  # fmt: skip


@pytest.mark.parametrize(("path", "asked"), SAME, ids=json.dumps)
def test_the_answer_is_the_same(ours: httpx.Client, theirs: httpx.Client, path: str, asked: dict[str, Any]) -> None:
    mine, real = ours.get(path, params=asked), theirs.get(path, params=asked)
    assert (mine.status_code, mine.headers.get("content-type"), _body(mine)) == (
        real.status_code,
        real.headers.get("content-type"),
        _body(real),
    )


@pytest.mark.parametrize("path", sorted({path for path, _ in SAME}))
def test_a_form_is_answered_as_the_same_query_string_is(ours: httpx.Client, theirs: httpx.Client, path: str) -> None:
    """Where Prometheus takes a POST; where it does not, neither do we."""
    for asked in (asked for each, asked in SAME if each == path):
        mine, real = ours.post(path, data=asked), theirs.post(path, data=asked)
        assert mine.status_code == real.status_code
        if real.status_code != 405:
            assert _body(mine) == _body(real) == _body(ours.get(path, params=asked))
        else:
            assert set(mine.headers["allow"].split(", ")) == set(real.headers["allow"].split(", "))


@pytest.mark.parametrize("query", ["", "sum(", "sum(up", "up{", "foo bar", "rate(up)", "no_such(up)", "up + on(", "{}"])
@pytest.mark.parametrize("path", ["query", "query_range", "format_query", "query_exemplars", "series"])
def test_a_query_that_is_none_has_the_same_status_and_type(
    ours: httpx.Client, theirs: httpx.Client, path: str, query: str
) -> None:
    asked = {"match[]": query} if path == "series" else {"query": query, **SPAN}
    mine, real = ours.get(path, params=asked), theirs.get(path, params=asked)
    assert mine.status_code == real.status_code == 400
    assert {**mine.json(), "error": ""} == {**real.json(), "error": ""}
    if path != "query_range":  # Prometheus 3 names the parameter there, too
        assert _before_place(mine) == _before_place(real)


def test_a_query_that_cannot_be_evaluated_has_the_same_status_and_type(
    ours: httpx.Client, theirs: httpx.Client
) -> None:
    asked = {"query": "requests_total + on(job) requests_total", "time": NOW_S}
    mine, real = ours.get("query", params=asked), theirs.get("query", params=asked)
    assert mine.status_code == real.status_code == 422
    assert mine.json()["errorType"] == real.json()["errorType"] == "execution"


SHAPES = ["targets", "rules", "alerts", "status/buildinfo", "status/config", "status/runtimeinfo", "status/tsdb"]
OF_PROMETHEUS_3 = {
    "application",  # ours
    "hostname", "serverTime", "GOMEMLIMIT", "droppedTargetCounts",
}  # fmt: skip


@pytest.mark.parametrize("path", SHAPES)
def test_what_differs_in_content_has_the_same_shape(ours: httpx.Client, theirs: httpx.Client, path: str) -> None:
    mine, real = ours.get(path), theirs.get(path)
    assert (mine.status_code, mine.headers["content-type"]) == (real.status_code, real.headers["content-type"])
    shape, expected = _shape(mine.json()), _shape(real.json())
    assert {path: shape.get(path) for path in expected} == expected
    assert {path.rpartition(".")[2] for path in set(shape) - set(expected)} <= OF_PROMETHEUS_3


@pytest.mark.parametrize(
    "asked", [{"state": "dropped"}, {"state": "ACTIVE"}, {"scrapePool": "no"}, {"scrapePool": "shop"}]
)
def test_targets_are_filtered_alike(ours: httpx.Client, theirs: httpx.Client, asked: dict[str, str]) -> None:
    mine, real = (client.get("targets", params=asked).json()["data"] for client in (ours, theirs))
    if "scrapePool" not in asked:  # which came after 2.42
        assert len(mine["activeTargets"]) == len(real["activeTargets"])
    else:
        assert len(mine["activeTargets"]) == (asked["scrapePool"] == "shop")
    assert mine["droppedTargets"] == real["droppedTargets"]


def test_a_scraped_target_is_described_alike(ours: httpx.Client, theirs: httpx.Client) -> None:
    mine, real = (client.get("targets").json()["data"]["activeTargets"][0] for client in (ours, theirs))
    for field in ("labels", "scrapePool", "scrapeUrl", "lastError", "health", "scrapeInterval", "scrapeTimeout"):
        assert mine[field] == real[field]


@pytest.mark.parametrize("method", ["OPTIONS", "PUT", "HEAD", "DELETE", "PATCH"])
@pytest.mark.parametrize("path", ["query", "targets", "label/job/values"])
def test_other_methods_and_other_origins_are_answered_alike(
    ours: httpx.Client, theirs: httpx.Client, path: str, method: str
) -> None:
    origin = {"Origin": "http://elsewhere"}
    mine, real = (client.request(method, path, headers=origin) for client in (ours, theirs))
    assert mine.status_code == real.status_code
    if real.status_code == 204:
        names = [name for name in real.headers if name.startswith("access-control")]
        assert len(names) == 4
        for name in names:
            if name != "access-control-allow-methods":  # ours says what the address takes, theirs what any may
                assert mine.headers[name] == real.headers[name]


TOOLS = [
    ("instant", [], "sum by (job) (rate(requests_total[2m]))", f"--time={NOW_S}"),
    ("instant", [], "temperature", f"--time={NOW_S}"),
    ("instant", [], "1 / 3", f"--time={NOW_S}"),
    ("instant", [], "up[40s]", f"--time={NOW_S}"),
    ("instant", [], "sum(", f"--time={NOW_S}"),
    ("instant", [], "no_such(up)", f"--time={NOW_S}"),
    ("range", [], "requests_total", f"--start={NOW_S - 300}", f"--end={NOW_S}", "--step=30s"),
    ("range", [], "rate(requests_total[2m])", f"--start={NOW_S - 300}", f"--end={NOW_S}", "--step=1m"),
    ("series", ["--match=up", '--match={job="worker"}'], f"--start={NOW_S - 600}", f"--end={NOW_S}"),
    ("series", ["--match=requests_total"]),
    ("series", ["--match=nothing"]),
    ("labels", [], "job", f"--start={NOW_S - 600}", f"--end={NOW_S}"),
    ("labels", [], "__name__", f"--start={NOW_S - 600}", f"--end={NOW_S}"),
    ("labels", [], "nothing"),
]  # fmt: skip


@pytest.mark.parametrize("output", ["promql", "json"])
@pytest.mark.parametrize("command", TOOLS, ids=str)
def test_promtool_reads_the_same(
    ours: httpx.Client, theirs: httpx.Client, program: Callable[[str], str], command: tuple[Any, ...], output: str
) -> None:
    verb, flags, *rest = command

    def run(client: httpx.Client) -> tuple[int, Any, str]:
        url = str(client.base_url).removesuffix("/api/v1/")
        if client is ours:  # it takes a user and a password in the address
            url = url.replace("http://", f"http://any:{TOKEN}@")
        options = [each for each in rest if str(each).startswith("--")]
        words = [each for each in rest if not str(each).startswith("--")]
        done = subprocess.run(
            [program("promtool"), "query", f"--format={output}", verb, *flags, *options, url, *words],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        return done.returncode, _read(done.stdout, output), done.stderr

    assert run(ours) == run(theirs)


def _read(printed: str, output: str) -> Any:
    """What ``promtool`` prints, with its floats rounded to ten digits, also those in texts."""
    rounded = re.sub(r"-?\d+\.\d+(?:e[-+]\d+)?", lambda number: f"{float(number[0]):.10g}", printed)
    return json.loads(rounded) if output == "json" and rounded else rounded


def _body(answer: httpx.Response) -> Any:
    """The JSON; the texts of values as numbers rounded to ten digits, for they are sums of floats in some order."""
    body = answer.json() if answer.content else None
    if body and isinstance(body.get("data"), dict) and isinstance(body["data"].get("result"), list):
        for row in body["data"]["result"]:
            for pair in [row.get("value"), *row.get("values", ())] if isinstance(row, dict) else ():
                if pair:
                    pair[1] = f"{float(pair[1]):.10g}"
    return body


def _before_place(answer: httpx.Response) -> str:
    """``invalid parameter "query"``, or nothing: what stands before the place in the query."""
    before, parameter, _ = answer.json()["error"].partition('": ')
    return before if parameter and before.startswith("invalid parameter") else ""


_FREE = ("labels", "annotations", "discoveredLabels", "droppedTargetCounts")  # objects whose keys are data


def _shape(value: Any, path: str = "") -> dict[str, set[str]]:
    """Types by path; the entries of a list share one."""
    kind = "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__
    shape = {path: {kind}}
    children: list[tuple[str, Any]] = []
    if isinstance(value, dict) and not path.endswith(_FREE):
        children = list(value.items())
    elif isinstance(value, list):
        children = [("[]", each) for each in value]
    for key, child in children:
        for below, kinds in _shape(child, f"{path}.{key}").items():
            shape.setdefault(below, set()).update(kinds)
    return shape
