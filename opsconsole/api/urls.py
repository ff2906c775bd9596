"""The machine's addresses."""

from __future__ import annotations

from django.urls import path, re_path

from . import health, metrics, otlp, prometheus, remote_write

urlpatterns = [
    path("healthz/live", health.live, name="health-live"),
    path("healthz/ready", health.ready, name="health-ready"),
    path("metrics", metrics.metrics, name="metrics"),
    path("v1/traces", otlp.traces, name="otlp-traces"),
    path("v1/metrics", otlp.metrics, name="otlp-metrics"),
    path("api/v1/write", remote_write.write, name="remote-write"),
    path("api/v1/query", prometheus.instant_query, name="api-query"),
    path("api/v1/query_range", prometheus.range_query, name="api-query-range"),
    path("api/v1/series", prometheus.series, name="api-series"),
    path("api/v1/labels", prometheus.labels, name="api-labels"),
    path("api/v1/label/<str:name>/values", prometheus.label_values, name="api-label-values"),
    path("api/v1/targets", prometheus.targets, name="api-targets"),
    path("api/v1/rules", prometheus.rules, name="api-rules"),
    path("api/v1/alerts", prometheus.alerts, name="api-alerts"),
    path("api/v1/status/buildinfo", prometheus.buildinfo, name="api-buildinfo"),
    re_path(r"^(?:api|v1)(?:/.*)?$", prometheus.unknown, name="api-unknown"),
]
