"""The tables, once, for the embedded engine and a server alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .clickhouse import ClickHouse

# A series row is written again every day it is alive, so that retention drops the series nobody has seen for long.
_SERIES = """
CREATE TABLE IF NOT EXISTS series (
    id UInt64,
    name LowCardinality(String),
    labels Map(LowCardinality(String), String),
    seen Date
) ENGINE = ReplacingMergeTree(seen)
ORDER BY (name, id)
"""

_SAMPLES = """
CREATE TABLE IF NOT EXISTS samples (
    id UInt64 CODEC(ZSTD(1)),
    ts DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    value Float64 CODEC(ZSTD(1))
) ENGINE = MergeTree
PARTITION BY toDate(ts)
ORDER BY (id, ts)
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 100
"""

# What five minutes of a series came to, once they are past.  ``bucket`` is where they end, and they hold the samples up to and
# at it, as windows do.  Buckets are rolled again when samples come late: the row that has seen more ``rows`` counts.
_ROLLUPS = """
CREATE TABLE IF NOT EXISTS rollups (
    id UInt64 CODEC(ZSTD(1)),
    bucket DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
    rows UInt32 CODEC(T64, ZSTD(1)),
    samples UInt32 CODEC(T64, ZSTD(1)),
    first_ms UInt32 CODEC(T64, ZSTD(1)),
    last_ms UInt32 CODEC(T64, ZSTD(1)),
    first Float64 CODEC(ZSTD(1)),
    last Float64 CODEC(ZSTD(1)),
    lost Float64 CODEC(ZSTD(1)),
    total Float64 CODEC(ZSTD(1)),
    least Float64 CODEC(ZSTD(1)),
    most Float64 CODEC(ZSTD(1)),
    alive UInt8 CODEC(ZSTD(1))
) ENGINE = ReplacingMergeTree(rows)
PARTITION BY toYYYYMM(bucket)
ORDER BY (id, bucket)
SETTINGS ttl_only_drop_parts = 1
"""

# The days that were rolled as a whole, and how many rows ``samples`` had of each before: one more, and it is rolled again.
_ROLLED = """
CREATE TABLE IF NOT EXISTS rolled (
    day Date,
    rows UInt64
) ENGINE = ReplacingMergeTree(rows)
ORDER BY day
"""

# The columns of the OpenTelemetry collector's ClickHouse exporter, then ours.  Of its indexes only the trace id's bloom
# filter is kept: those over the attribute maps make inserts 2.3 to 3.6 times slower.
_TRACES = """
CREATE TABLE IF NOT EXISTS otel_traces (
    Timestamp DateTime64(9) CODEC(Delta(8), ZSTD(1)),
    TraceId String CODEC(ZSTD(1)),
    SpanId String CODEC(ZSTD(1)),
    ParentSpanId String CODEC(ZSTD(1)),
    TraceState String CODEC(ZSTD(1)),
    SpanName LowCardinality(String) CODEC(ZSTD(1)),
    SpanKind LowCardinality(String) CODEC(ZSTD(1)),
    ServiceName LowCardinality(String) CODEC(ZSTD(1)),
    ResourceAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    ScopeName String CODEC(ZSTD(1)),
    ScopeVersion String CODEC(ZSTD(1)),
    SpanAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    Duration UInt64 CODEC(T64, ZSTD(1)),
    StatusCode LowCardinality(String) CODEC(ZSTD(1)),
    StatusMessage String CODEC(ZSTD(1)),
    Events Nested (
        Timestamp DateTime64(9), Name LowCardinality(String), Attributes Map(LowCardinality(String), String)
    ) CODEC(ZSTD(1)),
    Links Nested (
        TraceId String, SpanId String, TraceState String, Attributes Map(LowCardinality(String), String)
    ) CODEC(ZSTD(1)),
    HttpRoute LowCardinality(String) DEFAULT SpanAttributes['http.route'] CODEC(ZSTD(1)),
    HttpMethod LowCardinality(String) DEFAULT
        if(mapContains(SpanAttributes, 'http.request.method'),
           SpanAttributes['http.request.method'], SpanAttributes['http.method']) CODEC(ZSTD(1)),
    HttpStatusCode UInt16 DEFAULT
        toUInt16OrZero(if(mapContains(SpanAttributes, 'http.response.status_code'),
                          SpanAttributes['http.response.status_code'], SpanAttributes['http.status_code']))
        CODEC(T64, ZSTD(1)),
    INDEX idx_trace_id TraceId TYPE bloom_filter(0.001) GRANULARITY 1,
    INDEX idx_duration Duration TYPE minmax GRANULARITY 1
) ENGINE = MergeTree
PARTITION BY toDate(Timestamp)
ORDER BY (ServiceName, SpanName, toDateTime(Timestamp), Timestamp)
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 1000
"""

# OTLP comes in as protobuf: ClickHouse parses it into this shape, which keeps nothing, and the view reshapes it into rows.
_VALUE = """Tuple(
    string_value Nullable(String), bool_value Nullable(Bool), int_value Nullable(Int64), double_value Nullable(Float64),
    array_value Nullable(String), kvlist_value Nullable(String), bytes_value Nullable(String))"""
_ATTRIBUTES = f"Array(Tuple(key String, value {_VALUE}))"
_OTLP = f"""
CREATE TABLE IF NOT EXISTS otlp_traces (
    resource Tuple(attributes {_ATTRIBUTES}),
    scope_spans Array(Tuple(
        scope Tuple(name String, version String),
        spans Array(Tuple(
            trace_id String, span_id String, trace_state String, parent_span_id String,
            name String, kind Int32, start_time_unix_nano UInt64, end_time_unix_nano UInt64,
            attributes {_ATTRIBUTES},
            events Array(Tuple(time_unix_nano UInt64, name String, attributes {_ATTRIBUTES})),
            links Array(Tuple(trace_id String, span_id String, trace_state String, attributes {_ATTRIBUTES})),
            status Tuple(message String, code Int32)))))
) ENGINE = Null
"""


def _map(attributes: str) -> str:
    """A map of texts; one member of an OTLP value is set.  Lists and maps were made JSON texts before they came here."""
    value = """coalesce(
        a.value.string_value, toString(a.value.int_value), toString(a.value.bool_value), toString(a.value.double_value),
        base64Encode(a.value.bytes_value), hex(a.value.array_value), hex(a.value.kvlist_value), '')"""
    return f"mapFromArrays(arrayMap(a -> a.key, {attributes}), arrayMap(a -> {value}, {attributes}))"


_OTLP_VIEW = f"""
CREATE MATERIALIZED VIEW IF NOT EXISTS otlp_traces_view TO otel_traces AS
SELECT
    fromUnixTimestamp64Nano(toInt64(span.start_time_unix_nano)) AS Timestamp,
    lower(hex(span.trace_id)) AS TraceId,
    lower(hex(span.span_id)) AS SpanId,
    lower(hex(span.parent_span_id)) AS ParentSpanId,
    span.trace_state AS TraceState,
    span.name AS SpanName,
    transform(span.kind, [1, 2, 3, 4, 5], ['Internal', 'Server', 'Client', 'Producer', 'Consumer'], 'Unspecified')
        AS SpanKind,
    ResourceAttributes['service.name'] AS ServiceName,
    ResourceAttributes,
    scoped.scope.name AS ScopeName,
    scoped.scope.version AS ScopeVersion,
    {_map("span.attributes")} AS SpanAttributes,
    if(span.end_time_unix_nano > span.start_time_unix_nano, span.end_time_unix_nano - span.start_time_unix_nano, 0)
        AS Duration,
    transform(span.status.code, [1, 2], ['Ok', 'Error'], 'Unset') AS StatusCode,
    span.status.message AS StatusMessage,
    arrayMap(e -> fromUnixTimestamp64Nano(toInt64(e.time_unix_nano)), span.events) AS `Events.Timestamp`,
    arrayMap(e -> e.name, span.events) AS `Events.Name`,
    arrayMap(e -> {_map("e.attributes")}, span.events) AS `Events.Attributes`,
    arrayMap(l -> lower(hex(l.trace_id)), span.links) AS `Links.TraceId`,
    arrayMap(l -> lower(hex(l.span_id)), span.links) AS `Links.SpanId`,
    arrayMap(l -> l.trace_state, span.links) AS `Links.TraceState`,
    arrayMap(l -> {_map("l.attributes")}, span.links) AS `Links.Attributes`
FROM (
    SELECT ResourceAttributes, scoped
    FROM (SELECT {_map("resource.attributes")} AS ResourceAttributes, scope_spans FROM otlp_traces)
    ARRAY JOIN scope_spans AS scoped
)
ARRAY JOIN scoped.spans AS span
"""

# Whether the samples of a series are pushed: after a restart they belong to another store than those of the scrapes.
_ORIGIN = "ALTER TABLE series ADD COLUMN IF NOT EXISTS pushed Bool DEFAULT false"

_MIGRATIONS: Sequence[Sequence[str]] = (
    (_SERIES, _SAMPLES, _TRACES, _OTLP, _OTLP_VIEW),  # 1
    (_ORIGIN,),  # 2
    (_ROLLUPS, _ROLLED),  # 3
)
"""Statements of each version, in order; append, never edit one that was released."""


class NewerSchema(Exception):
    """The folder was written by a newer console."""


def migrate(store: ClickHouse) -> None:
    """Bring the tables to this version.  Safe to repeat after a crash: every statement says IF NOT EXISTS."""
    store.command("CREATE TABLE IF NOT EXISTS schema_version (version UInt32) ENGINE = MergeTree ORDER BY version")
    found = int(store.rows("SELECT max(version) FROM schema_version")[0][0])
    known = len(_MIGRATIONS)
    if found > known:
        raise NewerSchema(
            f"the telemetry was written by a newer console (schema {found}, this one knows {known}); upgrade opsconsole"
        )
    for version, statements in enumerate(_MIGRATIONS, start=1):
        if version > found:
            for statement in statements:
                store.command(statement)
            store.command(f"INSERT INTO schema_version VALUES ({version})")
