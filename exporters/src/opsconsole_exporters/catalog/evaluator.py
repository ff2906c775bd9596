"""Read by boards and by the tests of rules, exposed by nobody: Prometheus writes these of the alerts that it evaluates.

Each has the labels of the alert's own series too.
"""

from __future__ import annotations

from .metric import Kind, Metric

ALERTS = Metric(
    "ALERTS", Kind.GAUGE, ("alertname", "alertstate"), "Always 1, for each label set of an alert that is in trouble."
)

METRICS = (ALERTS,)

LABELS = {
    "alertname": "Name of the alert: as many as the rules have.",
    "alertstate": "`pending` or `firing`.",
}
