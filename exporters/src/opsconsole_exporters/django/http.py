"""The HTTP metrics: django-prometheus' own, with the catalogue's word on names, and two defects less."""

from __future__ import annotations

import sys
from typing import Any

from django.core.signals import got_request_exception
from django.http import HttpRequest
from django_prometheus.middleware import Metrics

from opsconsole_exporters import metrics, multiprocess
from opsconsole_exporters.catalog import CATALOG
from opsconsole_exporters.catalog.http import HTTP_ACTIVE
from opsconsole_exporters.shield import shielded

_DECLARED = {metric.name.removesuffix("_total"): metric for metric in CATALOG}


class HttpMetrics(Metrics):  # type: ignore[misc]
    """One set a process; ``get_instance()`` of django-prometheus makes it when the first middleware is loaded."""

    # Its own: with the inherited one, whichever class came first would be handed out for both.
    _instance = None

    def register(self) -> None:
        multiprocess.prepare()
        super().register()
        self.active = metrics.gauge(HTTP_ACTIVE)
        got_request_exception.connect(self.count_unhandled, dispatch_uid="opsconsole_exporters")

    def register_metric(
        self, metric_cls: Any, name: str, documentation: str, labelnames: tuple[str, ...] = (), **kwargs: Any
    ) -> Any:
        """What the catalogue declares is made as declared, whatever ``PROMETHEUS_METRIC_NAMESPACE`` and the like say."""
        if declared := _DECLARED.get(name):
            kwargs = {"buckets": declared.buckets} if declared.buckets else {}
            documentation, labelnames = declared.help, declared.labels
        return super().register_metric(metric_cls, name, documentation, labelnames, **kwargs)

    @shielded("HTTP metrics")
    def count_unhandled(self, request: HttpRequest | None = None, **_: object) -> None:
        """Count an exception that became a 500; Django sends the signal while it is being handled."""
        error = sys.exc_info()[0]
        self.exceptions_by_type.labels(type=error.__name__ if error else "unknown").inc()
        match = getattr(request, "resolver_match", None)
        self.exceptions_by_view.labels(view=(match and match.view_name) or "<unnamed view>").inc()
