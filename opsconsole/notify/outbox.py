"""The outbox: rows that wait to be told, claimed by a lease, so that a worker that dies loses nothing.

A claim is one conditional UPDATE that marks rows with a fresh lease, so of two workers only one gets a row, on SQLite and
PostgreSQL alike.  Delivery is at least once: a worker that dies after sending and before settling leaves rows whose lease
runs out, and they are sent again under the same message id.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from uuid import uuid4

from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.db.models.functions import Coalesce

from opsconsole.alerting.notification import Notice, group
from opsconsole.records.instant import at, to_ms, to_ms_or_none
from opsconsole.records.models import Delivery, Incident
from opsconsole.series.labels import Labels

from .channel import Message, Outcome, Verdict

LEASE_MS = 30_000  # longer than the longest attempt, or a slow one would be sent twice
ROWS_A_MESSAGE = 256
FIRST_PAUSE_MS, LONGEST_PAUSE_MS = 1_000, 300_000
FIRING_LIFE_MS = 24 * 3_600_000
RESOLVED_LIFE_MS = 3_600_000
_State = Delivery.State


@dataclass(frozen=True, slots=True)
class Parcel:
    """The rows of one message, held under ``lease``.  ``attempt`` counts from 1."""

    lease: str
    message: Message
    attempt: int
    deadlines_ms: dict[int, int]
    """By row: when to give up."""


def claim(channel: str, now_ms: int) -> Parcel | None:
    """Take the oldest due message of a channel, or None when nothing is due.

    It takes all rows of the same alert, due or not: one that waited to be tried again travels with the news, and an
    incident that began and ended meanwhile is told once, as ended.
    """
    news = _untold(channel, now_ms)
    oldest = news.filter(Q(state=_State.LEASED) | Q(next_at__lte=at(now_ms))).values_list("group", flat=True).first()
    if oldest is None:
        return None
    wanted = list(news.filter(group=oldest).values_list("id", flat=True)[:ROWS_A_MESSAGE])
    lease = uuid4().hex
    taken = Delivery.objects.filter(_free(now_ms), id__in=wanted).update(
        state=_State.LEASED, lease=lease, leased_until=at(now_ms + LEASE_MS), attempts=F("attempts") + 1
    )
    return _parcel(lease) if taken else claim(channel, now_ms)  # another worker was quicker: see what is left


def settle(parcel: Parcel, outcome: Outcome, now_ms: int, chance: float) -> Outcome:
    """Write down what became of a parcel, and return it as written: a retry after the deadline is dead.

    ``chance`` in [0, 1) spreads the retries of many consoles.  Rows whose lease ran out are left to whoever took them.
    """
    rows = Delivery.objects.filter(lease=parcel.lease)
    freed = {"lease": "", "leased_until": None, "last_error": outcome.detail[:300]}
    match outcome.verdict:
        case Verdict.DELIVERED:
            rows.update(state=_State.DONE, delivered_at=at(now_ms), **freed)
        case Verdict.DEAD:
            rows.update(state=_State.DEAD, **freed)
        case Verdict.RETRY:
            # At least as long as it was asked to, and never at once: "Retry-After: 0" must not become a busy loop.
            again_ms = now_ms + max(outcome.after_ms or 0, backoff_ms(parcel.attempt, chance))
            late = [row for row, deadline_ms in parcel.deadlines_ms.items() if again_ms > deadline_ms]
            rows.filter(id__in=late).update(state=_State.DEAD, **freed)
            rows.exclude(id__in=late).update(state=_State.WAITING, next_at=at(again_ms), **freed)
            if len(late) == len(parcel.deadlines_ms):
                return Outcome.dead(outcome.detail)
    return outcome


def backoff_ms(attempt: int, chance: float) -> int:
    """Full jitter: somewhere between a second and ``2 ** attempt`` seconds, at most five minutes."""
    ceiling_ms = min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** min(attempt, 16))
    return FIRST_PAUSE_MS + int(chance * (ceiling_ms - FIRST_PAUSE_MS))


def next_due_ms(channel: str) -> int | None:
    """When the next row of a channel may be taken; None when none waits."""
    waiting = Delivery.objects.filter(channel=channel, state__in=[_State.WAITING, _State.LEASED])
    soonest = waiting.order_by(when := Coalesce("leased_until", "next_at")).values_list(when, flat=True).first()
    return to_ms_or_none(soonest)


def bury_unconfigured(channels: Iterable[str]) -> int:
    """Give up rows for channels that no longer exist; returns how many."""
    orphans = Delivery.objects.filter(state__in=[_State.WAITING, _State.LEASED]).exclude(channel__in=list(channels))
    return orphans.update(
        state=_State.DEAD,
        lease="",
        leased_until=None,
        last_error="this channel is no longer configured; configure it and send again",
    )


def _free(now_ms: int) -> Q:
    """Nobody holds the row, or whoever did is taken for dead."""
    return Q(state=_State.WAITING) | Q(state=_State.LEASED, leased_until__lte=at(now_ms))


def _untold(channel: str, now_ms: int) -> QuerySet[Delivery]:
    """Free rows, the oldest first, of alerts about which nobody is just sending: so news of one alert keep their order."""
    being_sent = Delivery.objects.filter(
        channel=channel, group=OuterRef("group"), state=_State.LEASED, leased_until__gt=at(now_ms)
    )
    return Delivery.objects.filter(_free(now_ms), ~Exists(being_sent), channel=channel).order_by("id")


def _parcel(lease: str) -> Parcel:
    rows = list(Delivery.objects.filter(lease=lease).select_related("transition__incident").order_by("id"))
    incidents = {row.transition.incident_id: row.transition.incident for row in rows}
    alert = rows[0].group
    firing = Incident.objects.filter(alert=alert, resolved_at=None).exclude(id__in=incidents).order_by("id")
    notification = group(
        alert,
        changed=[_notice(incident, changed=True) for incident in incidents.values()],
        beside=[_notice(incident, changed=False) for incident in firing],
    )
    return Parcel(
        lease=lease,
        message=Message(
            "msg_" + sha256("\n".join(row.dedup_key for row in rows).encode()).hexdigest()[:32], notification
        ),
        attempt=max(row.attempts for row in rows),
        deadlines_ms={row.id: _deadline_ms(row) for row in rows},
    )


def _notice(incident: Incident, *, changed: bool) -> Notice:
    """The incident as it is now, not as the row found it: nobody should be told of a fire that is out."""
    return Notice(
        incident=incident.id,
        labels=Labels.of(incident.labels),
        summary=incident.summary,
        description=incident.description,
        starts_at_ms=to_ms(incident.fired_at),
        ends_at_ms=to_ms_or_none(incident.resolved_at),
        changed=changed,
    )


def _deadline_ms(row: Delivery) -> int:
    resolved_at = row.transition.incident.resolved_at
    return to_ms(row.created_at) + FIRING_LIFE_MS if resolved_at is None else to_ms(resolved_at) + RESOLVED_LIFE_MS
