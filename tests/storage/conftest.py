from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from opsconsole.promql.source import Samples
from opsconsole.series.labels import Labels
from opsconsole.storage.clickhouse import ClickHouse

_TABLES = ("series", "samples", "rollups", "rolled", "otel_traces")


@pytest.fixture
def clickhouse(embedded_engine: ClickHouse) -> ClickHouse:
    """The engine with empty tables."""
    for table in _TABLES:
        embedded_engine.command(f"TRUNCATE TABLE {table}")
    return embedded_engine


@pytest.fixture
def child() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """``child(code, *arguments)`` starts Python on ``code``; killed after the test if it still runs."""
    started: list[subprocess.Popen[str]] = []
    root = Path(__file__).parents[2]

    def start(code: str, *arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", code, *arguments],
            cwd=root,
            env={"PYTHONPATH": f"{root}:{root / 'exporters/src'}"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


@pytest.fixture
def otlp() -> Callable[..., ExportTraceServiceRequest]:
    """``otlp(spans, seed)`` is a request of spans with all kinds of flat attributes, events, links and errors."""

    def make(spans: int = 3, seed: int = 1, start_ns: int = 1_764_000_000_000_000_000) -> ExportTraceServiceRequest:
        dice = np.random.default_rng(seed)
        request = ExportTraceServiceRequest()
        resource = request.resource_spans.add()
        resource.resource.attributes.add(key="service.name").value.string_value = "shop-web"
        resource.resource.attributes.add(key="process.pid").value.int_value = 123
        scoped = resource.scope_spans.add()
        scoped.scope.name, scoped.scope.version = "django", "1.0"
        trace_id = dice.bytes(16)
        parent = b""
        for number in range(spans):
            span = scoped.spans.add(
                trace_id=trace_id,
                span_id=dice.bytes(8),
                parent_span_id=parent,
                trace_state="a=b",
                name=f"GET /orders/{number}",
                kind=number % 6,  # type: ignore[arg-type]
                start_time_unix_nano=start_ns + number * 1000,
                end_time_unix_nano=start_ns + number * 1000 + int(dice.integers(1, 10**9)),
            )
            parent = parent or span.span_id
            for name, kind, value in (
                ("http.request.method", "string_value", "GET"),
                ("http.route", "string_value", "/orders/<int:id>"),
                ("http.response.status_code", "int_value", 200 + number),
                ("ratio", "double_value", 0.25),
                ("cached", "bool_value", True),
                ("raw", "bytes_value", b"\x00\xff"),
                ("größe", "string_value", "ü\n'"),
            ):
                setattr(span.attributes.add(key=name).value, kind, value)
            span.attributes.add(key="nothing").value.SetInParent()
            if number % 2:
                span.status.code = 2  # type: ignore[assignment]
                span.status.message = "boom"
                event = span.events.add(name="exception", time_unix_nano=start_ns + 5)
                event.attributes.add(key="exception.type").value.string_value = "ValueError"
                link = span.links.add(trace_id=dice.bytes(16), span_id=dice.bytes(8), trace_state="c=d")
                link.attributes.add(key="why").value.string_value = "follows"
        return request

    return make


@pytest.fixture
def samples_of() -> Callable[[Sequence[Samples]], dict[Labels, list[tuple[int, float]]]]:
    """What blocks say, as plain lists: the samples of every series, without the NaN of an absent one."""

    def read(given: Sequence[Samples]) -> dict[Labels, list[tuple[int, float]]]:
        found: dict[Labels, list[tuple[int, float]]] = {}
        for block in (block for samples in given for block in samples.blocks()):
            assert block.values.shape == (len(block.labels), len(block.timestamps))
            assert (np.diff(block.timestamps) > 0).all()
            for labels, row in zip(block.labels, block.values, strict=True):
                samples = [
                    (int(instant), float(value))
                    for instant, value in zip(block.timestamps, row, strict=True)
                    if not np.isnan(value)
                ]
                if samples:
                    found.setdefault(labels, []).extend(samples)
        for samples in found.values():
            assert samples == sorted(set(samples)), "a sample stands there twice, or out of order"
        return found

    return read
