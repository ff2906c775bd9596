"""The alert ledger: the evaluator's instances as rows, and the facts they became, written in one transaction."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from django.db import transaction

from opsconsole.alerting import state as alerting
from opsconsole.series.labels import Labels

from .instant import at, at_or_none, to_ms, to_ms_or_none
from .models import AlertState, Delivery, Incident, Transition

_STATE_FIELDS = ["state", "active_at", "fired_at", "keep_since", "value", "summary", "description", "incident"]
_LIVE_FIELDS = ["value", "summary", "description"]


def fingerprint(labels: Labels) -> str:
    """16 hexadecimal digits, as Alertmanager prints them."""
    return f"{labels.fingerprint():016x}"


def load() -> dict[str, dict[Labels, alerting.Instance]]:
    """Every stored instance by the name of its alert, exactly as ``record`` was given it."""
    instances: defaultdict[str, dict[Labels, alerting.Instance]] = defaultdict(dict)
    for row in AlertState.objects.order_by("id"):
        labels = Labels.of(row.labels)
        instances[row.alert][labels] = alerting.Instance(
            labels=labels,
            state=alerting.State(row.state),
            active_at_ms=to_ms(row.active_at),
            fired_at_ms=to_ms_or_none(row.fired_at),
            keep_since_ms=to_ms_or_none(row.keep_since),
            value=math.nan if row.value is None else row.value,
            summary=row.summary,
            description=row.description,
        )
    return dict(instances)


def record(
    before: Mapping[str, alerting.Instances],
    after: Mapping[str, alerting.Instances],
    transitions: Sequence[alerting.Transition],
    channels: Iterable[str],
    now_ms: int,
) -> None:
    """Store what one evaluation changed: instances, incidents, transitions and the outbox rows that tell of them.

    ``before`` and ``after`` are all instances by the name of their alert.  All of it is written, or none.
    """
    known = {labels: instance for instances in before.values() for labels, instance in instances.items()}
    stays = {labels for instances in after.values() for labels in instances}
    gone = [fingerprint(labels) for labels in known if labels not in stays]
    changed = {
        labels: (alert, instance)
        for alert, instances in after.items()
        for labels, instance in instances.items()
        if known.get(labels) != instance
    }
    if not (gone or changed or transitions):
        return
    with transaction.atomic():
        _write_facts(transitions, tuple(channels), now_ms)
        AlertState.objects.filter(fingerprint__in=gone).delete()
        _write_states(changed)


def _write_facts(transitions: Sequence[alerting.Transition], channels: Sequence[str], now_ms: int) -> None:
    """Open and close incidents, and queue a message about each for every channel."""
    began = [each for each in transitions if each.after is alerting.State.FIRING]
    ended = [each for each in transitions if each.before is alerting.State.FIRING]
    open_ones = _open_incidents(fingerprint(each.instance.labels) for each in ended)
    facts: list[tuple[Incident, alerting.Transition]] = []
    for each in ended:
        incident = open_ones.get(fingerprint(each.instance.labels))
        if incident is None:  # somebody deleted the row; evaluation must not stand still for it
            continue
        incident.resolved_at = at(each.at_ms)
        _tell(incident, each.instance)
        facts.append((incident, each))
    Incident.objects.bulk_update([incident for incident, _ in facts], ["resolved_at", *_LIVE_FIELDS])
    facts.extend(zip(Incident.objects.bulk_create(_incident(each) for each in began), began, strict=True))
    rows = Transition.objects.bulk_create(
        Transition(
            incident=incident, before=each.before.value, after=each.after.value, at=at(each.at_ms), reason=each.reason
        )
        for incident, each in facts
    )
    Delivery.objects.bulk_create(
        Delivery(
            transition=row,
            channel=channel,
            group=row.incident.alert,
            dedup_key=f"{channel}:{row.incident_id}:{row.id}",
            created_at=at(now_ms),
            next_at=at(now_ms),
        )
        for row in rows
        for channel in channels
    )


def _write_states(changed: Mapping[Labels, tuple[str, alerting.Instance]]) -> None:
    firing = [labels for labels, (_, each) in changed.items() if each.state is alerting.State.FIRING]
    open_ones = _open_incidents(map(fingerprint, firing))
    AlertState.objects.bulk_create(
        (_state(alert, each, open_ones.get(fingerprint(labels))) for labels, (alert, each) in changed.items()),
        update_conflicts=True,
        unique_fields=["fingerprint"],
        update_fields=_STATE_FIELDS,
    )
    for labels in firing:
        if incident := open_ones.get(fingerprint(labels)):
            _tell(incident, changed[labels][1])
    Incident.objects.bulk_update(open_ones.values(), _LIVE_FIELDS)


def _open_incidents(fingerprints: Iterable[str]) -> dict[str, Incident]:
    wanted = list(fingerprints)
    if not wanted:
        return {}
    rows = Incident.objects.filter(resolved_at=None, fingerprint__in=wanted)
    return {incident.fingerprint: incident for incident in rows}


def _incident(fired: alerting.Transition) -> Incident:
    instance = fired.instance
    incident = Incident(
        alert=instance.labels.get("alertname"),
        labels=instance.labels.as_dict(),
        fingerprint=fingerprint(instance.labels),
        severity=instance.labels.get("severity"),
        started_at=at(instance.active_at_ms),
        fired_at=at(fired.at_ms),
    )
    _tell(incident, instance)
    return incident


def _tell(incident: Incident, instance: alerting.Instance) -> None:
    """An incident's words are those of the last evaluation that was true."""
    incident.value = _value(instance)
    incident.summary = instance.summary
    incident.description = instance.description


def _state(alert: str, instance: alerting.Instance, incident: Incident | None) -> AlertState:
    return AlertState(
        alert=alert,
        labels=instance.labels.as_dict(),
        fingerprint=fingerprint(instance.labels),
        state=instance.state.value,
        active_at=at(instance.active_at_ms),
        fired_at=at_or_none(instance.fired_at_ms),
        keep_since=at_or_none(instance.keep_since_ms),
        value=_value(instance),
        summary=instance.summary,
        description=instance.description,
        incident=incident,
    )


def _value(instance: alerting.Instance) -> float | None:
    return None if math.isnan(instance.value) else instance.value
