"""When a task was published, and from when on it could run.

Celery writes no time of publication into its messages, so a header of our own does.  A task with a countdown or an ETA
does not wait before that.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

HEADER = "opsconsole_published_at"


def stamp(headers: dict[str, Any], now: float) -> None:
    """Write the time of publication (unix seconds) into a message's headers; a retry is published anew."""
    headers[HEADER] = now


def stamp_properties(properties: dict[str, Any], headers: Mapping[str, Any]) -> None:
    """Give the message AMQP's timestamp too (unix seconds, whole): all of it that RabbitMQ's statistics look at.

    It says from when on the message waits; one that the publisher has set stays.
    """
    due = due_at(headers)
    if due is not None and due >= 0:
        properties.setdefault("timestamp", int(due))


def due_at(headers: Mapping[str, Any]) -> float | None:
    """From when on a message has been waiting (unix seconds): publication or ETA, the later; None if unstamped."""
    published = headers.get(HEADER)
    if isinstance(published, bool) or not isinstance(published, int | float):
        return None
    eta = _unix_seconds(headers.get("eta"))
    return float(published) if eta is None else max(float(published), eta)


def _unix_seconds(eta: object) -> float | None:
    """Celery's ISO 8601 text, or the datetime it becomes in a worker; a time without zone is local, as in Celery."""
    try:
        moment = datetime.fromisoformat(eta) if isinstance(eta, str) else eta
        return moment.timestamp() if isinstance(moment, datetime) else None
    except (ValueError, OverflowError):
        return None
