"""A notification: what changed about one alert, as Alertmanager would say it to a webhook.

Instances of one alert make one group, as with ``group_by: [alertname]``.  As in Alertmanager a message holds the whole
group: the instances that still fire stand beside the ones that changed, so that ``resolved`` means that all is well.
Source: Alertmanager, notify/webhook and template.Data (format, version 4).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from opsconsole.series.labels import Labels

from .rule import ALERT_NAME

NEVER = "0001-01-01T00:00:00Z"
"""Go's zero time: how Alertmanager writes the end of what has not ended."""


class Status(StrEnum):
    FIRING = "firing"
    RESOLVED = "resolved"


class NotifyReason(StrEnum):
    """Why the group is told about now; Alertmanager's words."""

    NEW_ALERTS = "new alerts in group"
    RESOLVED = "all alerts resolved"
    SOME_RESOLVED = "new resolved alerts in group"


@dataclass(frozen=True, slots=True)
class Notice:
    """One instance as a message tells it.

    ``incident``: its number in the console.  ``changed``: whether this message is about it, or only shows it beside.
    ``ends_at_ms``: None while it fires.
    """

    incident: int
    labels: Labels
    summary: str
    description: str
    starts_at_ms: int
    ends_at_ms: int | None
    changed: bool

    @property
    def status(self) -> Status:
        return Status.FIRING if self.ends_at_ms is None else Status.RESOLVED


@dataclass(frozen=True, slots=True)
class Notification:
    """One group: an alert and its instances, the ones that changed first.  ``truncated`` more fire and are left out."""

    alert: str
    notices: tuple[Notice, ...]
    truncated: int = 0

    @property
    def status(self) -> Status:
        firing = any(notice.status is Status.FIRING for notice in self.notices)
        return Status.FIRING if firing else Status.RESOLVED

    @property
    def changed(self) -> tuple[Notice, ...]:
        return tuple(notice for notice in self.notices if notice.changed)

    @property
    def reason(self) -> NotifyReason:
        if any(notice.status is Status.FIRING for notice in self.changed):
            return NotifyReason.NEW_ALERTS
        return NotifyReason.RESOLVED if self.status is Status.RESOLVED else NotifyReason.SOME_RESOLVED


def group(alert: str, changed: Iterable[Notice], beside: Iterable[Notice], *, limit: int = 256) -> Notification:
    """The message about one alert: what changed, and up to ``limit`` others that still fire; each instance once.

    An instance that resolved and fires again is told as it is last.
    """
    told = {notice.labels: notice for notice in changed}
    rest = [notice for notice in beside if notice.labels not in told]
    return Notification(alert, (*told.values(), *rest[:limit]), truncated=max(0, len(rest) - limit))


def webhook_payload(notification: Notification, *, receiver: str, public_url: str) -> dict[str, object]:
    """The JSON of Alertmanager's webhook, version 4, so that every receiver made for it understands us."""
    alerts = [_alert(notice, public_url) for notice in notification.notices]
    return {
        "version": "4",
        "groupKey": f'{{}}:{{{ALERT_NAME}="{notification.alert}"}}',
        "truncatedAlerts": notification.truncated,
        "receiver": receiver,
        "status": notification.status.value,
        "notification_reason": notification.reason.value,
        "groupLabels": {ALERT_NAME: notification.alert},
        "commonLabels": _common(dict(notice.labels) for notice in notification.notices),
        "commonAnnotations": _common(_annotations(notice, public_url) for notice in notification.notices),
        "routeLabels": {},
        "externalURL": public_url,
        "alerts": alerts,
    }


def _alert(notice: Notice, public_url: str) -> dict[str, object]:
    return {
        "status": notice.status.value,
        "labels": notice.labels.as_dict(),
        "annotations": _annotations(notice, public_url),
        "startsAt": rfc3339(notice.starts_at_ms),
        "endsAt": NEVER if notice.ends_at_ms is None else rfc3339(notice.ends_at_ms),
        "generatorURL": f"{public_url}/alerts/{notice.incident}/",
        "fingerprint": f"{notice.labels.fingerprint():016x}",
    }


def _annotations(notice: Notice, public_url: str) -> dict[str, str]:
    return {
        "summary": notice.summary,
        "description": notice.description,
        "runbook_url": f"{public_url}/runbooks/{notice.labels.get(ALERT_NAME)}/",
    }


def _common(sets: Iterable[dict[str, str]]) -> dict[str, str]:
    """What all of them say alike, sorted by name.  There is always at least one."""
    return dict(sorted(set.intersection(*(set(each.items()) for each in sets))))


def rfc3339(instant_ms: int) -> str:
    """``2026-11-24T12:00:00.250Z``."""
    return datetime.fromtimestamp(instant_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
