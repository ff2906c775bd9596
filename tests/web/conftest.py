"""A console behind its pages: a real engine over a real head, a real trace store, real records, somebody signed in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from django.test import Client
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opsconsole_exporters.catalog.http import HTTP_LATENCY, HTTP_REQUESTS, HTTP_RESPONSES

from alerts.profile import DEMO
from alerts.registry import ALERTS
from dashboards.registry import BOARDS
from opsconsole.alerting.rule import Rule
from opsconsole.alerting.rulebook import RuleBook
from opsconsole.ingest.otlp_metrics import OtlpMetricsDecoder
from opsconsole.ingest.remote_write import RemoteWriteDecoder
from opsconsole.ingest.scrape import Scraper
from opsconsole.ingest.target import Target
from opsconsole.live.hub import Hub
from opsconsole.operations.console import Console, install
from opsconsole.operations.ingest import Receivers
from opsconsole.promql.engine import Engine
from opsconsole.series.clock import ManualClock
from opsconsole.series.labels import Labels
from opsconsole.storage.clickhouse import ClickHouse
from opsconsole.storage.head import Head
from opsconsole.storage.intake import Intake
from opsconsole.storage.pushed import PushedStore
from opsconsole.storage.recorder import Recorder
from opsconsole.storage.samples import SampleStore
from opsconsole.storage.spans import SpanStore

NOW_MS = 1_764_000_000_000
HOSTILE = '<img src=x onerror="alert(1)">'
WEB = Labels.of(job="shop-web", instance="127.0.0.1:1")


@pytest.fixture
def head() -> Head:
    """Ten minutes of a shop: 50 requests a second, one of them in fifty fails, to a view named by somebody who means harm."""
    head = Head()
    bounds = ("0.05", "0.25", "1.0", "+Inf")
    series = [
        Labels.of(WEB, __name__="up"),
        Labels.of(WEB, __name__=HTTP_REQUESTS.name, view=HOSTILE),
        *(Labels.of(WEB, __name__=HTTP_RESPONSES.name, status=status) for status in ("200", "500")),
        *(Labels.of(WEB, __name__=HTTP_LATENCY.bucket, view=HOSTILE, le=bound) for bound in bounds),
    ]
    for second in range(-600, 1, 2):
        since = 600.0 + second
        values = [1.0, 50 * since, 49 * since, since, *(since * count for count in (20, 40, 49, 50))]
        head.append(WEB, NOW_MS + second * 1000, series, np.array(values))
    return head


class _Nowhere:
    def append(self, scrape: Any) -> None:
        """A target nobody starts brings nothing."""


@pytest.fixture
def console(span_store: SpanStore, embedded_engine: ClickHouse, head: Head, db: None) -> Iterator[Console]:
    embedded_engine.command("TRUNCATE TABLE otel_traces")
    clock = ManualClock(NOW_MS)
    samples = SampleStore(embedded_engine)
    recorder = Recorder(head, samples)
    intake = Intake(PushedStore(), samples, clock)
    running = Console(
        clock=clock,
        profile=DEMO,
        boards={board.name: board for board in BOARDS},
        alerts={alert.name: alert for alert in ALERTS},
        engine=Engine(head),
        spans=span_store,
        scraper=Scraper([Target.parse("shop-web=http://127.0.0.1:1", interval_s=2)], _Nowhere(), clock),
        hub=Hub(),
        public_url="http://console.example",
        recorder=recorder,
        receivers=Receivers(intake, RemoteWriteDecoder(intake.roster), OtlpMetricsDecoder(intake.roster)),
        rules=RuleBook(Rule.of(alert, DEMO) for alert in ALERTS),
    )
    install(running)
    yield running
    install(None)
    recorder.close()
    intake.close()


@pytest.fixture
def person(console: Console) -> Client:
    """Somebody who is signed in, with a browser that has CSRF to mind."""
    from django.contrib.auth.models import User  # late: this file is read before Django is set up

    client = Client()
    client.force_login(User.objects.create_user("ada"))
    return client


@pytest.fixture
def stranger(console: Console) -> Client:
    return Client()


@pytest.fixture
def make_incident(console: Console) -> Callable[..., Any]:
    """``make_incident(summary, labels)`` fires now; ``resolved=True`` ends it a minute later."""
    from opsconsole.records.models import Delivery, Incident, Transition

    def make(
        summary: str = "shop-web: P95 latency is 1.42 s, over 0.5 s",
        labels: Mapping[str, str] | None = None,
        *,
        alert: str = "DjangoLatencyHigh",
        resolved: bool = False,
    ) -> Any:
        instant = datetime.fromtimestamp(NOW_MS / 1000, UTC)
        number = Incident.objects.count()
        incident = Incident.objects.create(
            alert=alert,
            labels={"alertname": alert, "severity": "warning", **(labels or {"job": "shop-web"})},
            fingerprint=f"{number:016x}",
            severity="warning",
            summary=summary,
            description="People feel it.",
            value=1.42,
            started_at=instant,
            fired_at=instant,
            resolved_at=datetime.fromtimestamp(NOW_MS / 1000 + 60, UTC) if resolved else None,
        )
        fired = Transition.objects.create(
            incident=incident, before="pending", after="firing", at=instant, reason="the condition held for its time"
        )
        Delivery.objects.create(
            transition=fired,
            channel="webhook",
            group=alert,
            dedup_key=f"{number}",
            state=Delivery.State.DEAD,
            attempts=8,
            created_at=instant,
            next_at=instant,
            last_error="connection refused",
        )
        return incident

    return make


@pytest.fixture
def store_trace(console: Console) -> Callable[..., str]:
    """``store_trace(name)`` stores a request with one query below it and returns the trace's id."""
    taken = iter(range(1, 100))

    def store(
        name: str = "GET cart",
        *,
        duration_ms: float = 120,
        failed: bool = False,
        sql: str = "SELECT 1",
        ago_s: float = 10,
    ) -> str:
        number = next(taken)
        trace_id = bytes([number] * 16)
        begin = NOW_MS * 1_000_000 - int(ago_s * 1e9)
        request = ExportTraceServiceRequest()
        group = request.resource_spans.add()
        _set(group.resource.attributes, {"service.name": "shop-web"})
        spans = group.scope_spans.add().spans
        root = spans.add(trace_id=trace_id, span_id=bytes([number] * 8), name=name, kind=2, start_time_unix_nano=begin)
        root.end_time_unix_nano = begin + int(duration_ms * 1e6)
        _set(root.attributes, {"http.request.method": "GET", "http.response.status_code": "500" if failed else "200"})
        if failed:
            root.status.code, root.status.message = 2, "it broke"
        child = spans.add(
            trace_id=trace_id, span_id=bytes([number, *[9] * 7]), parent_span_id=root.span_id, name="SELECT", kind=3
        )
        child.start_time_unix_nano = begin + 1_000_000
        child.end_time_unix_nano = begin + 41_000_000
        _set(child.attributes, {"db.system": "postgresql", "db.statement": sql})
        console.spans.insert([request.SerializeToString()], batch_id=f"web-{name}-{number}-{duration_ms}-{id(request)}")
        return trace_id.hex()

    return store


def _set(attributes: Any, values: Mapping[str, str]) -> None:
    for key, value in values.items():
        attributes.add(key=key).value.string_value = value


@pytest.fixture
def hostile() -> str:
    """What somebody may put into a label, a span's name or a query."""
    return HOSTILE


@pytest.fixture
def now_ms() -> int:
    return NOW_MS
