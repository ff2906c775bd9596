"""psycopg's connection pools as metrics: gauges and sums sampled once a second, waits and uses timed one by one.

``get_stats()`` only: ``pop_stats()`` would reset the counters for whoever else reads them.
"""

from __future__ import annotations

import inspect
import os
import threading
import weakref
from collections.abc import Callable, Mapping
from time import perf_counter
from typing import Any

from opsconsole_exporters import metrics
from opsconsole_exporters.catalog.pools import (
    CONNECTION_CREATE,
    CONNECTION_CREATE_ERRORS,
    POOL_CONNECTIONS,
    POOL_IDLE_MAX,
    POOL_IDLE_MIN,
    POOL_MAX,
    POOL_PENDING,
    POOL_TIMEOUTS,
    POOL_USE,
    POOL_WAIT,
)
from opsconsole_exporters.options import Options
from opsconsole_exporters.shield import report, shield, shielded

INTERVAL_S = 1.0
# Connections of one second that are observed one by one.
MOST_OPENED = 1000

_PART = "connection pool metrics"
_TAKEN_AT = "_opsconsole_taken_at"

Find = Callable[[], Any]

_found: dict[str, tuple[Find, PoolGauges]] = {}
_timed: weakref.WeakSet[Any] = weakref.WeakSet()
_sampling_in: int | None = None
_lock = threading.Lock()


class PoolGauges:
    """One pool of one process as metrics.  ``update`` takes psycopg_pool's statistics; a key that is absent is 0."""

    def __init__(self, name: str) -> None:
        self._idle = metrics.gauge(POOL_CONNECTIONS).labels(name, "idle")
        self._used = metrics.gauge(POOL_CONNECTIONS).labels(name, "used")
        self._max = metrics.gauge(POOL_MAX).labels(name)
        self._idle_max = metrics.gauge(POOL_IDLE_MAX).labels(name)
        self._idle_min = metrics.gauge(POOL_IDLE_MIN).labels(name)
        self._pending = metrics.gauge(POOL_PENDING).labels(name)
        self._timeouts = metrics.counter(POOL_TIMEOUTS).labels(name)
        self._create = metrics.histogram(CONNECTION_CREATE).labels(name)
        self._create_errors = metrics.counter(CONNECTION_CREATE_ERRORS).labels(name)
        self._seen: Mapping[str, int] = {}

    def update(self, stats: Mapping[str, int]) -> None:
        idle = stats.get("pool_available", 0)
        self._idle.set(idle)
        self._used.set(max(0, stats.get("pool_size", 0) - idle))
        self._max.set(stats.get("pool_max", 0))
        # psycopg_pool closes what is idle above pool_min after a while, but nothing is too much before that.
        self._idle_max.set(stats.get("pool_max", 0))
        self._idle_min.set(stats.get("pool_min", 0))
        self._pending.set(stats.get("requests_waiting", 0))
        self._timeouts.inc(self._added(stats, "requests_errors"))
        self._create_errors.inc(self._added(stats, "connections_errors"))
        # The pool tells sums only: connections opened within one interval share their mean.
        opened = min(self._added(stats, "connections_num"), MOST_OPENED)
        for _ in range(opened):
            self._create.observe(self._added(stats, "connections_ms") / 1000 / opened)
        self._seen = stats

    def _added(self, stats: Mapping[str, int], key: str) -> int:
        now, before = stats.get(key, 0), self._seen.get(key, 0)
        # Fewer than before means a new pool, which counts from 0.
        return now - before if now >= before else now


@shielded(_PART)
def watch_pool(pool: Any, name: str) -> None:
    """Watch a ``ConnectionPool`` or ``AsyncConnectionPool`` of this process until it is gone; ``name`` is its label."""
    if Options.read().enabled:
        watch_found(weakref.ref(pool), name)


def watch_found(find: Find, name: str) -> None:
    """The same for a pool that may be replaced by another: ``find`` answers the present one, or None."""
    global _sampling_in
    with _lock:
        if _sampling_in != os.getpid():
            _found.clear()  # a parent's pools, which this process cannot use
        _found[name] = (find, PoolGauges(name))
        _look(name, find, _found[name][1])
        if _sampling_in != os.getpid():
            _sampling_in = os.getpid()
            threading.Thread(target=_sample_for_ever, name="opsconsole-pools", daemon=True).start()


def _sample_for_ever() -> None:
    pause = threading.Event()
    while not pause.wait(INTERVAL_S):
        for name, (find, gauges) in list(_found.items()):
            with shield(_PART):
                _look(name, find, gauges)


def _look(name: str, find: Find, gauges: PoolGauges) -> None:
    pool = find()
    if pool is None:
        gauges.update({})
        return
    if pool not in _timed:
        _timed.add(pool)
        _time(pool, name)
    stats = pool.get_stats()
    # A pool that is closed, or was not used yet, holds no room for connections; what it has counted stays.
    gauges.update({key: value for key, value in stats.items() if not (pool.closed and key.startswith("pool_"))})


def _time(pool: Any, name: str) -> None:
    """Put a clock around ``getconn`` and ``putconn`` of this pool; ``pool.connection()`` goes through both."""
    wait, use = metrics.histogram(POOL_WAIT).labels(name), metrics.histogram(POOL_USE).labels(name)
    getconn, putconn = pool.getconn, pool.putconn

    def taken(started: float, connection: Any) -> None:
        """``connection``: None if the pool has raised instead."""
        now = perf_counter()
        try:
            wait.observe(now - started)
            if connection is not None:
                setattr(connection, _TAKEN_AT, now)
        except Exception as error:  # noqa: BLE001 - as shielded() does, without its cost on every connection
            report(_PART, error)

    def used(connection: Any) -> None:
        try:
            if (since := connection.__dict__.pop(_TAKEN_AT, None)) is not None:
                use.observe(perf_counter() - since)
        except Exception as error:  # noqa: BLE001 - see above
            report(_PART, error)

    def timed_getconn(*args: Any, **kwargs: Any) -> Any:
        started, connection = perf_counter(), None
        try:
            connection = getconn(*args, **kwargs)
        finally:
            taken(started, connection)
        return connection

    async def timed_async_getconn(*args: Any, **kwargs: Any) -> Any:
        started, connection = perf_counter(), None
        try:
            connection = await getconn(*args, **kwargs)
        finally:
            taken(started, connection)
        return connection

    def timed_putconn(conn: Any) -> Any:
        # Also for the asynchronous one, which is a coroutine function: this answers its coroutine.
        used(conn)
        return putconn(conn)

    pool.getconn = timed_async_getconn if inspect.iscoroutinefunction(getconn) else timed_getconn
    pool.putconn = timed_putconn
