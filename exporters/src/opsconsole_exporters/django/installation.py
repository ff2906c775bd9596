"""What the Django app switches on, in the order in which a request meets it."""

from __future__ import annotations

import os
import sys

from django.conf import settings

from opsconsole_exporters import instrument, multiprocess, workerprocess
from opsconsole_exporters.installation import once
from opsconsole_exporters.log import log
from opsconsole_exporters.options import Options

OUTER = "opsconsole_exporters.django.middleware.outer"
INNER = "opsconsole_exporters.django.middleware.inner"

_REPLACED = (
    "django_prometheus.middleware.PrometheusBeforeMiddleware",
    "django_prometheus.middleware.PrometheusAfterMiddleware",
)


def install_django() -> None:
    """Logs, traces, middlewares, database metrics and pool gauges; each on its own, and once."""
    if not Options.read().enabled:
        return
    instrument(getattr(settings, "OPSCONSOLE_SERVICE_NAME", None) or settings.ROOT_URLCONF.partition(".")[0])
    once("HTTP metrics", _middlewares)
    once("Django traces", _traces)
    once("database metrics", _database)
    once("connection pool metrics", _pools)
    workerprocess.on_start("worker count", _warn)


def _warn() -> None:
    workers = multiprocess.likely_workers(sys.argv, os.environ)
    if workers > 1:
        multiprocess.warn_if_missing(
            f"each of the {workers} workers answers /metrics for itself, so counters will jump"
        )


def _middlewares() -> None:
    chosen = list(settings.MIDDLEWARE)
    if any(name in _REPLACED for name in chosen):
        log.info(
            "opsconsole-exporters replaces django_prometheus.middleware, whose metrics it exposes; "
            "you can remove both entries from MIDDLEWARE"
        )
    settings.MIDDLEWARE = [OUTER, *(name for name in chosen if name not in _REPLACED), INNER]


def _traces() -> None:
    from opsconsole_exporters import tracing
    from opsconsole_exporters.django.traces import install_traces, leave_out_connection_setup

    if tracing.enabled():
        leave_out_connection_setup()
        # Position 1: inside the outermost middleware, so that /metrics is not traced, and outside all others.
        install_traces(int(OUTER in settings.MIDDLEWARE))


def _database() -> None:
    from opsconsole_exporters.django.database import observe_connections

    observe_connections()


def _pools() -> None:
    from opsconsole_exporters.django.pools import observe_pools

    observe_pools()
