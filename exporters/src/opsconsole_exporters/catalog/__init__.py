"""Every metric we emit or read, by name: the emitter owns the names, and whoever reads them imports them from here.

A renamed metric breaks at import, not on a dashboard at night.  A module a subject, each with its ``METRICS`` and, for each
of their labels, what its values are and why there are few of them: ``LABELS``.  A new one is a word of ``PARTS``, or of
``OTHERS``: what signals, alerts and boards read and the exporters do not emit.
"""

from __future__ import annotations

from . import (
    cache,
    celery,
    database,
    evaluator,
    exporter,
    http,
    llm,
    models,
    pgbouncer,
    pools,
    postgres,
    process,
    scraper,
    vector,
)
from .metric import Kind, Metric

__all__ = ["CATALOG", "OTHERS", "PARTS", "READ", "Kind", "Metric"]

PARTS = (http, database, pools, cache, celery, llm, models, vector, postgres, pgbouncer, process, exporter)
OTHERS = (scraper, evaluator)

CATALOG: tuple[Metric, ...] = tuple(metric for part in PARTS for metric in part.METRICS)
"""What the exporters emit."""

READ: tuple[Metric, ...] = tuple(metric for part in OTHERS for metric in part.METRICS)
"""What others emit."""
