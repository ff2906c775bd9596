"""Alerts of the scrape targets."""

from __future__ import annotations

from datetime import timedelta

from alerts.model import Alert, Direction, Severity
from alerts.sentence import Sentence
from signals import target

TARGET_DOWN = Alert(
    name="TargetDown",
    signal=target.UP,
    direction=Direction.BELOW,
    threshold=1,
    hold=timedelta(minutes=1),
    severity=Severity.CRITICAL,
    summary=Sentence("{job}: {instance} does not answer"),
    description=Sentence(
        "For {hold} no scrape of {instance} ({job}) has worked: the process is gone, hangs or cannot be reached, and "
        "every other alert about it is blind. Look at the process and its log, then at the network between."
    ),
    owner="platform",
)
