"""The queries of a request as attributes and events of its span: the raw material from which a console finds N+1."""

from __future__ import annotations

from typing import Any

from opentelemetry.trace import Span

from opsconsole_exporters.django.queries import RequestQueries, Shape
from opsconsole_exporters.shield import shielded

QUERIES = "opsconsole.db.queries"
QUERY_SECONDS = "opsconsole.db.query_seconds"
REPEATED_QUERIES = "opsconsole.db.repeated_queries"
REPEATED_QUERY = "opsconsole.db.repeated_query"

EVENTS = 5  # a request; the shapes that took longest


@shielded("query traces")
def record_queries(span: Span, queries: RequestQueries) -> None:
    """Call it before the request's span ends."""
    span.set_attribute(QUERIES, queries.count)
    if not queries.count:
        return
    span.set_attribute(QUERY_SECONDS, round(queries.seconds, 6))
    if repeated := queries.repeated:
        span.set_attribute(REPEATED_QUERIES, repeated)
        for shape in queries.worst(EVENTS):
            span.add_event(REPEATED_QUERY, attributes_of(shape))


def attributes_of(shape: Shape) -> dict[str, Any]:
    """What is known about a repeated query, under OpenTelemetry's names where it has one; unknown is left out."""
    found: dict[str, Any] = {
        "db.query.text": shape.fingerprint.text,
        "opsconsole.db.fingerprint": shape.fingerprint.id,
        "opsconsole.db.count": shape.count,
        "opsconsole.db.seconds": round(shape.seconds, 6),
    }
    if (origin := shape.origin) is not None:
        found |= {
            "opsconsole.django.model": origin.model,
            "opsconsole.django.relation": origin.relation,
            "opsconsole.django.relation_model": origin.relation_model,
            "opsconsole.django.relation_kind": origin.kind,
            "opsconsole.django.template": origin.template,
            "code.file.path": origin.file,
            "code.line.number": origin.line,
            "code.function.name": origin.function,
        }
    return {name: value for name, value in found.items() if value}
