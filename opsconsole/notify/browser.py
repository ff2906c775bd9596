"""The browser channel: a toast on every open page, as a message of the live protocol."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from opsconsole.alerting.notification import Notice, Notification, Status

from .channel import Message, Outcome

Publish = Callable[[dict[str, object]], Awaitable[None]]
"""Hands a message to everybody who watches."""


class Browser:
    """``firing`` says how many alert instances fire just now, for the badge beside the toast."""

    kind = "browser"

    def __init__(self, publish: Publish, firing: Callable[[], int]) -> None:
        self._publish = publish
        self._firing = firing

    async def send(self, message: Message) -> Outcome:
        await self._publish(
            {"type": "alerts", "firing": self._firing(), "changed": True, "toast": toast(message.notification)}
        )
        return Outcome.delivered()


def toast(notification: Notification) -> dict[str, str]:
    """What changed, in one card: of several the first that fires, with how many more there are."""
    changed = sorted(notification.changed, key=lambda notice: notice.status is Status.RESOLVED)
    first: Notice = changed[0]
    more = len(changed) - 1
    return {
        "state": first.status.value,
        "severity": first.labels.get("severity"),
        "title": first.summary if not more else f"{first.summary} (and {more} more)",
        "text": first.description,
        "url": f"/alerts/{first.incident}/" if not more else "/alerts/",
    }
