"""Counts tasks where they run, from Celery's signals: no events, no inspection over the network."""

from __future__ import annotations

import time
from typing import Any

from billiard.exceptions import TimeLimitExceeded, WorkerLostError
from celery import Celery, signals, states
from celery.exceptions import Reject

from opsconsole_exporters import exemplars, metrics, requestid, work
from opsconsole_exporters.catalog.celery import (
    CELERY_FAILURES,
    CELERY_RUNTIME,
    CELERY_SENT,
    CELERY_STARTED,
    CELERY_TASKS,
    CELERY_WAIT,
)
from opsconsole_exporters.celery import stamp
from opsconsole_exporters.shield import shielded
from opsconsole_exporters.work import Work

STATES = {
    states.SUCCESS: "succeeded",
    states.FAILURE: "failed",
    states.RETRY: "retried",
    states.REJECTED: "rejected",
    states.IGNORED: "ignored",
}
_STARTED = "opsconsole_started"
_IDENTIFIED = "opsconsole_identified"


class TaskObserver:
    """Turns the signals of one app's tasks into metrics."""

    def __init__(self, app: Celery) -> None:
        self._app = app

    def connect(self) -> None:
        uid = "opsconsole_exporters"
        signals.before_task_publish.connect(self.published, weak=False, dispatch_uid=uid)
        signals.after_task_publish.connect(self.sent, weak=False, dispatch_uid=uid)
        signals.task_prerun.connect(self.started, weak=False, dispatch_uid=uid)
        signals.task_postrun.connect(self.ended, weak=False, dispatch_uid=uid)
        signals.task_failure.connect(self.failed, weak=False, dispatch_uid=uid)
        signals.task_revoked.connect(self.revoked, weak=False, dispatch_uid=uid)

    @shielded("Celery message stamps")
    def published(
        self, headers: dict[str, Any] | None = None, properties: dict[str, Any] | None = None, **_: object
    ) -> None:
        if headers is not None:
            stamp.stamp(headers, time.time())
            if properties is not None:
                stamp.stamp_properties(properties, headers)
            if (request_id := requestid.current()) is not None:
                headers[requestid.TASK_HEADER] = request_id

    @shielded("Celery metrics")
    def sent(self, sender: Any = None, routing_key: str | None = None, **_: object) -> None:
        """Count a message that the broker has taken; a broker that is down raises in the publisher before this."""
        metrics.counter(CELERY_SENT).labels(str(sender), self.queue_named(routing_key)).inc()

    @shielded("Celery metrics")
    def started(self, task: Any, **_: object) -> None:
        request = task.request
        if request.is_eager:  # it runs inside the caller and never saw a queue
            return
        setattr(request, _STARTED, time.perf_counter())
        if (request_id := request.get(requestid.TASK_HEADER)) is not None:
            setattr(request, _IDENTIFIED, work.current.set(Work(requestid.accepted(request_id))))
        queue = self.queue_of(request)
        metrics.counter(CELERY_STARTED).labels(task.name, queue).inc()
        if (request.delivery_info or {}).get("redelivered"):
            return  # a worker has had it before, and for how long is not known
        due = stamp.due_at({stamp.HEADER: request.get(stamp.HEADER), "eta": request.eta})
        if due is not None:
            waited = max(0.0, time.time() - due)  # clocks of two hosts may differ
            metrics.histogram(CELERY_WAIT).labels(task.name, queue).observe(waited)

    @shielded("Celery metrics")
    def ended(self, task: Any, state: str | None = None, **_: object) -> None:
        request = task.request
        began = request.get(_STARTED)
        if began is None:
            return
        if (identified := request.get(_IDENTIFIED)) is not None:
            work.current.reset(identified)
        queue = self.queue_of(request)
        metrics.histogram(CELERY_RUNTIME).labels(task.name, queue).observe(
            time.perf_counter() - began, exemplars.of_current_span()
        )
        # An unknown state is a custom one, set by a task that then went on to its end.
        metrics.counter(CELERY_TASKS).labels(task.name, queue, STATES.get(state or "", "succeeded")).inc()

    @shielded("Celery metrics")
    def failed(self, sender: Any, exception: BaseException | None = None, **_: object) -> None:
        """Count the class of the exception, and the task too if its process was killed.

        Then the worker's main process reports it, as the dead one cannot.
        """
        if sender.request.is_eager or isinstance(exception, Reject):
            return  # the worker calls a rejected task a failure too; here it has a state of its own
        queue = self.queue_of(sender.request)
        metrics.counter(CELERY_FAILURES).labels(sender.name, queue, type(exception).__name__).inc()
        if isinstance(exception, WorkerLostError | TimeLimitExceeded):
            metrics.counter(CELERY_TASKS).labels(sender.name, queue, "failed").inc()

    @shielded("Celery metrics")
    def revoked(self, sender: Any, request: Any, **_: object) -> None:
        metrics.counter(CELERY_TASKS).labels(sender.name, self.queue_of(request), "revoked").inc()

    def queue_of(self, request: Any) -> str:
        """The queue a request came from."""
        return self.queue_named((request.delivery_info or {}).get("routing_key"))

    def queue_named(self, key: str | None) -> str:
        """The queue of a routing key, which is all that a message carries; the app's queues know whose it is.

        A key that no queue has is "unknown": keys are the publishers' to choose, and each would be a new series.
        """
        queues = self._app.amqp.queues
        if key in queues:
            return str(key)
        return next((str(name) for name, queue in queues.items() if queue.routing_key == key), "unknown")
