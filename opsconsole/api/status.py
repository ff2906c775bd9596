"""The console about itself, in the shapes of Prometheus' ``/api/v1/status``."""

from __future__ import annotations

from typing import Any

from opsconsole import __version__
from opsconsole.operations import status
from opsconsole.operations.console import current

from . import wire
from .answer import Answer
from .endpoint import endpoint
from .parameters import ParameterError, Parameters

_SPEAKS = "3.5.0"  # the Prometheus whose API and PromQL these are
_ENTRIES = 10
_MOST_ENTRIES = 10_000


@endpoint("GET")
def buildinfo(_: Parameters) -> Answer:
    """Clients choose what they ask for by the version, so it is Prometheus'; ours is its build, as distributors do it."""
    return wire.success(
        {
            "application": "OpsConsole",
            "version": f"{_SPEAKS}+opsconsole.{__version__.replace('+', '.')}",
            "revision": "",
            "branch": "",
            "buildUser": "",
            "buildDate": "",
            "goVersion": "",
        }
    )


@endpoint("GET")
def config(_: Parameters) -> Answer:
    return wire.success({"yaml": status.configuration(current())})


@endpoint("GET")
def flags(_: Parameters) -> Answer:
    return wire.success(status.flags(current()))


@endpoint("GET")
def runtimeinfo(_: Parameters) -> Answer:
    """What is Go's alone stands empty; a thread counts as a goroutine."""
    runtime = status.runtime(current())
    started = wire.rfc3339(runtime.started_ms)
    return wire.success(
        {
            "startTime": started,
            "CWD": runtime.folder,
            "hostname": runtime.host,
            "serverTime": wire.rfc3339(runtime.now_ms),
            "reloadConfigSuccess": True,
            "lastConfigTime": started,
            "corruptionCount": 0,
            "goroutineCount": runtime.threads,
            "GOMAXPROCS": runtime.processors,
            "GOMEMLIMIT": 0,
            "GOGC": "",
            "GODEBUG": "",
            "storageRetention": runtime.retention,
        }
    )


@endpoint("GET")
def tsdb(parameters: Parameters) -> Answer:
    """Of the series in memory; there are no chunks."""
    limit = parameters.limit() or _ENTRIES
    if limit > _MOST_ENTRIES:
        raise ParameterError("limit", f"limit must not exceed {_MOST_ENTRIES}")
    found = status.cardinality(current(), limit)
    return wire.success(
        {
            "headStats": {
                "numSeries": found.series,
                "numLabelPairs": found.pairs,
                "chunkCount": 0,
                "minTime": found.start_ms,
                "maxTime": found.end_ms,
            },
            "seriesCountByMetricName": _entries(found.series_of_metric),
            "labelValueCountByLabelName": _entries(found.values_of_label),
            "memoryInBytesByLabelName": _entries(found.label_bytes),
            "seriesCountByLabelValuePair": _entries(found.series_of_pair),
        }
    )


@endpoint("GET")
def walreplay(_: Parameters) -> Answer:
    """What was stored is read back before the first request is answered."""
    return wire.success({"min": 0, "max": 0, "current": 0})


def _entries(ranking: status.Ranking) -> list[dict[str, Any]]:
    return [{"name": name, "value": count} for name, count in ranking]
