"""Read by signals, boards and alerts, exposed by nobody: whoever scrapes a target writes these of it, even if it is down.

OpsConsole does, and Prometheus does, under the same names.  Each has the labels ``job`` and ``instance`` of its target.
"""

from __future__ import annotations

from .metric import Kind, Metric

UP = Metric("up", Kind.GAUGE, (), "Whether the last scrape of the target worked: 1 or 0.")

SCRAPE_DURATION = Metric(
    "scrape_duration_seconds", Kind.GAUGE, (), "Seconds the last scrape of the target took.", unit="seconds"
)

SCRAPE_SAMPLES = Metric("scrape_samples_scraped", Kind.GAUGE, (), "Samples that the target exposed at its last scrape.")

SCRAPE_SAMPLES_KEPT = Metric(
    "scrape_samples_post_metric_relabeling", Kind.GAUGE, (), "Samples of the last scrape that were kept."
)

SCRAPE_SERIES_ADDED = Metric(
    "scrape_series_added", Kind.GAUGE, (), "Series of the last scrape that the one before it did not have."
)

METRICS = (UP, SCRAPE_DURATION, SCRAPE_SAMPLES, SCRAPE_SAMPLES_KEPT, SCRAPE_SERIES_ADDED)

LABELS: dict[str, str] = {}
