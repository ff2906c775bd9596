"""Django's connections: its pools (``OPTIONS={"pool": …}``), and without a pool each connection as it is opened."""

from __future__ import annotations

import functools
from time import perf_counter
from typing import Any

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from opsconsole_exporters import metrics, workerprocess
from opsconsole_exporters.catalog.pools import CONNECTION_CREATE, CONNECTION_CREATE_ERRORS
from opsconsole_exporters.pools import watch_found
from opsconsole_exporters.shield import shield

_PART = "connection metrics"


def observe_pools() -> None:
    """Watch the pools in every process that works, and time the connections of databases that have none."""
    if pooled_aliases():
        workerprocess.on_start("connection pool metrics", _watch)
    if len(pooled_aliases()) < len(connections.settings):
        time_opening()


def pooled_aliases() -> list[str]:
    return [alias for alias, settings in connections.settings.items() if _pooled(settings)]


def time_opening() -> None:
    """Put a clock around ``connect()`` of all engines; Django's signal comes after it, and not when it fails."""
    connect = BaseDatabaseWrapper.connect
    if hasattr(connect, "_opsconsole_times"):
        return

    @functools.wraps(connect)
    def timed_connect(self: BaseDatabaseWrapper) -> None:
        if _pooled(self.settings_dict):
            connect(self)
            return
        started = perf_counter()
        try:
            connect(self)
        except Exception:
            with shield(_PART):
                metrics.counter(CONNECTION_CREATE_ERRORS).labels(self.alias).inc()
            raise
        with shield(_PART):
            metrics.histogram(CONNECTION_CREATE).labels(self.alias).observe(perf_counter() - started)

    timed_connect._opsconsole_times = True  # type: ignore[attr-defined]  # noqa: SLF001 - our own mark
    BaseDatabaseWrapper.connect = timed_connect  # type: ignore[method-assign]


def _watch() -> None:
    for alias in pooled_aliases():
        # The pool belongs to the process: whichever thread asks, its own connection object leads to it.
        watch_found(functools.partial(_pool, alias), alias)


def _pool(alias: str) -> Any:
    return connections[alias].pool  # type: ignore[attr-defined]


def _pooled(settings: dict[str, Any]) -> bool:
    return bool(settings.get("OPTIONS", {}).get("pool"))
