"""A span for each SQL statement inside a request or task whose trace is kept, on any database that Django speaks to.

The instrumentations of drivers make one for each statement of every trace, kept or not, and know neither the alias nor the
shape of it.  Here a statement of a trace that nobody will see costs one look at the current span.
"""

from __future__ import annotations

import sys
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from opentelemetry import trace

from opsconsole_exporters import __version__, tracing
from opsconsole_exporters.django.fingerprint import fingerprint

# Django's names of databases where OpenTelemetry has another.
_SYSTEMS = {"oracle": "oracle.db", "microsoft": "microsoft.sql_server"}
_DRIVERS = "opentelemetry.instrumentation.dbapi"


class StatementSpans:
    """Makes the spans of one connection."""

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        self._tracer = trace.get_tracer("opsconsole_exporters.django", __version__)
        self._attributes = attributes_of(connection)

    def start(self, sql: str, rows: int | None) -> trace.Span:
        """The span of a statement that begins now; ``rows``: sets of parameters of an executemany, else None."""
        shape = fingerprint(sql)
        attributes = {
            **self._attributes,
            "db.query.text": shape.text,
            "db.query.summary": shape.summary,
            "db.operation.name": shape.operation,
        }
        if rows is not None:
            attributes["db.operation.batch.size"] = rows
        return self._tracer.start_span(shape.summary, kind=trace.SpanKind.CLIENT, attributes=attributes)


def wanted() -> bool:
    """Not if nothing is traced, or if an instrumentation of the driver, which the service has brought, does it."""
    return tracing.enabled() and _DRIVERS not in sys.modules


def attributes_of(connection: BaseDatabaseWrapper) -> dict[str, Any]:
    """What a connection's settings say of it, without its user and password."""
    settings = connection.settings_dict
    found = {
        "db.system.name": _SYSTEMS.get(connection.vendor, connection.vendor),
        "db.namespace": str(settings.get("NAME") or ""),
        "server.address": str(settings.get("HOST") or ""),
        "opsconsole.django.alias": connection.alias,
    }
    return {name: value for name, value in found.items() if value}


def failed(span: trace.Span, error: Exception) -> None:
    span.record_exception(error)
    span.set_attribute("error.type", type(error).__qualname__)
    span.set_status(trace.StatusCode.ERROR)
