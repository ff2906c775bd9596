"""What metrics mean, by metric and by target; and single observations behind them."""

from __future__ import annotations

from itertools import islice
from typing import Any

from opsconsole.operations import metadata as said
from opsconsole.operations import query
from opsconsole.operations.console import current
from opsconsole.operations.exemplars import exemplars
from opsconsole.series.exemplar import Exemplar
from opsconsole.series.metadata import Metadata

from . import numbers, wire
from .answer import Answer
from .endpoint import endpoint
from .parameters import FIRST_MS, LAST_MS, Parameters


@endpoint("GET")
def metadata(parameters: Parameters) -> Answer:
    limit, each = parameters.count("limit"), parameters.count("limit_per_metric")
    found = said.by_metric(current(), parameters.text("metric"))
    return wire.success(
        {name: [_metadata(one) for one in islice(about, each)] for name, about in islice(found.items(), limit)}
    )


@endpoint("GET")
def target_metadata(parameters: Parameters) -> Answer:
    """Without ``limit`` all; with ``metric`` its name is not repeated in every entry."""
    limit, metric, selector = parameters.count("limit"), parameters.text("metric"), parameters.text("match_target")
    matchers = query.matchers(selector, "match_target") if selector else ()
    found = said.by_target(current(), matchers, metric)
    return wire.success(
        [
            {"target": target.as_dict(), **({} if metric else {"metric": name}), **_metadata(about)}
            for target, name, about in islice(found, limit)
        ]
    )


@endpoint("GET", "POST")
def query_exemplars(parameters: Parameters) -> Answer:
    start_ms, end_ms = parameters.instant_ms("start", FIRST_MS), parameters.instant_ms("end", LAST_MS)
    found = exemplars(current(), parameters.text("query"), start_ms, end_ms)
    if found is None:
        return wire.nothing()
    return wire.success(
        [
            {"seriesLabels": labels.as_dict(), "exemplars": [_exemplar(each) for each in those]}
            for labels, those in sorted(found.items())
        ]
    )


def _metadata(about: Metadata) -> dict[str, str]:
    return {"type": about.type, "help": about.help, "unit": about.unit}


def _exemplar(exemplar: Exemplar) -> dict[str, Any]:
    return {
        "labels": exemplar.labels.as_dict(),
        "value": numbers.number(exemplar.value),
        "timestamp": exemplar.timestamp_ms / 1000,
    }
