"""Rules and alerts as Prometheus' API shows them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from alerts.profile import Profile
from alerts.registry import FAMILIES
from opsconsole.alerting.rulebook import RuleStatus
from opsconsole.alerting.state import Instance

from .wire import NEVER, exponential, rfc3339

_FAMILY_OF = {alert.name: family for family, alerts in FAMILIES.items() for alert in alerts}


def groups(statuses: Iterable[RuleStatus], profile: Profile) -> list[dict[str, Any]]:
    """A group a family of alerts, like the generated rule files."""
    families: dict[str, list[RuleStatus]] = {}
    for status in statuses:
        families.setdefault(_FAMILY_OF.get(status.rule.name, "opsconsole"), []).append(status)
    return [
        {
            "name": family,
            "file": f"{family}.yml",
            "interval": profile.evaluation.total_seconds(),
            "limit": 0,
            "evaluationTime": sum(status.duration_s for status in members),
            "lastEvaluation": _when(max(status.evaluated_at_ms or 0 for status in members)),
            "rules": [_rule_as_json(status) for status in members],
        }
        for family, members in sorted(families.items())
    ]


def alert_as_json(instance: Instance) -> dict[str, Any]:
    kept = {} if instance.keep_since_ms is None else {"keepFiringSince": rfc3339(instance.keep_since_ms)}
    return {
        "labels": instance.labels.as_dict(),
        "annotations": {"summary": instance.summary, "description": instance.description},
        "state": instance.state.value,
        "activeAt": rfc3339(instance.active_at_ms),
        **kept,
        "value": exponential(instance.value),
    }


def _rule_as_json(status: RuleStatus) -> dict[str, Any]:
    rule = status.rule
    error = {"lastError": status.error} if status.error else {}
    return {
        "type": "alerting",
        "name": rule.name,
        "query": rule.query,
        "duration": rule.hold_ms / 1000,
        "keepFiringFor": rule.keep_ms / 1000,
        "labels": rule.labels.as_dict(),
        "annotations": {"summary": rule.alert.summary.template, "description": rule.alert.description.template},
        "state": status.state.value,
        "alerts": [alert_as_json(instance) for instance in status.instances.values()],
        "health": status.health.value,
        **error,
        "evaluationTime": status.duration_s,
        "lastEvaluation": _when(status.evaluated_at_ms or 0),
    }


def _when(at_ms: int) -> str:
    return rfc3339(at_ms) if at_ms else NEVER
