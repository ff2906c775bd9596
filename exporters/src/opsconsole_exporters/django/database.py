"""Query durations and errors, by Django's own ``execute_wrapper``: no database engine is replaced."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Any

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

from opsconsole_exporters import metrics
from opsconsole_exporters.catalog.database import DB_ERRORS, DB_QUERY_DURATION
from opsconsole_exporters.shield import shield, shielded


class QueryObserver:
    """Stands around every query of one connection."""

    def __init__(self, alias: str, vendor: str) -> None:
        self._alias = alias
        self._vendor = vendor
        self._durations = metrics.histogram(DB_QUERY_DURATION).labels(alias, vendor)

    def __call__(self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
        started = perf_counter()
        try:
            return execute(sql, params, many, context)
        except Exception as error:
            with shield("database metrics"):
                metrics.counter(DB_ERRORS).labels(self._alias, self._vendor, type(error).__name__).inc()
            raise
        finally:
            with shield("database metrics"):
                self._durations.observe(perf_counter() - started)


def observe_connections() -> None:
    """Observe connections as they are made, and those that exist already."""
    connection_created.connect(_observe, dispatch_uid="opsconsole_exporters")
    for connection in connections.all(initialized_only=True):
        _observe(connection=connection)


@shielded("database metrics")
def _observe(connection: BaseDatabaseWrapper, **_: object) -> None:
    # A connection that is opened again keeps its wrappers.
    if not any(isinstance(wrapper, QueryObserver) for wrapper in connection.execute_wrappers):
        connection.execute_wrappers.append(QueryObserver(connection.alias, connection.vendor))
