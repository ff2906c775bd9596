"""What was told to whom, what could not be, and telling it again."""

from __future__ import annotations

from django.db.models import QuerySet

from opsconsole.records.instant import at
from opsconsole.records.models import Delivery


def recent(*, limit: int = 50) -> list[Delivery]:
    """The newest rows of the outbox, whatever became of them, with their incidents."""
    return list(_with_incidents().order_by("-id")[:limit])


def dead(*, limit: int = 50) -> list[Delivery]:
    """What was given up, the newest first; ``last_error`` says why."""
    return list(_with_incidents().filter(state=Delivery.State.DEAD).order_by("-id")[:limit])


def redeliver(delivery_id: int, now_ms: int) -> bool:
    """Put a dead row back into the outbox.  False when it is not dead (any more)."""
    rows = Delivery.objects.filter(id=delivery_id, state=Delivery.State.DEAD)
    return rows.update(state=Delivery.State.WAITING, next_at=at(now_ms), attempts=0) == 1


def _with_incidents() -> QuerySet[Delivery]:
    return Delivery.objects.select_related("transition__incident")
