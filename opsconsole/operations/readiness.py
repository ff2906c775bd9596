"""Whether the console can serve."""

from __future__ import annotations

import structlog

from opsconsole.alerting.rulebook import Health

from .alerting import rules
from .console import Console

log = structlog.get_logger(__name__)


def obstacle(console: Console) -> str:
    """Why the console cannot serve yet, in one line; empty when it can.

    It can when its store answers, and when it has judged its alerts once: until then "nothing fires" means nothing.
    Without targets there is nothing to judge.
    """
    now_ms = console.clock.now_ms()
    try:
        console.spans.services(now_ms - 1, now_ms)
    except Exception:
        log.exception("the telemetry store does not answer")
        return "the telemetry store does not answer; see the console's log"
    waiting = [status for status in rules(console) if status.health is Health.UNKNOWN]
    if waiting and console.scraper.status:
        return f"{len(waiting)} alerts wait for their first evaluation; try again in a moment"
    return ""
