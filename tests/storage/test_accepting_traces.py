"""Use cases over a real store: take a request, find the trace."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from opsconsole.ingest.limits import Malformed, TooLarge, UnsupportedEncoding
from opsconsole.ingest.otlp import PROTOBUF
from opsconsole.operations import ingest, traces
from opsconsole.storage.clickhouse import ClickHouse, StoreError
from opsconsole.storage.commit import CommitPolicy, Overloaded
from opsconsole.storage.spans import SpanStore
from opsconsole.traces.span import TraceQuery

T0_MS = 1_764_000_000_000
POLICY = CommitPolicy(what="spans", batch=1000, pending=20, delay_s=0.01, attempts=2, backoff_s=0.01)


@pytest.fixture
def console(clickhouse: ClickHouse) -> Iterator[Any]:
    """The part of a console that these use cases touch."""
    spans = SpanStore(clickhouse, POLICY)
    yield SimpleNamespace(spans=spans)
    spans.close()


@pytest.fixture
def broken(clickhouse: ClickHouse) -> Iterator[None]:
    """A store that cannot take spans."""
    clickhouse.command("RENAME TABLE otel_traces TO otel_traces_away")
    yield
    clickhouse.command("RENAME TABLE otel_traces_away TO otel_traces")


def test_what_was_accepted_can_be_found_at_once(console: Any, otlp: Callable[..., ExportTraceServiceRequest]) -> None:
    request = otlp(3)
    assert ingest.accept_traces(console, gzip.compress(request.SerializeToString()), PROTOBUF, "gzip") == b""
    trace_id = request.resource_spans[0].scope_spans[0].spans[0].trace_id.hex()
    found = traces.one(console, trace_id.upper())
    assert found is not None
    assert [row.depth for row in found.rows] == [0, 1, 1]
    assert [trace.trace_id for trace in traces.search(console, TraceQuery(T0_MS, T0_MS + 1))] == [trace_id]
    assert traces.services(console, T0_MS, T0_MS + 1) == ["shop-web"]
    assert traces.one(console, "0" * 32) is None


def test_a_partial_success_says_how_many_spans_were_left_out(
    console: Any, clickhouse: ClickHouse, otlp: Callable[..., ExportTraceServiceRequest]
) -> None:
    request = otlp(3)
    request.resource_spans[0].scope_spans[0].spans.add(name="no ids")
    answer = ExportTraceServiceResponse.FromString(
        ingest.accept_traces(console, request.SerializeToString(), PROTOBUF, "")
    )
    assert answer.partial_success.rejected_spans == 1
    assert clickhouse.rows("SELECT count() FROM otel_traces") == [(3,)]


def test_an_empty_request_is_accepted(console: Any) -> None:
    assert ingest.accept_traces(console, b"", PROTOBUF, "") == b""


def test_a_bad_request_leaves_the_store_alone(
    console: Any, clickhouse: ClickHouse, otlp: Callable[..., ExportTraceServiceRequest]
) -> None:
    body = otlp(3).SerializeToString()
    with pytest.raises(Malformed):
        ingest.accept_traces(console, body[:-3], PROTOBUF, "")
    with pytest.raises(Malformed):
        ingest.accept_traces(console, gzip.compress(body)[:-3], PROTOBUF, "gzip")
    with pytest.raises(TooLarge):
        ingest.accept_traces(console, gzip.compress(bytes(40_000_000)), PROTOBUF, "gzip")
    with pytest.raises(UnsupportedEncoding):
        ingest.accept_traces(console, body, "text/plain", "")
    assert clickhouse.rows("SELECT count() FROM otel_traces") == [(0,)]
    assert console.spans.state.refused == 0


@pytest.mark.usefixtures("broken")
def test_a_store_that_fails_is_said_to_the_sender(console: Any, otlp: Callable[..., ExportTraceServiceRequest]) -> None:
    with pytest.raises(StoreError, match="otel_traces"):
        ingest.accept_traces(console, otlp(3).SerializeToString(), PROTOBUF, "")
    assert console.spans.state.failed == 3


def test_a_sender_that_comes_again_after_a_failure_is_stored(
    console: Any, clickhouse: ClickHouse, otlp: Callable[..., ExportTraceServiceRequest]
) -> None:
    body = otlp(3).SerializeToString()
    clickhouse.command("RENAME TABLE otel_traces TO otel_traces_away")
    with pytest.raises(StoreError):
        ingest.accept_traces(console, body, PROTOBUF, "")
    clickhouse.command("RENAME TABLE otel_traces_away TO otel_traces")
    ingest.accept_traces(console, body, PROTOBUF, "")
    assert clickhouse.rows("SELECT count() FROM otel_traces") == [(3,)]


def test_more_than_may_wait_is_refused(clickhouse: ClickHouse, otlp: Callable[..., ExportTraceServiceRequest]) -> None:
    slow = SpanStore(clickhouse, CommitPolicy(what="spans", batch=1000, pending=20, delay_s=1000.0))
    console: Any = SimpleNamespace(spans=slow)
    slow.offer(otlp(15, 1).SerializeToString(), 15)
    with pytest.raises(Overloaded):
        ingest.accept_traces(console, otlp(15, 2).SerializeToString(), PROTOBUF, "")
    slow.close()
    assert clickhouse.rows("SELECT count() FROM otel_traces") == [(15,)]
