"""The machine's addresses."""

from __future__ import annotations

from django.urls import path, re_path

from . import health, metadata, metrics, otlp, queries, remote_write, rules, series, status, targets
from .endpoint import unknown

urlpatterns = [
    path("healthz/live", health.live, name="health-live"),
    path("healthz/ready", health.ready, name="health-ready"),
    path("metrics", metrics.metrics, name="metrics"),
    path("v1/traces", otlp.traces, name="otlp-traces"),
    path("v1/metrics", otlp.metrics, name="otlp-metrics"),
    path("api/v1/write", remote_write.write, name="remote-write"),
    path("api/v1/query", queries.instant, name="api-query"),
    path("api/v1/query_range", queries.over_range, name="api-query-range"),
    path("api/v1/query_exemplars", metadata.query_exemplars, name="api-query-exemplars"),
    path("api/v1/format_query", queries.format_query, name="api-format-query"),
    path("api/v1/parse_query", queries.parse_query, name="api-parse-query"),
    path("api/v1/series", series.series, name="api-series"),
    path("api/v1/labels", series.labels, name="api-labels"),
    path("api/v1/label/<str:name>/values", series.label_values, name="api-label-values"),
    path("api/v1/metadata", metadata.metadata, name="api-metadata"),
    path("api/v1/targets", targets.targets, name="api-targets"),
    path("api/v1/targets/metadata", metadata.target_metadata, name="api-targets-metadata"),
    path("api/v1/rules", rules.rules, name="api-rules"),
    path("api/v1/alerts", rules.alerts, name="api-alerts"),
    path("api/v1/alertmanagers", rules.alertmanagers, name="api-alertmanagers"),
    path("api/v1/status/buildinfo", status.buildinfo, name="api-buildinfo"),
    path("api/v1/status/config", status.config, name="api-config"),
    path("api/v1/status/flags", status.flags, name="api-flags"),
    path("api/v1/status/runtimeinfo", status.runtimeinfo, name="api-runtimeinfo"),
    path("api/v1/status/tsdb", status.tsdb, name="api-tsdb"),
    path("api/v1/status/walreplay", status.walreplay, name="api-walreplay"),
    re_path(r"^(?:api|v1)(?:/.*)?$", unknown, name="api-unknown"),
]
