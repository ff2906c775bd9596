"""Gauges of psycopg's connection pools (Django's ``OPTIONS={"pool": …}``), sampled once a second in every process.

``get_stats()`` only: ``pop_stats()`` would reset the counters for whoever else reads them.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping

from django.db import connections

from opsconsole_exporters import metrics, workerprocess
from opsconsole_exporters.catalog.pools import POOL_CONNECTIONS, POOL_MAX, POOL_PENDING, POOL_TIMEOUTS
from opsconsole_exporters.shield import shield

INTERVAL_S = 1.0


class PoolGauges:
    """One pool of one process as metrics.  ``update`` takes psycopg_pool's statistics; a key that is absent is 0."""

    def __init__(self, alias: str) -> None:
        self._idle = metrics.gauge(POOL_CONNECTIONS).labels(alias, "idle")
        self._used = metrics.gauge(POOL_CONNECTIONS).labels(alias, "used")
        self._max = metrics.gauge(POOL_MAX).labels(alias)
        self._pending = metrics.gauge(POOL_PENDING).labels(alias)
        self._timeouts = metrics.counter(POOL_TIMEOUTS).labels(alias)
        self._errors_seen = 0

    def update(self, stats: Mapping[str, int]) -> None:
        idle = stats.get("pool_available", 0)
        self._idle.set(idle)
        self._used.set(max(0, stats.get("pool_size", 0) - idle))
        self._max.set(stats.get("pool_max", 0))
        self._pending.set(stats.get("requests_waiting", 0))
        errors = stats.get("requests_errors", 0)
        # Fewer than before means a new pool, which counts from 0.
        self._timeouts.inc(errors - self._errors_seen if errors >= self._errors_seen else errors)
        self._errors_seen = errors


def observe_pools() -> None:
    """Start sampling in every process that works, if a database has a pool."""
    if pooled_aliases():
        workerprocess.on_start("connection pool metrics", _start)


def pooled_aliases() -> list[str]:
    return [alias for alias, settings in connections.settings.items() if settings.get("OPTIONS", {}).get("pool")]


def _start() -> None:
    threading.Thread(target=_sample_for_ever, name="opsconsole-pools", daemon=True).start()


def _sample_for_ever() -> None:
    pause = threading.Event()
    gauges = {}
    with shield("connection pool metrics"):
        gauges = {alias: PoolGauges(alias) for alias in pooled_aliases()}
    while gauges:
        with shield("connection pool metrics"):
            for alias, gauge in gauges.items():
                # The pool belongs to the process: this thread's connection object, never connected, leads to it.
                gauge.update(connections[alias].pool.get_stats())  # type: ignore[attr-defined]
        pause.wait(INTERVAL_S)
