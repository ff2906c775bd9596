"""The scrape targets themselves.  The scraper, not the target, writes these series, so they are there when it is not."""

from __future__ import annotations

from opsconsole_exporters.catalog.scraper import SCRAPE_DURATION as DURATION
from opsconsole_exporters.catalog.scraper import SCRAPE_SAMPLES as SAMPLES
from opsconsole_exporters.catalog.scraper import UP as ANSWERS

from .feed import Gauge
from .model import Signal
from .unit import Unit

UP = Signal(
    name="target_up",
    title="Up",
    expr=f"max by (job, instance) ({ANSWERS}{{$selector}})",
    unit=Unit.COUNT,
    by=("job", "instance"),
    help="1 when the last scrape of the target worked, 0 when it did not.",
    feed=Gauge(ANSWERS),
)
SCRAPE_DURATION = Signal(
    name="target_scrape_duration",
    title="Scrape duration",
    expr=f"max by (job, instance) ({DURATION}{{$selector}})",
    unit=Unit.SECONDS,
    by=("job", "instance"),
    help="Seconds the last scrape of the target took.",
)
SCRAPE_SAMPLES = Signal(
    name="target_scrape_samples",
    title="Samples",
    expr=f"max by (job, instance) ({SAMPLES}{{$selector}})",
    unit=Unit.COUNT,
    by=("job", "instance"),
    help="Samples the target exposed at its last scrape; sudden growth is a label that takes too many values.",
)
