"""The annotations of an alert: its sentences and where to go next, as text or as Prometheus' templates."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from urllib.parse import quote_plus

from .model import Alert

CONSOLE_URL = "http://localhost:8000"
"""Where the links of generated files lead unless whoever generates them says otherwise."""


def rendered(
    alert: Alert, *, labels: Mapping[str, str], value: float, hold: timedelta, console_url: str
) -> dict[str, str]:
    """What a person reads about one instance.  ``labels`` and ``value`` are the query's result."""
    return {
        "summary": alert.summary.render(alert, labels=labels, value=value, hold=hold),
        "description": alert.description.render(alert, labels=labels, value=value, hold=hold),
        "runbook_url": runbook_url(alert, console_url),
        "dashboard_url": _dashboard_url(alert, console_url, job=quote_plus(labels.get("job", ""))),
    }


def templated(alert: Alert, *, hold: timedelta, console_url: str) -> dict[str, str]:
    """The same as Go templates, for Prometheus to fill."""
    return {
        "summary": alert.summary.go_template(alert, hold=hold),
        "description": alert.description.go_template(alert, hold=hold),
        "runbook_url": runbook_url(alert, console_url),
        "dashboard_url": _dashboard_url(alert, console_url, job="{{ $labels.job | urlquery }}"),
    }


def runbook_url(alert: Alert, console_url: str) -> str:
    return f"{console_url}/runbooks/{alert.name}/"


def _dashboard_url(alert: Alert, console_url: str, *, job: str) -> str:
    return f"{console_url}/boards/{alert.board}/?job={job}"
