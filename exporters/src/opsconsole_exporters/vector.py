"""Vector searches as the service sees them: how long they take, and whether they bring as many rows as they should.

An hnsw or ivfflat index filters *after* it has searched, so a search with a condition may silently bring too few rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from time import perf_counter

from opsconsole_exporters import metrics
from opsconsole_exporters.catalog.vector import (
    VECTOR_MISSING_ROWS,
    VECTOR_SEARCH_DURATION,
    VECTOR_SEARCH_ERRORS,
    VECTOR_SEARCH_ROWS,
    VECTOR_SHORT_RESULTS,
)
from opsconsole_exporters.options import Options
from opsconsole_exporters.shield import shield

_PART = "vector search metrics"


@dataclass(slots=True)
class Found:
    """What a search has found.  ``rows``: their number, to be set by whoever searches; None if that is not known."""

    rows: int | None = None


@contextmanager
def searching(collection: str, limit: int | None = None) -> Iterator[Found]:
    """Measure a search of ``collection``; ``limit`` is its ``LIMIT``, if it has one.

    ::

        with searching("products", limit=10) as found:
            rows = cursor.execute("SELECT ... ORDER BY embedding <=> %s LIMIT 10", [vector]).fetchall()
            found.rows = len(rows)
    """
    found = Found()
    if not _enabled():
        yield found
        return
    started = perf_counter()
    try:
        yield found
    except Exception:
        with shield(_PART):
            metrics.counter(VECTOR_SEARCH_ERRORS).labels(collection).inc()
        raise
    duration_s = perf_counter() - started
    with shield(_PART):
        _record(collection, limit, found.rows, duration_s)


def _record(collection: str, limit: int | None, rows: int | None, duration_s: float) -> None:
    metrics.histogram(VECTOR_SEARCH_DURATION).labels(collection).observe(duration_s)
    missing = 0 if limit is None or rows is None else max(0, limit - rows)
    metrics.counter(VECTOR_SEARCH_ROWS).labels(collection).inc(rows or 0)
    metrics.counter(VECTOR_SHORT_RESULTS).labels(collection).inc(missing > 0)
    metrics.counter(VECTOR_MISSING_ROWS).labels(collection).inc(missing)


@cache
def _enabled() -> bool:
    return Options.read().enabled
