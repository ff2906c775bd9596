"""Which series there are, and the names and values of their labels: what completion asks for."""

from __future__ import annotations

from typing import TypeVar

from opsconsole.operations import query
from opsconsole.operations.console import current
from opsconsole.series.escaping import unescaped

from . import wire
from .answer import Answer
from .endpoint import endpoint
from .parameters import Parameters
from .queries import TRUNCATED

T = TypeVar("T")
_HOUR_MS = 3_600_000


@endpoint("GET", "POST")
def series(parameters: Parameters) -> Answer:
    if not parameters.texts("match[]"):
        raise ValueError("no match[] parameter provided")
    found = query.series(current(), _scope(parameters), cancelled=parameters.cancelled)
    found, warnings = _cut(found, parameters.limit())
    return wire.success([labels.as_dict() for labels in found], warnings)


@endpoint("GET", "POST")
def labels(parameters: Parameters) -> Answer:
    names = query.label_names(current(), _scope(parameters), cancelled=parameters.cancelled)
    return wire.success(*_cut(names, parameters.limit()))


@endpoint("GET")
def label_values(parameters: Parameters, name: str) -> Answer:
    plain = unescaped(name)
    if not plain:
        raise ValueError(f'invalid label name: "{name}"')
    values = query.label_values(current(), plain, _scope(parameters), cancelled=parameters.cancelled)
    return wire.success(*_cut(values, parameters.limit()))


def _scope(parameters: Parameters) -> query.Scope:
    """The last hour unless the request says when."""
    end_ms = parameters.instant_ms("end", current().clock.now_ms())
    return query.Scope(parameters.texts("match[]"), parameters.instant_ms("start", end_ms - _HOUR_MS), end_ms)


def _cut(found: list[T], limit: int) -> tuple[list[T], list[str]]:
    return (found[:limit], [TRUNCATED]) if limit and len(found) > limit else (found, [])
