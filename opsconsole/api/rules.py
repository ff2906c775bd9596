"""Rules and alerts as Prometheus' API shows them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from alerts.profile import Profile
from opsconsole.alerting.rulebook import RuleStatus
from opsconsole.alerting.state import Instance
from opsconsole.operations import alerting, query
from opsconsole.operations.console import current
from opsconsole.operations.rules import RuleFilter, RuleGroup, groups

from . import wire
from .answer import Answer
from .endpoint import endpoint
from .parameters import ParameterError, Parameters
from .wire import NEVER, exponential, rfc3339


@endpoint("GET")
def rules(parameters: Parameters) -> Answer:
    """The console has alerting rules only; ``type=record`` finds none."""
    console = current()
    kind = parameters.text("type").lower()
    if kind not in ("", "alert", "record"):
        raise ParameterError("type", f'not supported value "{kind}"')
    wanted = RuleFilter(
        names=parameters.texts("rule_name[]"),
        groups=parameters.texts("rule_group[]"),
        files=parameters.texts("file[]"),
        selectors=[query.matchers(text, "match[]") for text in parameters.texts("match[]")],
    )
    found = [] if kind == "record" else groups(console, wanted)
    page, rest = _page(found, parameters)
    with_alerts = not parameters.flag("exclude_alerts")
    shown = [_group_as_json(group, console.profile, with_alerts=with_alerts) for group in page]
    return wire.success({"groups": shown, **({"groupNextToken": rest} if rest else {})})


@endpoint("GET")
def alerts(_: Parameters) -> Answer:
    found = [_alert_as_json(each) for status in alerting.rules(current()) for each in status.instances.values()]
    return wire.success({"alerts": found})


@endpoint("GET")
def alertmanagers(_: Parameters) -> Answer:
    """The console delivers notifications itself."""
    return wire.success({"activeAlertmanagers": [], "droppedAlertmanagers": []})


def _page(found: Sequence[RuleGroup], parameters: Parameters) -> tuple[Sequence[RuleGroup], str]:
    """At most ``group_limit`` groups from the one that ``group_next_token`` names on, and the token of the rest."""
    limit, token = parameters.limit("group_limit"), parameters.text("group_next_token")
    if token and not limit:
        raise ParameterError("group_limit", "it must be given with group_next_token")
    names = [group.name for group in found]
    if token and token not in names:
        raise ParameterError("group_next_token", "no group begins there; the rules changed, so begin again without it")
    first = names.index(token) if token else 0
    last = first + limit if limit else len(found)
    return found[first:last], names[last] if last < len(names) else ""


def _group_as_json(group: RuleGroup, profile: Profile, *, with_alerts: bool) -> dict[str, Any]:
    return {
        "name": group.name,
        "file": group.file,
        "rules": [_rule_as_json(status, with_alerts=with_alerts) for status in group.rules],
        "interval": profile.evaluation.total_seconds(),
        "limit": 0,
        "evaluationTime": sum(status.duration_s for status in group.rules),
        "lastEvaluation": _when(max(status.evaluated_at_ms or 0 for status in group.rules)),
    }


def _alert_as_json(instance: Instance) -> dict[str, Any]:
    kept = {} if instance.keep_since_ms is None else {"keepFiringSince": rfc3339(instance.keep_since_ms)}
    return {
        "labels": instance.labels.as_dict(),
        "annotations": {"summary": instance.summary, "description": instance.description},
        "state": instance.state.value,
        "activeAt": rfc3339(instance.active_at_ms),
        **kept,
        "value": exponential(instance.value),
    }


def _rule_as_json(status: RuleStatus, *, with_alerts: bool) -> dict[str, Any]:
    rule = status.rule
    error = {"lastError": status.error} if status.error else {}
    active = [_alert_as_json(instance) for instance in status.instances.values()] if with_alerts else []
    return {
        "state": status.state.value,
        "name": rule.name,
        "query": rule.query,
        "duration": rule.hold_ms / 1000,
        "keepFiringFor": rule.keep_ms / 1000,
        "labels": rule.labels.as_dict(),
        "annotations": {"summary": rule.alert.summary.template, "description": rule.alert.description.template},
        "alerts": active,
        "health": status.health.value,
        **error,
        "evaluationTime": status.duration_s,
        "lastEvaluation": _when(status.evaluated_at_ms or 0),
        "type": "alerting",
    }


def _when(at_ms: int) -> str:
    return rfc3339(at_ms) if at_ms else NEVER
