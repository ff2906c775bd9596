"""Spans of messages that the broker did not take.

OpenTelemetry's instrumentation begins a span before a message is published and ends it afterwards.  A broker that is down
raises in between: the span would stay open, the current one for all that its thread does later, and be kept for ever.
"""

from __future__ import annotations

import functools
from contextvars import ContextVar
from typing import Any

from celery import Celery, signals
from opentelemetry.instrumentation.celery import utils

from opsconsole_exporters.shield import shield, shielded

_UID = "opsconsole_exporters.publishing"
# Name and id of the task whose message is on its way.
_under_way: ContextVar[tuple[str, str] | None] = ContextVar("opsconsole_publishing", default=None)


def end_spans_of_failures(app: Celery) -> None:
    """Wrap ``send_task``, through which all messages of an app go, beat's too."""
    send_task = app.send_task
    signals.before_task_publish.connect(_begin, weak=False, dispatch_uid=_UID)

    @functools.wraps(send_task)
    def sending(*args: Any, **options: Any) -> Any:
        token = _under_way.set(None)
        try:
            return send_task(*args, **options)
        except Exception as error:
            with shield("Celery traces"):
                _end(error)
            raise
        finally:
            _under_way.reset(token)

    app.send_task = sending


@shielded("Celery traces")
def _begin(sender: Any = None, headers: Any = None, **_: object) -> None:
    _under_way.set((str(sender), str((headers or {}).get("id"))))


def _end(error: Exception) -> None:
    if (message := _under_way.get()) is None:  # it failed before it had a span
        return
    name, identity = message
    task = utils.retrieve_task_from_sender({"sender": name})
    begun = None if task is None else utils.retrieve_context(task, identity, is_publish=True)
    if begun is not None:
        _, activation, _ = begun
        activation.__exit__(type(error), error, error.__traceback__)
        utils.detach_context(task, identity, is_publish=True)
