"""Queries as the service sees them, under django-prometheus' names."""

from __future__ import annotations

from .metric import Kind, Metric

QUERY_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

DB_QUERY_DURATION = Metric(
    "django_db_query_duration_seconds",
    Kind.HISTOGRAM,
    ("alias", "vendor"),
    "Seconds a database query took.",
    QUERY_BUCKETS,
)

DB_ERRORS = Metric("django_db_errors_total", Kind.COUNTER, ("alias", "vendor", "type"), "Database errors by type.")

METRICS = (
    DB_QUERY_DURATION,
    DB_ERRORS,
)
