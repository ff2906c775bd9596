"""Every signal.  A new one is written in the file of its family and named here."""

from __future__ import annotations

from collections.abc import Mapping

from . import celery, database, http, target
from .model import Signal
from .naming import by_name

SIGNALS: tuple[Signal, ...] = (
    http.REQUEST_RATE,
    http.RESPONSE_RATE_2XX,
    http.RESPONSE_RATE_3XX,
    http.RESPONSE_RATE_4XX,
    http.RESPONSE_RATE_5XX,
    http.LATENCY_P50,
    http.LATENCY_P95,
    http.LATENCY_P99,
    http.LATENCY_BUCKETS,
    http.ERROR_RATIO,
    http.EXCEPTION_RATE,
    http.VIEW_RATE,
    http.VIEW_LATENCY_P95,
    http.VIEW_TIME_SHARE,
    http.REQUEST_RATE_TOTAL,
    http.LATENCY_P95_WORST,
    http.ERROR_RATIO_WORST,
    database.POOL_USED,
    database.POOL_WAITING,
    database.QUERY_P95,
    database.POOL_USED_WORST,
    celery.QUEUE_LENGTH,
    celery.QUEUE_OLDEST,
    celery.WORKERS,
    celery.TASK_RATE,
    celery.TASK_RUNTIME_P95,
    celery.QUEUE_OLDEST_WORST,
    celery.WORKERS_WORST,
    target.UP,
    target.SCRAPE_DURATION,
    target.SCRAPE_SAMPLES,
)

BY_NAME: Mapping[str, Signal] = by_name("signals", SIGNALS)
