"""Connection pools, under the names of the OpenTelemetry semantic conventions."""

from __future__ import annotations

from .metric import Kind, Metric

_POOL = ("db_client_connection_pool_name",)
# OpenTelemetry names the histograms and leaves their bounds open; a wait is either nothing or the timeout of the pool.
POOL_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

POOL_CONNECTIONS = Metric(
    "db_client_connection_count",
    Kind.GAUGE,
    ("db_client_connection_pool_name", "db_client_connection_state"),
    "Connections of the pool that are idle or used, summed over the service's processes.",
)

POOL_MAX = Metric(
    "db_client_connection_max",
    Kind.GAUGE,
    ("db_client_connection_pool_name",),
    "The most connections the pool may open, summed over the service's processes.",
)

POOL_PENDING = Metric(
    "db_client_connection_pending_requests",
    Kind.GAUGE,
    ("db_client_connection_pool_name",),
    "Threads that wait for a connection of the pool.",
)

POOL_TIMEOUTS = Metric(
    "db_client_connection_timeouts_total",
    Kind.COUNTER,
    ("db_client_connection_pool_name",),
    "Requests for a connection that the pool could not serve in time.",
)

POOL_IDLE_MAX = Metric(
    "db_client_connection_idle_max",
    Kind.GAUGE,
    _POOL,
    "The most idle connections the pool may keep, summed over the service's processes.",
)

POOL_IDLE_MIN = Metric(
    "db_client_connection_idle_min",
    Kind.GAUGE,
    _POOL,
    "The fewest connections the pool keeps, summed over the service's processes.",
)

POOL_WAIT = Metric(
    "db_client_connection_wait_time_seconds",
    Kind.HISTOGRAM,
    _POOL,
    "Seconds a request for a connection of the pool waited, served or not.",
    POOL_BUCKETS,
    unit="seconds",
)

POOL_USE = Metric(
    "db_client_connection_use_time_seconds",
    Kind.HISTOGRAM,
    _POOL,
    "Seconds between taking a connection from the pool and giving it back.",
    POOL_BUCKETS,
    unit="seconds",
)

CONNECTION_CREATE = Metric(
    "db_client_connection_create_time_seconds",
    Kind.HISTOGRAM,
    _POOL,
    "Seconds it took to open a connection, of a pool or (by the alias of the database) of Django without one.",
    POOL_BUCKETS,
    unit="seconds",
)

CONNECTION_CREATE_ERRORS = Metric(
    "db_client_connection_create_errors_total",
    Kind.COUNTER,
    _POOL,
    "Connections that could not be opened.",
)

LABELS = {
    "db_client_connection_pool_name": (
        "Alias in `DATABASES`, or the name that the code gives to `watch_pool()`: as many as are configured."
    ),
    "db_client_connection_state": "`idle` or `used`.",
}

METRICS = (
    POOL_CONNECTIONS,
    POOL_MAX,
    POOL_IDLE_MAX,
    POOL_IDLE_MIN,
    POOL_PENDING,
    POOL_TIMEOUTS,
    POOL_WAIT,
    POOL_USE,
    CONNECTION_CREATE,
    CONNECTION_CREATE_ERRORS,
)
