"""Writes Prometheus rule files: one group for each family of alerts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from .annotations import CONSOLE_URL, templated
from .document import to_yaml
from .duration import in_promql
from .expression import expression
from .model import Alert
from .profile import Profile


def rule_file(family: str, alerts: Sequence[Alert], profile: Profile, *, console_url: str = CONSOLE_URL) -> str:
    """The text of a rule file that ``promtool check rules`` accepts.  ``keep_firing_for`` needs Prometheus 2.42."""
    group = {
        "name": f"opsconsole-{family}",
        "interval": in_promql(profile.evaluation),
        "rules": [_rule(alert, profile, console_url) for alert in alerts],
    }
    return to_yaml({"groups": [group]})


def _rule(alert: Alert, profile: Profile, console_url: str) -> dict[str, object]:
    hold, keep = profile.scale(alert.hold), profile.scale(alert.keep)
    return {
        "alert": alert.name,
        "expr": expression(alert, profile),
        **({"for": in_promql(hold)} if hold else {}),
        **({"keep_firing_for": in_promql(keep)} if keep > timedelta(0) else {}),
        "labels": alert.labels,
        "annotations": templated(alert, hold=hold, console_url=console_url),
    }
