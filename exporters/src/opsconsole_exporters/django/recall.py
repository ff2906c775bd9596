"""How many of the truly nearest rows vector searches find: a few are searched again without an index, out of their way.

One thread a process with a connection of its own, at most one search a second, none older than the queue is long.  What
is not checked is counted.
"""

from __future__ import annotations

import math
import os
import queue
import random
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from django.db import connections
from django.db.models import F, Model, QuerySet
from django.db.models.expressions import BaseExpression, OrderBy

from opsconsole_exporters import metrics
from opsconsole_exporters.catalog.vector import (
    VECTOR_PLANS,
    VECTOR_RECALL_EXPECTED,
    VECTOR_RECALL_MATCHED,
    VECTOR_RECALL_SCANS,
    VECTOR_RECALL_SKIPPED,
)
from opsconsole_exporters.options import Options
from opsconsole_exporters.shield import report, shield, shielded

_PART = "recall checks"
QUEUE_LENGTH = 4
SHORTEST_INTERVAL_S = 1.0
# A connection that nobody needs any more is given back to the server.
IDLE_S = 30.0
TIMEOUT_MS = 2000
_DISTANCE = "opsconsole_distance"

Statement = tuple[str, Sequence[Any]]


class UnsupportedError(Exception):
    """The search has a form that cannot be checked."""


@dataclass(frozen=True, slots=True)
class Check:
    """One search to be done again.  ``ids``: what it found; ``exact`` and ``found``: pairs of key and distance."""

    collection: str
    alias: str
    table: str
    ids: tuple[Any, ...]
    original: Statement
    exact: Statement
    found: Statement

    @classmethod
    def of(cls, collection: str, queryset: QuerySet[Any], rows: Sequence[Model]) -> Check:
        """Raises ``UnsupportedError`` unless rows are whole objects in order of distance, the first of a slice."""
        query = queryset.query
        if connections[queryset.db].vendor != "postgresql" or query.high_mark is None or query.low_mark:
            raise UnsupportedError
        if not query.order_by or not all(isinstance(row, Model) for row in rows):
            raise UnsupportedError
        ids = tuple(row.pk for row in rows)
        every = queryset.all()
        every.query.clear_limits()
        every = every.annotate(**{_DISTANCE: _distance(query.order_by[0])})
        pairs = every.order_by(_DISTANCE).values_list("pk", _DISTANCE)
        return cls(
            collection=collection,
            alias=queryset.db,
            table=queryset.model._meta.db_table,  # noqa: SLF001 - documented, its underscore aside
            ids=ids,
            original=_compiled(queryset),
            exact=_compiled(pairs[: query.high_mark]),
            found=_compiled(pairs.filter(pk__in=ids)) if ids else ("", ()),
        )


class Sampler:
    """The thread of one process, begun with the first search that is sampled."""

    def __init__(self, ratio: float) -> None:
        self._ratio = ratio
        self._waiting: queue.Queue[Check | None] = queue.Queue(QUEUE_LENGTH)
        self._thread: threading.Thread | None = None
        self._connections: dict[str, Any] = {}
        self._next_at = float("-inf")

    def wants(self, now: float) -> bool:
        """Whether the next search is to be checked; ``now``: seconds of any steady clock."""
        if not self._ratio or now < self._next_at or random.random() >= self._ratio:  # noqa: S311 - a sample, no secret
            return False
        self._next_at = now + SHORTEST_INTERVAL_S
        return True

    def put(self, check: Check) -> None:
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._run, name="opsconsole-recall", daemon=True)
            self._thread.start()
        try:
            self._waiting.put_nowait(check)
        except queue.Full:
            skipped(check.collection, "busy")

    def close(self) -> None:
        """End the thread and its connections."""
        if self._thread is not None:
            self._waiting.put(None)
            self._thread.join()

    def _run(self) -> None:
        from opentelemetry.instrumentation.utils import suppress_instrumentation

        with suppress_instrumentation():
            while True:
                try:
                    check = self._waiting.get(timeout=IDLE_S)
                except queue.Empty:
                    self._close()
                    continue
                if check is None:
                    self._close()
                    return
                self._check(check)

    def _check(self, check: Check) -> None:
        try:
            connection = self._connections.get(check.alias)
            if connection is None or connection.closed:
                connection = self._connections[check.alias] = connect(check.alias)
            perform(connection, check)
        except Exception as error:  # noqa: BLE001 - whatever the driver raises, the next search may be checked
            skipped(check.collection, "failed")
            report(_PART, error)
            self._close()

    def _close(self) -> None:
        while self._connections:
            with shield(_PART):
                self._connections.popitem()[1].close()


@shielded(_PART)
def offer(collection: str, queryset: QuerySet[Any], rows: Sequence[Model]) -> None:
    """Check the search if the sample says so; costs one comparison otherwise."""
    sampler = _sampler(os.getpid())
    if sampler.wants(time.monotonic()):
        try:
            sampler.put(Check.of(collection, queryset, rows))
        except UnsupportedError:
            skipped(collection, "unsupported")


def perform(connection: Any, check: Check) -> None:
    """Search again, and count.  Raises what the driver raises, for example when the exact search takes too long."""
    with connection.transaction():
        connection.execute("SET TRANSACTION READ ONLY")
        connection.execute(f"SET LOCAL statement_timeout = {TIMEOUT_MS}")
        sql, params = check.original
        (plan,) = connection.execute(f"EXPLAIN (FORMAT JSON) {sql}", params).fetchone()
        by_index = _are_vector_indexes(connection, list(indexes(plan[0]["Plan"])))
        # Neither hnsw nor ivfflat knows any other kind of scan, so now every row is compared.
        connection.execute("SET LOCAL enable_indexscan = off")
        exact = connection.execute(*check.exact).fetchall()
        found = dict(connection.execute(*check.found).fetchall()) if check.ids else {}
    name = check.collection
    metrics.counter(VECTOR_PLANS).labels(name, "vector_index" if by_index else "other").inc()
    metrics.counter(VECTOR_RECALL_MATCHED).labels(name).inc(matched(check.ids, exact, found))
    metrics.counter(VECTOR_RECALL_EXPECTED).labels(name).inc(len(exact))
    metrics.counter(VECTOR_RECALL_SCANS).labels(connection.info.dbname, check.table).inc(1 + bool(check.ids))


def matched(ids: Iterable[Any], exact: Sequence[tuple[Any, float]], found: Mapping[Any, float]) -> int:
    """How many of ``ids`` are as near as the farthest of the ``exact`` rows; of equals, any will do."""
    if not exact:
        return 0
    farthest = exact[-1][1]
    if math.isnan(farthest):
        return len(exact)  # the zero vector has no cosine distance; the rows that have none come last
    slack = 1e-6 * max(1.0, abs(farthest))
    near = sum(1 for identity in ids if identity in found and found[identity] <= farthest + slack)
    return min(near, len(exact))


def indexes(plan: Mapping[str, Any]) -> Iterable[str]:
    """The indexes that a plan of PostgreSQL scans, at any depth."""
    if "Index Name" in plan:
        yield plan["Index Name"]
    for child in plan.get("Plans", ()):
        yield from indexes(child)


def connect(alias: str) -> Any:
    """Connect as Django would, past its pool, of which the requests have need, and past what times its queries."""
    import psycopg

    parameters = connections[alias].get_connection_params()
    return psycopg.connect(
        **parameters | {"application_name": "opsconsole-recall", "autocommit": True, "connect_timeout": 2}
    )


def skipped(collection: str, reason: str) -> None:
    metrics.counter(VECTOR_RECALL_SKIPPED).labels(collection, reason).inc()


@cache
def _sampler(_pid: int) -> Sampler:
    """One for each process: threads and connections do not survive a fork."""
    options = Options.read()
    return Sampler(options.recall_ratio if options.enabled else 0.0)


def _distance(order: Any) -> Any:
    """What a search orders by, as an expression; the nearest come first."""
    if isinstance(order, OrderBy):
        if order.descending:
            raise UnsupportedError
        return order.expression
    if isinstance(order, str):
        if order.startswith(("-", "?")):
            raise UnsupportedError
        return F(order)
    if isinstance(order, BaseExpression):
        return order
    raise UnsupportedError


def _compiled(queryset: QuerySet[Any, Any]) -> Statement:
    sql, params = queryset.query.get_compiler(using=queryset.db).as_sql()
    return sql, tuple(params)


def _are_vector_indexes(connection: Any, names: list[str]) -> bool:
    row = connection.execute(
        "SELECT count(*) FROM pg_class i JOIN pg_am am ON am.oid = i.relam "
        "WHERE i.relname = ANY(%s) AND am.amname IN ('hnsw', 'ivfflat')",
        [names],
    ).fetchone()
    return bool(row[0])
