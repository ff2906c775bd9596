"""Alerts of the database as the service sees it."""

from __future__ import annotations

from datetime import timedelta

from alerts.model import Alert, Direction, Severity
from alerts.sentence import Sentence
from signals import database

DATABASE_POOL_SATURATED = Alert(
    name="DatabasePoolSaturated",
    signal=database.POOL_USED,
    direction=Direction.ABOVE,
    threshold=0.9,
    hold=timedelta(minutes=5),
    keep=timedelta(minutes=2),
    severity=Severity.WARNING,
    summary=Sentence("{job}: {value} of the pool {db_client_connection_pool_name} is in use, over {threshold}"),
    description=Sentence(
        "For {hold} over {threshold} of the connections that {job} may open in its pool "
        "{db_client_connection_pool_name} have been in use; once all are, requests wait for one and then fail. "
        "Look at slow queries and long transactions first, at the pool's size last."
    ),
    owner="database",
)
