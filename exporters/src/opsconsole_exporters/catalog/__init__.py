"""Every metric we emit, by name: the emitter owns the names, and whoever reads them imports them from here.

A renamed metric breaks at import, not on a dashboard at night.  A module a subject, each with its ``METRICS``; a new one
is a line of ``CATALOG``.
"""

from __future__ import annotations

from . import cache, celery, database, exporter, http, llm, models, pgbouncer, pools, postgres, process, vector
from .metric import Kind, Metric

__all__ = ["CATALOG", "Kind", "Metric"]

CATALOG: tuple[Metric, ...] = (
    *http.METRICS,
    *database.METRICS,
    *pools.METRICS,
    *pgbouncer.METRICS,
    *postgres.METRICS,
    *vector.METRICS,
    *cache.METRICS,
    *celery.METRICS,
    *llm.METRICS,
    *models.METRICS,
    *process.METRICS,
    *exporter.METRICS,
)
