"""Every metric we emit, by name: the emitter owns the names, and whoever reads them imports them from here.

A renamed metric breaks at import, not on a dashboard at night.  Names follow django-prometheus for HTTP
and the database, the OpenTelemetry semantic conventions for pools, and Prometheus' naming rules for Celery, where no
convention exists.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric family as it appears on ``/metrics``.

    ``name`` is the exposed name: with ``_total`` for a counter, without ``_bucket`` for a histogram.
    ``buckets`` are upper bounds in the metric's own unit, without ``+Inf``; empty unless a histogram.
    """

    name: str
    kind: Kind
    labels: tuple[str, ...]
    help: str
    buckets: tuple[float, ...] = ()

    def __str__(self) -> str:
        return self.name

    @property
    def bucket(self) -> str:
        return f"{self.name}_bucket"

    @property
    def sum(self) -> str:
        return f"{self.name}_sum"

    @property
    def count(self) -> str:
        return f"{self.name}_count"


# django-prometheus' own list, so that boards made for it read these series too; 0.5 s, the usual latency objective, is
# one of its bounds.
LATENCY_BUCKETS = (0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 25.0, 50.0, 75.0)
QUERY_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
TASK_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0)

HTTP_REQUESTS = Metric(
    "django_http_requests_total_by_view_transport_method_total",
    Kind.COUNTER,
    ("view", "transport", "method"),
    "Requests that reached a view.",
)
HTTP_RESPONSES = Metric(
    "django_http_responses_total_by_status_view_method_total",
    Kind.COUNTER,
    ("status", "view", "method"),
    "Responses by status, view and method.",
)
HTTP_LATENCY = Metric(
    "django_http_requests_latency_seconds_by_view_method",
    Kind.HISTOGRAM,
    ("view", "method"),
    "Seconds a request spent in the view and the inner middlewares.",
    LATENCY_BUCKETS,
)
HTTP_EXCEPTIONS = Metric(
    "django_http_exceptions_total_by_type_total", Kind.COUNTER, ("type",), "Unhandled exceptions by type."
)
HTTP_ACTIVE = Metric("http_server_active_requests", Kind.GAUGE, (), "Requests being served at this moment.")

DB_QUERY_DURATION = Metric(
    "django_db_query_duration_seconds",
    Kind.HISTOGRAM,
    ("alias", "vendor"),
    "Seconds a database query took.",
    QUERY_BUCKETS,
)
DB_ERRORS = Metric("django_db_errors_total", Kind.COUNTER, ("alias", "vendor", "type"), "Database errors by type.")

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

CELERY_TASKS = Metric(
    "celery_tasks_total",
    Kind.COUNTER,
    ("task", "queue", "state"),
    "Tasks that ended, by state: succeeded, failed, retried, rejected, revoked, ignored.",
)
CELERY_RUNTIME = Metric(
    "celery_task_runtime_seconds",
    Kind.HISTOGRAM,
    ("task", "queue"),
    "Seconds a task ran, failed ones included.",
    TASK_BUCKETS,
)
CELERY_WAIT = Metric(
    "celery_task_wait_seconds",
    Kind.HISTOGRAM,
    ("task", "queue"),
    "Seconds between publishing (or the ETA, if later) and the start of a task.",
    TASK_BUCKETS,
)
CELERY_QUEUE_LENGTH = Metric(
    "celery_queue_length", Kind.GAUGE, ("queue",), "Messages waiting in the broker, all priorities."
)
CELERY_QUEUE_OLDEST = Metric(
    "celery_queue_oldest_message_age_seconds",
    Kind.GAUGE,
    ("queue",),
    "Age of the oldest message waiting in the broker; 0 when the queue is empty.",
)
CELERY_WORKERS = Metric(
    "celery_workers", Kind.GAUGE, ("queue",), "Workers with a recent heartbeat that consume the queue."
)

COLLECTOR_ERRORS = Metric(
    "opsconsole_exporter_collector_errors_total",
    Kind.COUNTER,
    ("collector",),
    "Scrapes in which a collector could not read its source, for example a broker that is down.",
)

CATALOG: tuple[Metric, ...] = (
    HTTP_REQUESTS,
    HTTP_RESPONSES,
    HTTP_LATENCY,
    HTTP_EXCEPTIONS,
    HTTP_ACTIVE,
    DB_QUERY_DURATION,
    DB_ERRORS,
    POOL_CONNECTIONS,
    POOL_MAX,
    POOL_PENDING,
    POOL_TIMEOUTS,
    CELERY_TASKS,
    CELERY_RUNTIME,
    CELERY_WAIT,
    CELERY_QUEUE_LENGTH,
    CELERY_QUEUE_OLDEST,
    CELERY_WORKERS,
    COLLECTOR_ERRORS,
)
