"""Durations, errors and spans of queries, by Django's own ``execute_wrapper``: no database engine is replaced."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, wraps
from time import perf_counter
from typing import Any

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from opentelemetry import trace

from opsconsole_exporters import metrics
from opsconsole_exporters.batch import Batch
from opsconsole_exporters.catalog.database import (
    DB_ERRORS,
    DB_EXECUTED,
    DB_EXECUTED_MANY,
    DB_NEW_CONNECTION_ERRORS,
    DB_NEW_CONNECTIONS,
    DB_QUERY_DURATION,
)
from opsconsole_exporters.django import statements
from opsconsole_exporters.django.inflight import queries_here
from opsconsole_exporters.django.origin import find_origin
from opsconsole_exporters.django.statements import StatementSpans
from opsconsole_exporters.shield import report, shielded

_ours: set[int] = set()


class DatabaseMetrics:
    """One database's metrics, looked up once: under ASGI Django makes a connection object for every request."""

    def __init__(self, alias: str, vendor: str) -> None:
        self.durations = metrics.histogram(DB_QUERY_DURATION).labels(alias, vendor)
        self.executed = metrics.counter(DB_EXECUTED).labels(alias, vendor)
        self.executed_many = metrics.counter(DB_EXECUTED_MANY).labels(alias, vendor)
        self.new_connections = metrics.counter(DB_NEW_CONNECTIONS).labels(alias, vendor)

    def add(self, seconds: float, rows: int | None) -> None:
        """A query has ended; ``rows``: sets of parameters of an executemany, else None."""
        batch = Batch()
        batch.observe(self.durations, seconds)
        if rows is None:
            batch.count(self.executed)
        else:
            batch.count(self.executed, rows)
            batch.count(self.executed_many, rows)
        batch.write()


metrics_of = cache(DatabaseMetrics)


class QueryObserver:
    """Stands around every query of one connection."""

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        # Not the connection, which holds this: only a garbage collection would free the two.
        self._metrics = metrics_of(connection.alias, connection.vendor)
        self._spans: StatementSpans | None = None

    def __call__(self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
        connection = context["connection"]
        span = self._span(connection, sql, params, many) if trace.get_current_span().is_recording() else None
        started = perf_counter()
        try:
            result = execute(sql, params, many, context)
        except Exception as error:
            self._failed(connection, span, error)
            self._done(span, sql, params, many, perf_counter() - started)
            raise
        self._done(span, sql, params, many, perf_counter() - started)
        return result

    @shielded("traces")
    def _span(self, connection: BaseDatabaseWrapper, sql: str, params: Any, many: bool) -> trace.Span | None:
        if not statements.wanted():
            return None
        if self._spans is None:
            self._spans = StatementSpans(connection)
        return self._spans.start(str(sql), _rows(params) if many else None)

    def _done(self, span: trace.Span | None, sql: str, params: Any, many: bool, seconds: float) -> None:
        try:
            if span is not None:
                span.end()
            self._metrics.add(seconds, _rows(params) if many else None)
            queries = queries_here()
            if queries is None:
                return
            shape = queries.add(sql if isinstance(sql, str) else str(sql), seconds)
            # Only a span can carry the origin, so without one that is kept nobody walks the stack.
            if shape is not None and trace.get_current_span().is_recording():
                shape.origin = find_origin(sys._getframe(2), queries.task)  # noqa: SLF001 - the cheap way to a frame
        except Exception as error:  # noqa: BLE001 - as shield() does, without its cost on every query
            report("database metrics", error)

    @shielded("database metrics")
    def _failed(self, connection: BaseDatabaseWrapper, span: trace.Span | None, error: Exception) -> None:
        metrics.counter(DB_ERRORS).labels(connection.alias, connection.vendor, type(error).__name__).inc()
        if span is not None:
            statements.failed(span, error)


def _rows(params: Any) -> int:
    """Sets of parameters of an executemany; a generator of them does not tell."""
    return len(params) if hasattr(params, "__len__") else 1


def observe_connections() -> None:
    """Observe connections as they are made, and those that exist already."""
    connection_created.connect(_connected, dispatch_uid="opsconsole_exporters")
    _count_failed_connections()
    for connection in connections.all(initialized_only=True):
        _observe(connection)


@contextmanager
def unobserved(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """Leave out a connection that is ours and not the service's."""
    _ours.add(id(connection))
    try:
        yield
    finally:
        _ours.discard(id(connection))


@shielded("database metrics")
def _connected(connection: BaseDatabaseWrapper, **_: object) -> None:
    if id(connection) in _ours:
        return
    metrics_of(connection.alias, connection.vendor).new_connections.inc()
    _observe(connection)


@shielded("database metrics")
def _observe(connection: BaseDatabaseWrapper) -> None:
    # A connection that is opened again keeps its wrappers.
    if not any(isinstance(wrapper, QueryObserver) for wrapper in connection.execute_wrappers):
        connection.execute_wrappers.append(QueryObserver(connection))


@shielded("database metrics")
def _count_failed(connection: BaseDatabaseWrapper) -> None:
    if id(connection) in _ours:
        return
    metrics.counter(DB_NEW_CONNECTION_ERRORS).labels(connection.alias, connection.vendor).inc()


def _count_failed_connections() -> None:
    """Django has a signal for a connection that was made, and none for one that was not."""
    connect = BaseDatabaseWrapper.connect

    @wraps(connect)
    def counted(self: BaseDatabaseWrapper) -> None:
        try:
            connect(self)
        except Exception:
            _count_failed(self)
            raise

    BaseDatabaseWrapper.connect = counted  # type: ignore[method-assign]
