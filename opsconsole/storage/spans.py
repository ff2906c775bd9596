"""Spans in ClickHouse, in the columns of the OpenTelemetry collector's exporter."""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from hashlib import blake2b
from pathlib import Path
from typing import Any

from opsconsole.traces.span import Event, Order, Span, Status, TraceQuery, TraceSummary

from .clickhouse import ClickHouse
from .commit import CommitPolicy, CommitState, GroupCommit

# An insert costs some 50 ms of a core before its first row (planning the view), so few spans wait a second for others.
POLICY = CommitPolicy(what="spans", batch=16_384, pending=131_072, delay_s=1.0)

_SCHEMA = Path(__file__).with_name("otlp_traces.proto")
_REMEMBERED_BODIES = 1024
_MOST_SPANS_OF_A_TRACE = 20_000
_TRACE_ID = re.compile(r"[0-9a-f]{32}")
_NEAR = "toIntervalDay(1)"  # the spans of a trace lie within a day of its root: it prunes partitions

_ORDERS = {
    Order.RECENT: ("", "Timestamp DESC"),
    Order.SLOWEST: ("", "Duration DESC"),
    Order.ERRORS: (
        f"""AND TraceId IN (
            SELECT TraceId FROM otel_traces WHERE StatusCode = 'Error' AND Timestamp >= from AND Timestamp < to + {_NEAR}
        )""",
        "Timestamp DESC",
    ),
}


class SpanStore:
    """Takes checked OTLP bodies, acknowledges them once stored, and answers questions about traces."""

    def __init__(self, clickhouse: ClickHouse, policy: CommitPolicy = POLICY) -> None:
        self._clickhouse = clickhouse
        self._parser_settings = {
            # A sender with a broken clock may spread one body over many days; a warning in the engine's log is enough.
            "throw_on_max_partitions_per_insert_block": 0,
            **_schema_settings(embedded=clickhouse.embedded),
        }
        self._commit: GroupCommit[bytes] = GroupCommit(
            lambda bodies, batch_id: self.insert(bodies, batch_id=batch_id), policy
        )
        self._recent: OrderedDict[bytes, Future[None]] = OrderedDict()
        self._recent_lock = threading.Lock()

    def offer(self, body: bytes, spans: int) -> Future[None]:
        """Take one ``ExportTraceServiceRequest`` that ``ingest.otlp`` has checked; done once it is stored.

        A body that was taken before, because its sender did not hear the answer, is not stored again.
        Raises ``Overloaded``; the future may hold a ``StoreError``.
        """
        digest = blake2b(body, digest_size=16).digest()
        with self._recent_lock:
            before = self._recent.get(digest)
            if before is not None and not (before.done() and (before.cancelled() or before.exception())):
                return before
            done = self._commit.offer(body, spans)
            self._recent[digest] = done
            if len(self._recent) > _REMEMBERED_BODIES:
                self._recent.popitem(last=False)
            return done

    def insert(self, bodies: Sequence[bytes], *, batch_id: str) -> None:
        """Store the spans of ``bodies`` in one insert, parsed by ClickHouse: a request is a list of ``ResourceSpans``
        in exactly the envelope that ``ProtobufList`` expects, and concatenated requests are one request.
        """
        size = sum(map(len, bodies))
        self._clickhouse.insert_raw(
            "otlp_traces",
            b"".join((_varint(size), *bodies)),
            form="ProtobufList",
            batch_id=batch_id,
            settings=self._parser_settings,
        )

    def search(self, query: TraceQuery) -> list[TraceSummary]:
        """Root spans with how many spans and errors their traces hold."""
        condition, order = _ORDERS[query.order]
        roots = self._clickhouse.rows(
            f"""WITH fromUnixTimestamp64Milli({{start:Int64}}) AS from, fromUnixTimestamp64Milli({{end:Int64}}) AS to
            SELECT TraceId, ServiceName, SpanName, toUnixTimestamp64Nano(Timestamp), Duration, StatusCode,
                   HttpMethod, HttpRoute, HttpStatusCode
            FROM otel_traces
            WHERE ParentSpanId = '' AND Timestamp >= from AND Timestamp < to
              AND ({{service:String}} = '' OR ServiceName = {{service:String}})
              AND ({{name:String}} = '' OR SpanName = {{name:String}})
              AND Duration >= {{least:UInt64}} {condition}
            ORDER BY {order}, TraceId LIMIT 1 BY TraceId LIMIT {{limit:UInt32}}""",
            {
                "start": query.start_ms,
                "end": query.end_ms,
                "service": query.service,
                "name": query.name,
                "least": round(query.min_duration_ms * 1e6),
                "limit": query.limit,
            },
        )
        counts = self._counts([row[0] for row in roots], query)
        return [
            TraceSummary(
                trace_id=row[0],
                service=row[1],
                name=row[2],
                start_ns=row[3],
                duration_ns=row[4],
                status=_status(row[5]),
                method=row[6],
                route=row[7],
                status_code=row[8],
                spans=spans,
                errors=errors,
            )
            for row in roots
            for spans, errors in [counts.get(row[0], (1, 0))]  # retention may have passed between the two questions
        ]

    def trace(self, trace_id: str) -> tuple[Span, ...]:
        """The spans of a trace in the order they began; empty when there is none, at most 20,000."""
        if not _TRACE_ID.fullmatch(trace_id):
            return ()
        rows = self._clickhouse.rows(
            """SELECT TraceId, SpanId, ParentSpanId, SpanName, SpanKind, ServiceName, toUnixTimestamp64Nano(Timestamp),
                   Duration, StatusCode, StatusMessage, SpanAttributes, ResourceAttributes,
                   arrayMap(t -> toUnixTimestamp64Nano(t), Events.Timestamp), Events.Name, Events.Attributes
            FROM otel_traces WHERE TraceId = {id:String}
            ORDER BY Timestamp, SpanId LIMIT 1 BY SpanId LIMIT {most:UInt32}""",
            {"id": trace_id, "most": _MOST_SPANS_OF_A_TRACE},
        )
        return tuple(_span(row) for row in rows)

    def services(self, start_ms: int, end_ms: int) -> list[str]:
        """The services that began a span in [start_ms, end_ms), by name."""
        rows = self._clickhouse.rows(
            """SELECT DISTINCT ServiceName FROM otel_traces
            WHERE Timestamp >= fromUnixTimestamp64Milli({start:Int64}) AND Timestamp < fromUnixTimestamp64Milli({end:Int64})
            ORDER BY ServiceName""",
            {"start": start_ms, "end": end_ms},
        )
        return [row[0] for row in rows]

    @property
    def state(self) -> CommitState:
        return self._commit.state

    def flush(self, timeout_s: float = 30.0) -> bool:
        return self._commit.flush(timeout_s)

    def close(self) -> None:
        self._commit.close()

    def _counts(self, trace_ids: Sequence[str], query: TraceQuery) -> Mapping[str, tuple[int, int]]:
        """(spans, spans with an error) of each trace."""
        if not trace_ids:
            return {}
        rows: Sequence[Sequence[Any]] = self._clickhouse.rows(
            f"""SELECT TraceId, uniqExact(SpanId), uniqExactIf(SpanId, StatusCode = 'Error')
            FROM otel_traces
            WHERE TraceId IN {{ids:Array(String)}}
              AND Timestamp >= fromUnixTimestamp64Milli({{start:Int64}}) - {_NEAR}
              AND Timestamp < fromUnixTimestamp64Milli({{end:Int64}}) + {_NEAR}
            GROUP BY TraceId""",
            {"ids": list(trace_ids), "start": query.start_ms, "end": query.end_ms},
        )
        return {trace_id: (spans, errors) for trace_id, spans, errors in rows}


def _span(row: Sequence[Any]) -> Span:
    """A row of ``SpanStore.trace``."""
    trace_id, span_id, parent_id, name, kind, service, start_ns, duration_ns, *rest = row
    status, status_message, attributes, resource, times, names, of_events = rest
    return Span(
        trace_id,
        span_id,
        parent_id,
        name,
        kind,
        service,
        start_ns,
        duration_ns,
        _status(status),
        status_message,
        attributes,
        resource,
        tuple(map(Event, times, names, of_events)),
    )


def _status(text: str) -> Status:
    try:
        return Status(text)
    except ValueError:  # older collectors wrote STATUS_CODE_ERROR
        return {"STATUS_CODE_ERROR": Status.ERROR, "STATUS_CODE_OK": Status.OK}.get(text, Status.UNSET)


def _schema_settings(*, embedded: bool) -> Mapping[str, str]:
    """Where ClickHouse finds the protobuf schema: a server is sent its text; the embedded engine reads the file, for it
    would keep a copy of the text under the working directory.
    """
    if embedded:
        return {"format_schema": f"{_SCHEMA}:ResourceSpans"}
    return {
        "format_schema_source": "string",
        "format_schema_message_name": "ResourceSpans",
        "format_schema": _SCHEMA.read_text(),
    }


def _varint(number: int) -> bytes:
    """Protobuf's variable-length integer."""
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)
