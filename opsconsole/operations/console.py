"""The running console: the objects that every use case needs, built once by ``config.wiring``.

Operations take it as their first argument; the edges (views, consumers, commands) fetch it with ``current()``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from alerts.model import Alert
from alerts.profile import Profile
from dashboards.model import Board
from opsconsole.alerting.rulebook import RuleBook
from opsconsole.notify.channel import Channel
from opsconsole.series.clock import Clock
from opsconsole.storage.retention import Retention

if TYPE_CHECKING:
    from opsconsole.ingest.scrape import Scraper
    from opsconsole.live.hub import Hub
    from opsconsole.promql.evaluator import Evaluator
    from opsconsole.storage.exemplars import ExemplarStore
    from opsconsole.storage.metadata import MetadataStore
    from opsconsole.storage.recorder import Recorder
    from opsconsole.storage.spans import SpanStore

    from .ingest import Receivers


@dataclass(frozen=True, slots=True)
class Console:
    clock: Clock
    profile: Profile
    boards: Mapping[str, Board]
    alerts: Mapping[str, Alert]
    engine: Evaluator  # PromQL over the head and the history, or at another server
    spans: SpanStore  # traces, durable once accepted
    scraper: Scraper  # its targets and their last scrape
    hub: Hub  # who is watching
    public_url: str
    recorder: Recorder | None = None  # where scrapes go; None in a console that only reads
    receivers: Receivers | None = None  # where pushed metrics go; None likewise
    exemplars: ExemplarStore | None = None  # of scraped series; None in a console that only reads
    metadata: MetadataStore | None = None  # type, help and unit of scraped metrics; None in a console that only reads
    rules: RuleBook = field(default_factory=RuleBook)  # what is pending and firing, and how its rules do
    started_ms: int = 0  # Unix milliseconds
    retention: Retention = field(default_factory=Retention)  # how long telemetry is kept
    channels: Mapping[str, Channel] = field(default_factory=dict)  # whom a change is told, by name


_current: Console | None = None


def install(console: Console | None) -> None:
    """Make ``console`` the one of this process; ``None`` takes it away again, for tests."""
    global _current
    _current = console


def current() -> Console:
    if _current is None:
        raise RuntimeError("no console is running in this process; start it with: opsconsole serve")
    return _current
