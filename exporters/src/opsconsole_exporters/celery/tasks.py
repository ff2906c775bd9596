"""Counts tasks where they run, from Celery's signals: no events, no inspection over the network."""

from __future__ import annotations

import time
from typing import Any

from billiard.exceptions import TimeLimitExceeded, WorkerLostError
from celery import Celery, signals, states

from opsconsole_exporters import metrics
from opsconsole_exporters.catalog.celery import CELERY_RUNTIME, CELERY_TASKS, CELERY_WAIT
from opsconsole_exporters.celery import stamp
from opsconsole_exporters.shield import shielded

STATES = {
    states.SUCCESS: "succeeded",
    states.FAILURE: "failed",
    states.RETRY: "retried",
    states.REJECTED: "rejected",
    states.IGNORED: "ignored",
}
_STARTED = "opsconsole_started"


class TaskObserver:
    """Turns the signals of one app's tasks into metrics."""

    def __init__(self, app: Celery) -> None:
        self._app = app

    def connect(self) -> None:
        uid = "opsconsole_exporters"
        signals.before_task_publish.connect(self.published, weak=False, dispatch_uid=uid)
        signals.task_prerun.connect(self.started, weak=False, dispatch_uid=uid)
        signals.task_postrun.connect(self.ended, weak=False, dispatch_uid=uid)
        signals.task_failure.connect(self.lost, weak=False, dispatch_uid=uid)
        signals.task_revoked.connect(self.revoked, weak=False, dispatch_uid=uid)

    @shielded("Celery message stamps")
    def published(self, headers: dict[str, Any] | None = None, **_: object) -> None:
        if headers is not None:
            stamp.stamp(headers, time.time())

    @shielded("Celery metrics")
    def started(self, task: Any, **_: object) -> None:
        request = task.request
        if request.is_eager:  # it runs inside the caller and never saw a queue
            return
        setattr(request, _STARTED, time.perf_counter())
        due = stamp.due_at({stamp.HEADER: request.get(stamp.HEADER), "eta": request.eta})
        if due is not None:
            waited = max(0.0, time.time() - due)  # clocks of two hosts may differ
            metrics.histogram(CELERY_WAIT).labels(task.name, self.queue_of(request)).observe(waited)

    @shielded("Celery metrics")
    def ended(self, task: Any, state: str | None = None, **_: object) -> None:
        request = task.request
        began = request.get(_STARTED)
        if began is None:
            return
        queue = self.queue_of(request)
        metrics.histogram(CELERY_RUNTIME).labels(task.name, queue).observe(time.perf_counter() - began)
        # An unknown state is a custom one, set by a task that then went on to its end.
        metrics.counter(CELERY_TASKS).labels(task.name, queue, STATES.get(state or "", "succeeded")).inc()

    @shielded("Celery metrics")
    def lost(self, sender: Any, exception: BaseException | None = None, **_: object) -> None:
        """Count a task whose process was killed; the worker's main process reports it, as the dead one cannot."""
        if isinstance(exception, WorkerLostError | TimeLimitExceeded):
            metrics.counter(CELERY_TASKS).labels(sender.name, self.queue_of(sender.request), "failed").inc()

    @shielded("Celery metrics")
    def revoked(self, sender: Any, request: Any, **_: object) -> None:
        metrics.counter(CELERY_TASKS).labels(sender.name, self.queue_of(request), "revoked").inc()

    def queue_of(self, request: Any) -> str:
        """The queue a request came from.  A message carries its routing key only, so ask the app's queues.

        A key that no queue has is "unknown": keys are the publishers' to choose, and each would be a new series.
        """
        key = (request.delivery_info or {}).get("routing_key")
        queues = self._app.amqp.queues
        if key in queues:
            return str(key)
        return next((str(name) for name, queue in queues.items() if queue.routing_key == key), "unknown")
