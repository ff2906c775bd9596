"""The exporters about themselves."""

from __future__ import annotations

from .metric import Kind, Metric

COLLECTOR_ERRORS = Metric(
    "opsconsole_exporter_collector_errors_total",
    Kind.COUNTER,
    ("collector",),
    "Scrapes in which a collector could not read its source, for example a broker that is down.",
)

METRICS = (COLLECTOR_ERRORS,)
