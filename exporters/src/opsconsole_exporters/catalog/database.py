"""Queries as the service sees them, under django-prometheus' names where it has one."""

from __future__ import annotations

from . import labels
from .metric import Kind, Metric

QUERY_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

DB_QUERY_DURATION = Metric(
    "django_db_query_duration_seconds",
    Kind.HISTOGRAM,
    ("alias", "vendor"),
    "Seconds a database query took.",
    QUERY_BUCKETS,
    unit="seconds",
)

DB_EXECUTED = Metric(
    "django_db_execute_total",
    Kind.COUNTER,
    ("alias", "vendor"),
    "Statements executed; of an executemany, one for each set of parameters.",
)

DB_EXECUTED_MANY = Metric(
    "django_db_execute_many_total",
    Kind.COUNTER,
    ("alias", "vendor"),
    "Sets of parameters given to executemany.",
)

DB_ERRORS = Metric("django_db_errors_total", Kind.COUNTER, ("alias", "vendor", "type"), "Database errors by type.")

DB_NEW_CONNECTIONS = Metric(
    "django_db_new_connections_total",
    Kind.COUNTER,
    ("alias", "vendor"),
    "Connections that Django has opened, or has taken out of a pool.",
)

DB_NEW_CONNECTION_ERRORS = Metric(
    "django_db_new_connection_errors_total",
    Kind.COUNTER,
    ("alias", "vendor"),
    "Connections that could not be opened.",
)

REQUEST_QUERIES = Metric(
    "django_request_queries",
    Kind.HISTOGRAM,
    ("view",),
    "Queries of one request.",
    (0.0, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0),
)

REQUEST_QUERY_SECONDS = Metric(
    "django_request_query_seconds_total",
    Kind.COUNTER,
    ("view",),
    "Seconds that requests have waited for their queries.",
    unit="seconds",
)

REQUEST_REPEATED_QUERIES = Metric(
    "django_request_repeated_queries_total",
    Kind.COUNTER,
    ("view",),
    "Queries beyond the first of one shape, in requests that ran the shape at least five times.",
)

# Gauges despite their names, which existing boards and rules know.
MIGRATIONS_UNAPPLIED = Metric(
    "django_migrations_unapplied_total",
    Kind.GAUGE,
    ("connection",),
    "Migrations in the code that the database has not applied.",
    merge="livemax",
)

MIGRATIONS_APPLIED = Metric(
    "django_migrations_applied_total",
    Kind.GAUGE,
    ("connection",),
    "Migrations that the database has applied.",
    merge="livemax",
)

LABELS = {
    "alias": labels.ALIAS,
    "vendor": "Django's name of the kind of database: `postgresql`, `sqlite`, `mysql`, `oracle` or a backend's own.",
    "type": labels.EXCEPTION,
    "view": labels.VIEW,
    "connection": labels.ALIAS,
}

METRICS = (
    DB_QUERY_DURATION,
    DB_EXECUTED,
    DB_EXECUTED_MANY,
    DB_ERRORS,
    DB_NEW_CONNECTIONS,
    DB_NEW_CONNECTION_ERRORS,
    REQUEST_QUERIES,
    REQUEST_QUERY_SECONDS,
    REQUEST_REPEATED_QUERIES,
    MIGRATIONS_UNAPPLIED,
    MIGRATIONS_APPLIED,
)
