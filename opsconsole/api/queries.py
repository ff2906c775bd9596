"""Asking for values, and about the text of a query."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from opsconsole.operations import query, syntax
from opsconsole.operations.console import current
from opsconsole.promql.plan import Text
from opsconsole.promql.result import Matrix, Scalar

from . import wire
from .endpoint import endpoint
from .parameters import Parameters
from .syntax import tree_as_json

TRUNCATED = "results truncated due to limit"


@endpoint("GET", "POST")
def instant(request: HttpRequest) -> HttpResponse:
    console, parameters = current(), Parameters(request)
    at_ms, limit = parameters.instant_ms("time", console.clock.now_ms()), parameters.limit()
    text = parameters.text("query")
    result = query.instant(console, text, at_ms, _timeout_s(parameters), _lookback_ms(parameters))
    match result:
        case Text():
            return wire.success({"resultType": "string", "result": [at_ms / 1000, result.value]})
        case Scalar():
            return wire.success(wire.scalar(at_ms, result.value))
    write = wire.matrix if query.is_range_vector(text) else wire.vector
    return wire.success(*_limited(write, result, limit))


@endpoint("GET", "POST")
def over_range(request: HttpRequest) -> HttpResponse:
    parameters = Parameters(request)
    span = query.Span(parameters.instant_ms("start"), parameters.instant_ms("end"), parameters.duration_ms("step"))
    limit, text = parameters.limit(), parameters.text("query")
    result = query.range_(current(), text, span, _timeout_s(parameters), _lookback_ms(parameters))
    return wire.success(*_limited(wire.matrix, result, limit))


@endpoint("GET", "POST")
def format_query(request: HttpRequest) -> HttpResponse:
    return wire.success(syntax.formatted(Parameters(request).text("query")))


@endpoint("GET", "POST")
def parse_query(request: HttpRequest) -> HttpResponse:
    return wire.success(tree_as_json(syntax.tree(Parameters(request).text("query"))))


def _timeout_s(parameters: Parameters) -> float:
    wanted_ms = parameters.duration_ms("timeout", round(query.TIMEOUT_S * 1000))
    return min(max(wanted_ms, 1) / 1000, query.TIMEOUT_S)


def _lookback_ms(parameters: Parameters) -> int | None:
    """None for the engine's own; nothing and less than nothing mean that too."""
    wanted_ms = parameters.duration_ms("lookback_delta", 0)
    return wanted_ms if wanted_ms > 0 else None


def _limited(write: Callable[[Matrix], bytes], result: Matrix, limit: int) -> tuple[bytes, list[str]]:
    if not limit or len(result.labels) <= limit:
        return write(result), []
    first = slice(limit)
    cut = Matrix(result.labels[first], result.timestamps, result.values[first], result.present[first])
    return write(cut), [TRUNCATED]
