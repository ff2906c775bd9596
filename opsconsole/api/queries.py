"""Asking for values, and about the text of a query."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from threading import Event
from typing import TypedDict

from opsconsole.operations import query, syntax
from opsconsole.operations.console import current
from opsconsole.promql.result import Matrix, Samples, Scalar, String

from . import wire
from .answer import Answer
from .endpoint import endpoint
from .parameters import Parameters
from .syntax import tree_as_json

TRUNCATED = "results truncated due to limit"


@endpoint("GET", "POST", at_once=True)
def instant(parameters: Parameters) -> Answer:
    console = current()
    at_ms, limit = parameters.instant_ms("time", console.clock.now_ms()), parameters.limit()
    result = query.instant(console, parameters.text("query"), at_ms, **_terms(parameters))
    match result:
        case String():
            return wire.success({"resultType": "string", "result": [at_ms / 1000, result.value]})
        case Scalar():
            return wire.success(wire.scalar(at_ms, result.value), result.warnings, result.infos)
    return _answer(wire.matrix if isinstance(result, Samples) else wire.vector, result, limit)


@endpoint("GET", "POST", at_once=True)
def over_range(parameters: Parameters) -> Answer:
    span = query.Span(parameters.instant_ms("start"), parameters.instant_ms("end"), parameters.duration_ms("step"))
    limit = parameters.limit()
    result = query.range_(current(), parameters.text("query"), span, **_terms(parameters))
    return _answer(wire.matrix, result, limit)


@endpoint("GET", "POST")
def format_query(parameters: Parameters) -> Answer:
    return wire.success(syntax.formatted(parameters.text("query")))


@endpoint("GET", "POST")
def parse_query(parameters: Parameters) -> Answer:
    return wire.success(tree_as_json(syntax.tree(parameters.text("query"))))


class _Terms(TypedDict):
    lookback_ms: int | None
    timeout_s: float
    cancelled: Event | None
    at_once: bool


def _terms(parameters: Parameters) -> _Terms:
    """``lookback_delta`` of nothing or less means the usual one; ``timeout`` can only shorten the console's own."""
    lookback_ms = parameters.duration_ms("lookback_delta", 0)
    most_ms = round(current().engine.limits.seconds * 1000)
    timeout_ms = parameters.duration_ms("timeout", most_ms)
    return {
        "lookback_ms": lookback_ms if lookback_ms > 0 else None,
        "timeout_s": max(timeout_ms, 1) / 1000,
        "cancelled": parameters.cancelled,
        "at_once": parameters.at_once,
    }


def _answer(write: Callable[[Matrix], bytes], result: Matrix, limit: int) -> Answer:
    warnings = result.warnings
    if limit and len(result.labels) > limit:
        rows = slice(limit)
        result = replace(result, labels=result.labels[rows], values=result.values[rows], present=result.present[rows])
        warnings = (*warnings, TRUNCATED)
    return wire.success(write(result), warnings, result.infos)
