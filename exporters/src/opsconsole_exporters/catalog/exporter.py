"""The exporters about themselves."""

from __future__ import annotations

from . import labels
from .metric import Kind, Metric

COLLECTOR_ERRORS = Metric(
    "opsconsole_exporter_collector_errors_total",
    Kind.COUNTER,
    ("collector",),
    "Scrapes in which a collector could not read its source, for example a broker that is down.",
)

ROWS_LEFT_OUT = Metric(
    "opsconsole_exporter_rows_left_out",
    Kind.GAUGE,
    ("server", "table"),
    "Rows of a server's table beyond the most that are exposed; 0 when all are.",
)

SPANS_DROPPED = Metric(
    "opsconsole_exporter_spans_dropped_total",
    Kind.COUNTER,
    ("reason",),
    "Spans that never left: the queue was full, or the collector refused them or could not be reached.",
)

FOLDED = Metric(
    "opsconsole_exporter_folded_total",
    Kind.COUNTER,
    ("metric",),
    'Times that a label set was one too many for its metric and was counted under "other" instead.',
)

LABELS = {
    "collector": "`queues`, `cache server`, `migrations`, `pgbouncer`, `postgres` or `vector`.",
    "server": labels.SERVER,
    "table": "Table or view of the server that is asked: as many as the exporters ask.",
    "reason": "`full` or `refused`.",
    "metric": "Name of a metric of this catalogue.",
}

METRICS = (COLLECTOR_ERRORS, ROWS_LEFT_OUT, SPANS_DROPPED, FOLDED)
