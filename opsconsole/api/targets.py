"""Scrape targets as Prometheus' API shows them."""

from __future__ import annotations

from typing import Any

from opsconsole.ingest.scrape import TargetStatus
from opsconsole.series.duration import format_duration

from .wire import NEVER, rfc3339


def target_as_json(status: TargetStatus) -> dict[str, Any]:
    """One of ``activeTargets``; ``health`` is up, down or unknown."""
    target = status.target
    return {
        "discoveredLabels": {"__address__": target.instance, "job": target.job},
        "labels": target.labels.as_dict(),
        "scrapePool": target.job,
        "scrapeUrl": target.url,
        "globalUrl": target.url,
        "lastError": status.error,
        "lastScrape": rfc3339(status.last_scrape_ms) if status.last_scrape_ms else NEVER,
        "lastScrapeDuration": status.duration_s,
        "health": status.state.value,
        "scrapeInterval": format_duration(round(target.interval_s * 1000)),
        "scrapeTimeout": format_duration(round(target.timeout_s * 1000)),
    }
