"""How values look in Grafana: units, colours and the thresholds of the alerts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from alerts.model import Alert, Direction, Severity
from dashboards.model import Panel, Query
from signals.unit import Unit

Json = dict[str, Any]

UNITS: dict[Unit, str] = {
    Unit.SECONDS: "s",
    Unit.RATIO: "percentunit",
    Unit.REQUESTS_PER_SECOND: "reqps",
    Unit.TASKS_PER_SECOND: "suffix: task/s",
    Unit.EXCEPTIONS_PER_SECOND: "suffix: exc/s",
    Unit.COUNT: "short",
}

COLOURS: dict[str, str] = {
    "d1": "#5b9dff",
    "d2": "#43c6ac",
    "d3": "#f0a04b",
    "d4": "#c38bf0",
    "d5": "#f0709a",
    "d6": "#b8c255",
    "d7": "#5fd0f0",
    "d8": "#a8927a",
    "ok": "#45c08f",
    "warn": "#e8ab3f",
    "crit": "#f2555a",
}
"""The tokens of the console's visual language, dark: Grafana has no second value for its light theme."""

_SEVERITY = {Severity.CRITICAL: "crit", Severity.WARNING: "warn", Severity.INFO: "d1"}


def thresholds(alerts: Sequence[Alert]) -> Json:
    """Colour steps, ascending: healthy on one side of each alert's threshold, its severity on the other.

    Without alerts everything is healthy.  Alerts of one panel or column look in one direction.
    """
    steps: list[Json] = [{"color": COLOURS["ok"], "value": None}]  # None is Grafana's minus infinity
    for alert in sorted(alerts, key=lambda alert: alert.threshold):
        colour = COLOURS[_SEVERITY[alert.severity]]
        if alert.direction is Direction.ABOVE:
            steps.append({"color": colour, "value": alert.threshold})
        else:
            steps[-1]["color"] = colour
            steps.append({"color": COLOURS["ok"], "value": alert.threshold})
    return {"mode": "absolute", "steps": steps}


def series_override(ref: str, query: Query) -> Json:
    """The colour of a query: that one for a lone series, shades of it where labels make several."""
    mode = "shades" if query.signal.by else "fixed"
    return {
        "matcher": {"id": "byFrameRefID", "options": ref},
        "properties": [{"id": "color", "value": {"mode": mode, "fixedColor": COLOURS[query.colour]}}],
    }


def column_override(panel: Panel, query: Query) -> Json:
    """Unit, thresholds and cell of one column of a table."""
    properties: list[Json] = [{"id": "unit", "value": UNITS[query.signal.unit]}]
    watching = [alert for alert in panel.alerts if alert.signal == query.signal]
    if watching:
        properties += [
            {"id": "thresholds", "value": thresholds(watching)},
            {"id": "custom.cellOptions", "value": {"type": "color-text"}},
        ]
    if query.bar:
        properties += [
            {"id": "custom.cellOptions", "value": {"type": "gauge", "mode": "basic", "valueDisplayMode": "text"}},
            {"id": "color", "value": {"mode": "fixed", "fixedColor": COLOURS[query.colour or "d1"]}},
            {"id": "min", "value": 0},
        ]
        if query.signal.unit is Unit.RATIO:
            properties.append({"id": "max", "value": 1})
    return {"matcher": {"id": "byName", "options": query.legend}, "properties": properties}
