"""HTTP requests, under django-prometheus' names where it has one."""

from __future__ import annotations

from .metric import Kind, Metric

# django-prometheus' own list, so that boards made for it read these series too; 0.5 s, the usual latency objective, is
# one of its bounds.
LATENCY_BUCKETS = (0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 25.0, 50.0, 75.0)

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

METRICS = (
    HTTP_REQUESTS,
    HTTP_RESPONSES,
    HTTP_LATENCY,
    HTTP_EXCEPTIONS,
    HTTP_ACTIVE,
)
