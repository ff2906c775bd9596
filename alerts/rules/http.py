"""Alerts of the web tier."""

from __future__ import annotations

from datetime import timedelta

from alerts.model import Alert, Direction, Guard, Severity
from alerts.sentence import Sentence
from signals import http

_SOME_TRAFFIC = Guard(http.REQUEST_RATE, above=1)
"""Below a request a second one slow or failed request is a large share of all, and no reason to wake anybody."""

DJANGO_LATENCY_HIGH = Alert(
    name="DjangoLatencyHigh",
    signal=http.LATENCY_P95,
    direction=Direction.ABOVE,
    threshold=0.5,
    hold=timedelta(minutes=5),
    keep=timedelta(minutes=5),
    severity=Severity.WARNING,
    summary=Sentence("{job}: P95 latency is {value}, over {threshold}"),
    description=Sentence(
        "For {hold} at least 5 of 100 requests to {job} took {value} or longer; people feel it. "
        "Look at the slowest views by time spent and at their slowest traces, then at the database pool and the last release."
    ),
    owner="web",
    guard=_SOME_TRAFFIC,
)
DJANGO_ERROR_RATE_HIGH = Alert(
    name="DjangoErrorRateHigh",
    signal=http.ERROR_RATIO,
    direction=Direction.ABOVE,
    threshold=0.05,
    hold=timedelta(minutes=2),
    keep=timedelta(minutes=5),
    severity=Severity.CRITICAL,
    summary=Sentence("{job}: {value} of responses are 5xx, over {threshold}"),
    description=Sentence(
        "For {hold} {job} has failed {value} of its requests with a 5xx status. "
        "Look at the exceptions by type and at the traces with errors, then at the last release and the database."
    ),
    owner="web",
    guard=_SOME_TRAFFIC,
)
