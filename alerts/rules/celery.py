"""Alerts of the task queues."""

from __future__ import annotations

from datetime import timedelta

from alerts.model import Alert, Direction, Severity
from alerts.sentence import Sentence
from signals import celery

CELERY_QUEUE_BACKLOG = Alert(
    name="CeleryQueueBacklog",
    signal=celery.QUEUE_OLDEST,
    direction=Direction.ABOVE,
    # Age, not length: a thousand messages may be a second's work, and ten may be an hour's.
    threshold=60,
    hold=timedelta(minutes=1),
    keep=timedelta(minutes=2),
    severity=Severity.WARNING,
    summary=Sentence("{queue}: the oldest task has waited {value}, over {threshold}"),
    description=Sentence(
        "Tasks of the queue {queue} start {value} late, and have been over {threshold} late for {hold} ({job}). "
        "Look at the workers of the queue, at how long its tasks run and at what floods it."
    ),
    owner="queues",
)
CELERY_NO_WORKERS = Alert(
    name="CeleryNoWorkers",
    signal=celery.WORKERS,
    direction=Direction.BELOW,
    threshold=1,
    hold=timedelta(minutes=1),
    severity=Severity.CRITICAL,
    summary=Sentence("{queue}: no worker consumes the queue"),
    description=Sentence(
        "For {hold} no worker with a heartbeat has consumed the queue {queue} ({job}); its tasks wait until one does. "
        "Look at whether the worker processes run, whether they reach the broker and which queues they were given."
    ),
    owner="queues",
)
