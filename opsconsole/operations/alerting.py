"""Evaluating the rules, and everything a person or a machine asks about alerts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.models import AbstractBaseUser
from django.db.models import Q

from opsconsole.alerting import machine, rulebook
from opsconsole.alerting.rulebook import RuleStatus, Statuses
from opsconsole.alerting.state import Instances, State, Transition
from opsconsole.promql.result import Matrix
from opsconsole.records import ledger
from opsconsole.records.instant import at, to_ms, to_ms_or_none
from opsconsole.records.models import AlertState, Incident

from .console import Console

Band = tuple[int, int | None, str]
"""(from_ms, to_ms or None while it fires, severity)."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What one evaluation of all rules changed.  ``failed`` are the names of the rules that could not be evaluated."""

    at_ms: int
    transitions: tuple[Transition, ...]
    failed: tuple[str, ...]
    firing: int
    pending: int

    @property
    def changed(self) -> bool:
        """Whether a list of alerts looks different now."""
        return bool(self.transitions)

    @property
    def told(self) -> bool:
        """Whether there are new rows in the outbox, so that delivery should wake."""
        return any(State.FIRING in (each.before, each.after) for each in self.transitions)


def restore(console: Console, now_ms: int) -> tuple[Transition, ...]:
    """Take up the stored instances, exactly as they were; call it once, before the first evaluation.

    Instances of alerts that are no longer defined end now; their transitions are returned.
    """
    stored = ledger.load()
    kept = {name: instances for name, instances in stored.items() if name in console.rules.statuses()}
    ended: list[Transition] = []
    for name, instances in stored.items():
        if name not in kept:
            ended.extend(machine.retire(instances, now_ms).transitions)
    ledger.record(stored, kept, ended, console.channels, now_ms)
    console.rules.restore(kept)
    return tuple(ended)


def evaluate(console: Console, now_ms: int) -> Evaluation:
    """Run every rule once at ``now_ms``, store what changed together with its messages, then show it.

    A rule that cannot be evaluated keeps its state.  When the records cannot be written the exception goes to the caller
    and the rule book stays as it was, so the next evaluation decides and stores the same again.  One caller at a time.
    """
    before = console.rules.statuses()
    after: dict[str, RuleStatus] = {}
    transitions: list[Transition] = []

    def query(promql: str, at_ms: int) -> machine.Vector:
        return _vector(console, promql, at_ms)

    for name, status in before.items():
        after[name], changed = rulebook.evaluate(status, query, now_ms)
        transitions.extend(changed)
    ledger.record(_instances(before), _instances(after), transitions, console.channels, now_ms)
    console.rules.replace(after)
    return Evaluation(
        at_ms=now_ms,
        transitions=tuple(transitions),
        failed=tuple(name for name, status in after.items() if status.health is rulebook.Health.ERR),
        firing=console.rules.count(State.FIRING),
        pending=console.rules.count(State.PENDING),
    )


def rules(console: Console) -> tuple[RuleStatus, ...]:
    """Every rule with its instances and its health, in the order of the definitions."""
    return tuple(console.rules.statuses().values())


def active() -> list[AlertState]:
    """What is pending or firing now: firing first, the newest first; each with its incident when it fires."""
    rows = AlertState.objects.select_related("incident__acknowledged_by").order_by("state", "-active_at", "id")
    return list(rows)  # "firing" sorts before "pending"


def incidents(*, firing: bool | None = None, alert: str = "", limit: int = 50) -> list[Incident]:
    """Incidents, the newest first: all of them, those that fire, or those that are resolved; of one alert if named."""
    rows = Incident.objects.select_related("acknowledged_by").order_by("-fired_at", "-id")
    if firing is not None:
        rows = rows.filter(resolved_at__isnull=firing)
    if alert:
        rows = rows.filter(alert=alert)
    return list(rows[:limit])


def one(incident_id: int) -> Incident | None:
    """An incident with its transitions and their deliveries fetched."""
    rows = Incident.objects.select_related("acknowledged_by").prefetch_related("transitions__deliveries")
    return rows.filter(id=incident_id).first()


def acknowledge(incident_id: int, user: AbstractBaseUser, now_ms: int) -> bool:
    """Somebody takes care of it.  False when it is resolved, gone, or somebody else was first."""
    waiting = Incident.objects.filter(id=incident_id, acknowledged_at=None, resolved_at=None)
    return waiting.update(acknowledged_by=user, acknowledged_at=at(now_ms)) == 1


def firing_bands(alerts: Collection[str], start_ms: int, end_ms: int) -> dict[str, list[Band]]:
    """When each alert fired within the range, for the bands behind a chart.

    Instances of one alert and severity that overlap make one band.  Every name asked for is in the answer.
    """
    rows = (
        Incident.objects.filter(Q(resolved_at=None) | Q(resolved_at__gt=at(start_ms)), alert__in=alerts)
        .filter(fired_at__lt=at(end_ms))
        .order_by("fired_at")
        .values_list("alert", "severity", "fired_at", "resolved_at")
    )
    spans: defaultdict[tuple[str, str], list[tuple[datetime, datetime | None]]] = defaultdict(list)
    for alert, severity, fired_at, resolved_at in rows:
        spans[alert, severity].append((fired_at, resolved_at))
    bands: dict[str, list[Band]] = {alert: [] for alert in alerts}
    for (alert, severity), each in spans.items():
        bands[alert].extend((to_ms(start), to_ms_or_none(end), severity) for start, end in _union(each))
    for found in bands.values():
        found.sort(key=lambda band: band[0])
    return bands


def _union(spans: Iterable[tuple[datetime, datetime | None]]) -> list[tuple[datetime, datetime | None]]:
    """Join spans that touch; they come sorted by their start, and None never ends."""
    joined: list[tuple[datetime, datetime | None]] = []
    for start, end in spans:
        if joined and (joined[-1][1] is None or start <= joined[-1][1]):
            first, last = joined[-1]
            joined[-1] = (first, None if last is None or end is None else max(last, end))
        else:
            joined.append((start, end))
    return joined


def _vector(console: Console, promql: str, at_ms: int) -> machine.Vector:
    result = console.engine.instant(promql, at_ms)
    if not isinstance(result, Matrix):
        raise TypeError("an alert's query must return a vector; compare a signal with its threshold")
    values, present = result.values[:, -1], result.present[:, -1]
    return [
        (labels, float(value)) for labels, value, there in zip(result.labels, values, present, strict=True) if there
    ]


def _instances(statuses: Statuses) -> dict[str, Instances]:
    return {name: status.instances for name, status in statuses.items()}
