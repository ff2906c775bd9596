"""Connection pools, under the names of the OpenTelemetry semantic conventions."""

from __future__ import annotations

from .metric import Kind, Metric

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

METRICS = (
    POOL_CONNECTIONS,
    POOL_MAX,
    POOL_PENDING,
    POOL_TIMEOUTS,
)
