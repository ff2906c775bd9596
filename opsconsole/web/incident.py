"""Incidents, rules and pending alerts as pages show them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from django.urls import reverse

from alerts.model import Alert, Direction
from opsconsole.alerting.rule import ALERT_NAME
from opsconsole.alerting.rulebook import Health, RuleStatus
from opsconsole.alerting.state import State
from opsconsole.records.models import AlertState, Incident
from opsconsole.series.duration import format_duration
from signals.unit import format_value

_LEAD_S = 120
"""How long before it began the evidence starts: the cause is older than its effect."""

_TOLD_ELSEWHERE = (ALERT_NAME, "severity")


@dataclass(frozen=True, slots=True)
class Link:
    label: str
    url: str


@dataclass(frozen=True, slots=True)
class Card:
    """One incident or pending alert.  Instants are Unix seconds; ``id`` is None while it is pending."""

    id: int | None
    alert: str
    severity: str
    state: str  # pending, firing or resolved
    summary: str
    description: str
    labels: Sequence[tuple[str, str]]
    started_at: float
    resolved_at: float | None
    acknowledged_by: str
    acknowledged_at: float | None
    value: str
    evidence: Link

    @property
    def open(self) -> bool:
        """Whether somebody may still take care of it."""
        return self.state == "firing" and self.acknowledged_at is None

    @property
    def shape(self) -> str:
        return {"resolved": "ok", "pending": "pending"}.get(self.state, self.severity)

    @property
    def lasted_s(self) -> float:
        return (self.resolved_at or self.started_at) - self.started_at


@dataclass(frozen=True, slots=True)
class RuleRow:
    name: str
    severity: str
    condition: str
    query: str
    state: State
    instances: int
    health: Health
    error: str
    evaluated_at: float | None
    took_ms: float


def card(incident: Incident, alerts: Mapping[str, Alert]) -> Card:
    started = incident.started_at.timestamp()
    resolved = incident.resolved_at.timestamp() if incident.resolved_at else None
    by = incident.acknowledged_by
    return Card(
        id=incident.pk,
        alert=incident.alert,
        severity=incident.severity,
        state="firing" if incident.firing else "resolved",
        summary=incident.summary,
        description=incident.description,
        labels=_own(incident.labels),
        started_at=started,
        resolved_at=resolved,
        acknowledged_by=by.get_username() if by else "",
        acknowledged_at=incident.acknowledged_at.timestamp() if incident.acknowledged_at else None,
        value=_value(incident.value, alerts.get(incident.alert)),
        evidence=_evidence(alerts.get(incident.alert), started, resolved),
    )


def pending(row: AlertState, alerts: Mapping[str, Alert]) -> Card:
    alert = alerts.get(row.alert)
    return Card(
        id=None,
        alert=row.alert,
        severity=row.labels.get("severity", ""),
        state="pending",
        summary=row.summary,
        description=row.description,
        labels=_own(row.labels),
        started_at=row.active_at.timestamp(),
        resolved_at=None,
        acknowledged_by="",
        acknowledged_at=None,
        value=_value(row.value, alert),
        evidence=_evidence(alert, row.active_at.timestamp(), None),
    )


def rule_row(status: RuleStatus) -> RuleRow:
    rule = status.rule
    return RuleRow(
        name=rule.name,
        severity=rule.alert.severity.value,
        condition=f"{rule.alert.signal.title} {_side(rule.alert)} for {_spaced(format_duration(rule.hold_ms))}",
        query=rule.query,
        state=status.state,
        instances=len(status.instances),
        health=status.health,
        error=status.error,
        evaluated_at=None if status.evaluated_at_ms is None else status.evaluated_at_ms / 1000,
        took_ms=status.duration_s * 1000,
    )


def _side(alert: Alert) -> str:
    side = "above" if alert.direction is Direction.ABOVE else "below"
    return f"{side} {format_value(alert.threshold, alert.signal.unit)}"


def _spaced(duration: str) -> str:
    return re.sub(r"([a-z])(?=\d)|(?<=\d)(?=[a-z])", r"\1 ", duration)


def _own(labels: Mapping[str, str]) -> list[tuple[str, str]]:
    return sorted((name, value) for name, value in labels.items() if name not in _TOLD_ELSEWHERE)


def _value(value: float | None, alert: Alert | None) -> str:
    if value is None or alert is None:
        return ""
    return format_value(value, alert.signal.unit)


def _evidence(alert: Alert | None, started: float, resolved: float | None) -> Link:
    """Where to look next: the traces of that time, or the targets when there cannot be any."""
    if alert is not None and "job" in alert.signal.by and "instance" in alert.signal.by:
        return Link("Targets", reverse("ingest"))
    errors = alert is not None and "error" in alert.signal.name
    window = {
        "from": str(int(started) - _LEAD_S),
        "to": str(int(resolved) + 1) if resolved else "now",
        "tab": "errors" if errors else "slowest",
    }
    return Link("Failed traces" if errors else "Slow traces", f"{reverse('traces')}?{urlencode(window)}")
