"""Every alert.  A new one is written in the file of its family and named here."""

from __future__ import annotations

from collections.abc import Mapping

from signals.naming import by_name

from .model import Alert
from .rules import celery, database, http, target

FAMILIES: Mapping[str, tuple[Alert, ...]] = {
    "celery": (celery.CELERY_NO_WORKERS, celery.CELERY_QUEUE_BACKLOG),
    "database": (database.DATABASE_POOL_SATURATED,),
    "http": (http.DJANGO_ERROR_RATE_HIGH, http.DJANGO_LATENCY_HIGH),
    "target": (target.TARGET_DOWN,),
}
"""A family is a rule group and a generated file."""

ALERTS: tuple[Alert, ...] = tuple(alert for family in FAMILIES.values() for alert in family)

BY_NAME: Mapping[str, Alert] = by_name("alerts", ALERTS)
