"""The console about itself: what it was told to do, what it holds, and where it runs."""

from __future__ import annotations

import os
import socket
import threading
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from opsconsole.promql.engine import LOOKBACK_MS
from opsconsole.series.duration import format_duration
from opsconsole.series.labels import METRIC_NAME, Labels

from .console import Console
from .query import Scope, series

_RECENT_MS = 2 * 3_600_000  # as long as the head reaches back
_DAY_MS = 86_400_000

Ranking = Sequence[tuple[str, int]]
"""(what, how many), the largest first."""


@dataclass(frozen=True, slots=True)
class Runtime:
    """``started_ms``: Unix milliseconds.  ``threads``: alive now.  ``processors``: that may be used."""

    started_ms: int
    now_ms: int
    folder: str
    host: str
    threads: int
    processors: int
    retention: str


@dataclass(frozen=True, slots=True)
class Cardinality:
    """What the recent series are made of.  ``label_bytes``: UTF-8 bytes of a label's values, each counted once a series."""

    series: int
    pairs: int
    start_ms: int
    end_ms: int
    series_of_metric: Ranking
    values_of_label: Ranking
    label_bytes: Ranking
    series_of_pair: Ranking


def runtime(console: Console) -> Runtime:
    return Runtime(
        started_ms=console.started_ms,
        now_ms=console.clock.now_ms(),
        folder=os.getcwd(),  # noqa: PTH109 - a text
        host=socket.gethostname(),
        threads=threading.active_count(),
        processors=len(os.sched_getaffinity(0)),
        retention=_retention(console),
    )


def configuration(console: Console) -> str:
    """What is scraped, as the ``prometheus.yml`` that would do the same."""
    jobs: dict[str, dict[str, Any]] = {}
    for status in console.scraper.status:
        target = status.target
        scheme, _, rest = target.url.partition("://")
        path = "/" + rest.partition("/")[2]
        name = target.job if target.job not in jobs or _same(jobs[target.job], scheme, path) else f"{target.job}{path}"
        job = jobs.setdefault(
            name,
            {
                "job_name": name,
                "scrape_interval": format_duration(round(target.interval_s * 1000)),
                "scrape_timeout": format_duration(round(target.timeout_s * 1000)),
                "metrics_path": path,
                "scheme": scheme,
                "static_configs": [{"targets": []}],
            },
        )
        job["static_configs"][0]["targets"].append(target.instance)
    evaluation = format_duration(round(console.profile.evaluation.total_seconds() * 1000))
    document = {"global": {"evaluation_interval": evaluation}, "scrape_configs": list(jobs.values())}
    return yaml.safe_dump(document, sort_keys=False)


def flags(console: Console) -> Mapping[str, str]:
    """How the console behaves, under the names of Prometheus' flags where there is one."""
    limits = console.engine.limits
    return {
        "query.lookback-delta": format_duration(LOOKBACK_MS),
        "query.max-points": str(limits.points),
        "query.max-samples": str(limits.samples),
        "query.max-series": str(limits.series),
        "query.timeout": format_duration(round(limits.seconds * 1000)),
        "storage.tsdb.retention.time": _retention(console),
        "web.cors.origin": ".*",
        "web.enable-admin-api": "false",
        "web.enable-lifecycle": "false",
        "web.external-url": console.public_url,
    }


def cardinality(console: Console, limit: int) -> Cardinality:
    """Of the series with a sample in the last two hours; ``limit`` entries a ranking.  Raises as ``query.series``."""
    now_ms = console.clock.now_ms()
    found = series(console, Scope((), now_ms - _RECENT_MS, now_ms))
    series_of_pair = Counter(pair for labels in found for pair in labels)
    values: defaultdict[str, int] = defaultdict(int)
    size: Counter[str] = Counter()
    for (name, value), count in series_of_pair.items():
        values[name] += 1
        size[name] += count * len(value.encode())
    return Cardinality(
        series=len(found),
        pairs=len(series_of_pair),
        start_ms=now_ms - _RECENT_MS,
        end_ms=now_ms,
        series_of_metric=_largest(_metrics(found).items(), limit),
        values_of_label=_largest(values.items(), limit),
        label_bytes=_largest(size.items(), limit),
        series_of_pair=_largest((("=".join(pair), count) for pair, count in series_of_pair.items()), limit),
    )


def _metrics(found: Iterable[Labels]) -> Counter[str]:
    return Counter(labels.get(METRIC_NAME) for labels in found)


def _largest(counts: Iterable[tuple[str, int]], limit: int) -> Ranking:
    return sorted(counts, key=lambda entry: (-entry[1], entry[0]))[:limit]


def _same(job: Mapping[str, Any], scheme: str, path: str) -> bool:
    return bool(job["scheme"] == scheme and job["metrics_path"] == path)


def _retention(console: Console) -> str:
    return format_duration(console.retention.samples_days * _DAY_MS)
