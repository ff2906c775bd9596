"""What the Django app switches on, in the order in which a request meets it."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec

from django.apps import apps
from django.conf import settings
from django.utils.module_loading import import_string

from opsconsole_exporters import instrument, multiprocess, workerprocess
from opsconsole_exporters.installation import once
from opsconsole_exporters.log import log
from opsconsole_exporters.options import Options
from opsconsole_exporters.shield import shield

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
    once("database metrics", _database)
    once("connection pool metrics", _pools)
    once("cache metrics", _caches)
    once("WebSocket metrics", _websockets)
    workerprocess.on_start("worker count", _warn)


def _warn() -> None:
    workers = multiprocess.likely_workers(sys.argv, os.environ)
    if workers > 1:
        multiprocess.warn_if_missing(
            f"each of the {workers} workers answers /metrics for itself, so counters will jump"
        )


def _middlewares() -> None:
    chosen = list(settings.MIDDLEWARE)
    replaced = [name for name in chosen if _counts_the_same(name)]
    if replaced:
        log.info(
            "opsconsole-exporters exposes the metrics of django_prometheus.middleware itself; "
            f"you can remove from MIDDLEWARE: {', '.join(replaced)}"
        )
    settings.MIDDLEWARE = [OUTER, *(name for name in chosen if name not in replaced), INNER]


def _counts_the_same(middleware: str) -> bool:
    """Whether it is django-prometheus' or derived from it: two that make metrics of one name would stop the service."""
    if middleware in _REPLACED:
        return True
    if not apps.is_installed("django_prometheus"):
        return False
    with shield("HTTP metrics"):
        bases = getattr(import_string(middleware), "__mro__", ())
        return any(f"{base.__module__}.{base.__qualname__}" in _REPLACED for base in bases)
    return False


def _database() -> None:
    from opsconsole_exporters.django.database import observe_connections

    observe_connections()


def _pools() -> None:
    from opsconsole_exporters.django.pools import observe_pools

    observe_pools()


def _caches() -> None:
    from opsconsole_exporters.django.cache import observe_caches

    observe_caches()


def _websockets() -> None:
    if find_spec("channels") is not None:
        from opsconsole_exporters.django.websockets import observe_consumers

        observe_consumers()
