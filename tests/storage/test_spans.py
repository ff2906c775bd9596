from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from opsconsole.ingest.otlp import JSON, PROTOBUF, decode_traces
from opsconsole.storage.clickhouse import ClickHouse
from opsconsole.storage.spans import POLICY, SpanStore
from opsconsole.traces.span import Order, Status, TraceQuery

T0_MS = 1_764_000_000_000
KINDS = ["Unspecified", "Internal", "Server", "Client", "Producer", "Consumer"]
COLUMNS = """toUnixTimestamp64Nano(Timestamp), TraceId, SpanId, ParentSpanId, TraceState, SpanName, SpanKind, ServiceName,
    ResourceAttributes, ScopeName, ScopeVersion, SpanAttributes, Duration, StatusCode, StatusMessage,
    arrayMap(t -> toUnixTimestamp64Nano(t), Events.Timestamp), Events.Name, Events.Attributes,
    Links.TraceId, Links.SpanId, Links.TraceState, Links.Attributes, HttpRoute, HttpMethod, HttpStatusCode"""


@pytest.fixture
def spans(clickhouse: ClickHouse) -> Iterator[SpanStore]:
    store = SpanStore(clickhouse, replace(POLICY, delay_s=0.01))
    yield store
    store.close()


def text(value: Any) -> str:
    """An attribute value as ClickHouse writes it: the other implementation of what the view does."""
    match value.WhichOneof("value"):
        case "string_value":
            return str(value.string_value)
        case "bool_value":
            return "true" if value.bool_value else "false"
        case "bytes_value":
            return base64.b64encode(value.bytes_value).decode()
        case "array_value" | "kvlist_value":
            return json.dumps(plain(value), separators=(",", ":"), ensure_ascii=False)
        case None:
            return ""
        case kind:
            return str(getattr(value, kind))


def plain(value: Any) -> Any:
    match value.WhichOneof("value"):
        case "array_value":
            return [plain(one) for one in value.array_value.values]
        case "kvlist_value":
            return {pair.key: plain(pair.value) for pair in value.kvlist_value.values}
        case kind:
            return getattr(value, kind)


def attributes(pairs: Any) -> dict[str, str]:
    return {pair.key: text(pair.value) for pair in pairs}


def expected(request: ExportTraceServiceRequest) -> list[tuple[Any, ...]]:
    """The rows of a request by plain Python, in the order of ``COLUMNS``."""
    rows = []
    for of_resource in request.resource_spans:
        resource = attributes(of_resource.resource.attributes)
        for scoped in of_resource.scope_spans:
            for span in scoped.spans:
                own = attributes(span.attributes)
                rows.append(
                    (
                        span.start_time_unix_nano,
                        span.trace_id.hex(),
                        span.span_id.hex(),
                        span.parent_span_id.hex(),
                        span.trace_state,
                        span.name,
                        KINDS[span.kind],
                        resource.get("service.name", ""),
                        resource,
                        scoped.scope.name,
                        scoped.scope.version,
                        own,
                        span.end_time_unix_nano - span.start_time_unix_nano,
                        ["Unset", "Ok", "Error"][span.status.code],
                        span.status.message,
                        [event.time_unix_nano for event in span.events],
                        [event.name for event in span.events],
                        [attributes(event.attributes) for event in span.events],
                        [link.trace_id.hex() for link in span.links],
                        [link.span_id.hex() for link in span.links],
                        [link.trace_state for link in span.links],
                        [attributes(link.attributes) for link in span.links],
                        own.get("http.route", ""),
                        own.get("http.request.method", ""),
                        int(own.get("http.response.status_code", 0)),
                    )
                )
    return rows


def digest(rows: Any) -> str:
    return sha256(json.dumps(sorted(map(list, rows)), sort_keys=True).encode()).hexdigest()


def stored(clickhouse: ClickHouse) -> list[tuple[Any, ...]]:
    return list(clickhouse.rows(f"SELECT {COLUMNS} FROM otel_traces"))  # type: ignore[arg-type]


def test_clickhouse_parses_requests_into_the_rows_that_python_makes_of_them(
    clickhouse: ClickHouse, spans: SpanStore, otlp: Callable[..., ExportTraceServiceRequest]
) -> None:
    requests = [otlp(40, seed) for seed in range(5)]
    for value in (requests[3].resource_spans[0].scope_spans[0].spans[7].attributes.add(key="list").value,):
        value.array_value.values.add(string_value="ä")
        pair = value.array_value.values.add().kvlist_value.values.add(key="n")
        pair.value.int_value = 1
    bodies = [decode_traces(request.SerializeToString(), PROTOBUF).body for request in requests]
    spans.insert(bodies, batch_id="one")
    rows = [row for request in requests for row in expected(request)]
    assert sorted(stored(clickhouse)) == sorted(rows)
    assert digest(stored(clickhouse)) == digest(rows)


def test_the_embedded_engine_leaves_nothing_in_the_working_directory(
    spans: SpanStore,
    otlp: Callable[..., ExportTraceServiceRequest],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    spans.insert([otlp(1).SerializeToString()], batch_id="here")
    assert list(tmp_path.iterdir()) == []


def test_json_and_protobuf_give_the_same_rows(
    clickhouse: ClickHouse, spans: SpanStore, otlp: Callable[..., ExportTraceServiceRequest]
) -> None:
    request = otlp(10)
    document = json_format.MessageToDict(request)
    for of_resource in document["resourceSpans"]:
        for scoped in of_resource["scopeSpans"]:
            for span in scoped["spans"]:
                for holder in (span, *span.get("links", ())):
                    for name in ("traceId", "spanId", "parentSpanId"):
                        if name in holder:
                            holder[name] = base64.b64decode(holder[name]).hex()
    spans.insert([decode_traces(json.dumps(document).encode(), JSON).body], batch_id="one")
    assert sorted(stored(clickhouse)) == sorted(expected(request))


def test_a_batch_that_is_written_again_is_recognised(
    clickhouse: ClickHouse, spans: SpanStore, otlp: Callable[..., ExportTraceServiceRequest]
) -> None:
    bodies = [otlp(20, seed).SerializeToString() for seed in (1, 2)]
    spans.insert(bodies, batch_id="same")
    spans.insert(bodies, batch_id="same")
    assert clickhouse.rows("SELECT count() FROM otel_traces") == [(40,)]


def test_a_sender_that_repeats_its_body_is_acknowledged_and_stored_once(
    clickhouse: ClickHouse, spans: SpanStore, otlp: Callable[..., ExportTraceServiceRequest]
) -> None:
    body = otlp(5).SerializeToString()
    spans.offer(body, 5)
    spans.offer(body, 5).result(30)
    spans.offer(body, 5).result(30)
    assert clickhouse.rows("SELECT count() FROM otel_traces") == [(5,)]


def test_spans_of_many_days_in_one_body_are_all_taken(
    clickhouse: ClickHouse, spans: SpanStore, otlp: Callable[..., ExportTraceServiceRequest]
) -> None:
    bodies = [otlp(1, day, start_ns=(T0_MS - day * 86_400_000) * 1_000_000).SerializeToString() for day in range(150)]
    clickhouse.command("SYSTEM STOP MERGES otel_traces")
    try:
        spans.insert(bodies, batch_id="days")
        assert clickhouse.rows("SELECT count() FROM otel_traces") == [(150,)]
    finally:
        clickhouse.command("SYSTEM START MERGES otel_traces")


def test_a_trace_comes_back_whole(spans: SpanStore, otlp: Callable[..., ExportTraceServiceRequest]) -> None:
    request = otlp(4)
    spans.offer(request.SerializeToString(), 4).result(30)
    sent = request.resource_spans[0].scope_spans[0].spans
    found = spans.trace(sent[0].trace_id.hex())
    assert [span.span_id for span in found] == [span.span_id.hex() for span in sent]
    assert [span.parent_id for span in found] == ["", *[sent[0].span_id.hex()] * 3]
    assert found[1].status is Status.ERROR
    assert found[1].events[0].name == "exception"
    assert found[1].events[0].attributes == {"exception.type": "ValueError"}
    assert found[0].attributes["größe"] == "ü\n'"
    assert found[0].service == "shop-web"


@pytest.mark.parametrize("trace_id", ["", "zz", "0" * 32, "' OR 1=1 --"])
def test_an_unknown_trace_is_empty(spans: SpanStore, trace_id: str) -> None:
    assert spans.trace(trace_id) == ()


def test_search_orders_filters_and_counts(spans: SpanStore, otlp: Callable[..., ExportTraceServiceRequest]) -> None:
    quiet, noisy, outside = (
        otlp(1, 1, start_ns=T0_MS * 10**6),
        otlp(4, 2, start_ns=(T0_MS - 5_000) * 10**6),
        otlp(1, 3, start_ns=(T0_MS - 3_600_000) * 10**6),
    )
    root = noisy.resource_spans[0].scope_spans[0].spans[0]
    root.end_time_unix_nano = root.start_time_unix_nano + 3 * 10**9
    root.name = "POST /pay"
    spans.insert([request.SerializeToString() for request in (quiet, noisy, outside)], batch_id="search")
    window = (T0_MS - 60_000, T0_MS + 60_000)

    recent = spans.search(TraceQuery(*window))
    assert [(trace.spans, trace.errors) for trace in recent] == [(1, 0), (4, 2)]
    assert (recent[0].method, recent[0].route, recent[0].status_code) == ("GET", "/orders/<int:id>", 200)
    assert spans.search(TraceQuery(*window, Order.SLOWEST))[0].name == "POST /pay"
    assert [trace.trace_id for trace in spans.search(TraceQuery(*window, Order.ERRORS))] == [root.trace_id.hex()]
    assert [trace.spans for trace in spans.search(TraceQuery(*window, min_duration_ms=2_000))] == [4]
    assert [trace.spans for trace in spans.search(TraceQuery(*window, name="POST /pay"))] == [4]
    assert spans.search(TraceQuery(*window, service="nobody' OR '1'='1")) == []
    assert len(spans.search(TraceQuery(*window, limit=1))) == 1
    assert spans.services(*window) == ["shop-web"]
    assert spans.services(0, 1) == []


def test_duplicates_of_a_span_are_counted_and_shown_once(
    spans: SpanStore, otlp: Callable[..., ExportTraceServiceRequest]
) -> None:
    request = otlp(3)
    for batch_id in ("before a crash", "after it"):
        spans.insert([request.SerializeToString()], batch_id=batch_id)
    trace_id = request.resource_spans[0].scope_spans[0].spans[0].trace_id.hex()
    assert len(spans.trace(trace_id)) == 3
    assert [trace.spans for trace in spans.search(TraceQuery(T0_MS - 1000, T0_MS + 1000))] == [3]
