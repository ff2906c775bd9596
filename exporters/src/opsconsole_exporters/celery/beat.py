"""Whether celery beat lives, and which runs it left out.

The methods of the one scheduler that beat has made are wrapped, so that any scheduler class (that of
django-celery-beat, say) keeps its own.
"""

from __future__ import annotations

import time
from typing import Any

from celery import signals

from opsconsole_exporters import metrics
from opsconsole_exporters.catalog.celery import CELERY_BEAT_MISSED, CELERY_BEAT_TICK
from opsconsole_exporters.shield import shield, shielded

# An entry of every second that was not run for a day would otherwise be counted run by run.
MOST_MISSED = 1_000


def connect_beat() -> None:
    """Watch the scheduler of the beat that starts in this process, if one does."""
    signals.beat_init.connect(_watch, weak=False, dispatch_uid="opsconsole_exporters")


def missed_runs(entry: Any) -> int:
    """How many runs of a due entry passed since its last one, beside the one that is due now; at most ``MOST_MISSED``."""
    schedule, moment = entry.schedule, entry.last_run_at
    if moment is None:
        return 0
    for passed in range(MOST_MISSED + 1):
        remaining = schedule.remaining_estimate(moment)
        now = schedule.now()  # after the estimate: the other way round a minute of cron would follow itself
        following = now + remaining
        if following > now or following <= moment:
            return max(0, passed - 1)
        moment = following
    return MOST_MISSED


@shielded("Celery beat")
def _watch(sender: Any, **_: object) -> None:
    scheduler = sender.scheduler
    tick, apply_async = scheduler.tick, scheduler.apply_async

    def ticking(*args: Any, **options: Any) -> Any:
        with shield("Celery beat"):
            metrics.gauge(CELERY_BEAT_TICK).set(time.time())
        return tick(*args, **options)

    def applying(entry: Any, *args: Any, **options: Any) -> Any:
        with shield("Celery beat"):
            missed = metrics.counter(CELERY_BEAT_MISSED).labels(entry.name)
            missed.inc(missed_runs(entry))
        try:
            return apply_async(entry, *args, **options)
        except Exception:
            with shield("Celery beat"):
                missed.inc()
            raise

    scheduler.tick, scheduler.apply_async = ticking, applying
