"""Every metric we emit, by name: the emitter owns the names, and whoever reads them imports them from here.

A renamed metric breaks at import, not on a dashboard at night.  A module a subject, each with its ``METRICS``; a new one
is a word of ``PARTS``.
"""

from __future__ import annotations

from . import cache, celery, database, exporter, http, llm, models, pgbouncer, pools, postgres, process, vector
from .metric import Kind, Metric

__all__ = ["CATALOG", "PARTS", "Kind", "Metric"]

PARTS = (http, database, pools, cache, celery, llm, models, vector, postgres, pgbouncer, process, exporter)

CATALOG: tuple[Metric, ...] = tuple(metric for part in PARTS for metric in part.METRICS)
