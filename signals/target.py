"""The scrape targets themselves.  The scraper, not the target, writes these series, so they are there when it is not."""

from __future__ import annotations

from .feed import Gauge
from .model import Signal
from .unit import Unit

UP = Signal(
    name="target_up",
    title="Up",
    expr="max by (job, instance) (up{$selector})",
    unit=Unit.COUNT,
    by=("job", "instance"),
    help="1 when the last scrape of the target worked, 0 when it did not.",
    feed=Gauge("up"),
)
SCRAPE_DURATION = Signal(
    name="target_scrape_duration",
    title="Scrape duration",
    expr="max by (job, instance) (scrape_duration_seconds{$selector})",
    unit=Unit.SECONDS,
    by=("job", "instance"),
    help="Seconds the last scrape of the target took.",
)
SCRAPE_SAMPLES = Signal(
    name="target_scrape_samples",
    title="Samples",
    expr="max by (job, instance) (scrape_samples_scraped{$selector})",
    unit=Unit.COUNT,
    by=("job", "instance"),
    help="Samples the target exposed at its last scrape; sudden growth is a label that takes too many values.",
)
