"""A small service, scraped into a real head, and a console that watches it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import Any, cast

import numpy as np
import pytest

from alerts.profile import DEMO
from alerts.registry import BY_NAME as ALERTS
from dashboards.model import Board, Kind, Panel, Query, Row
from opsconsole.live.hub import Hub
from opsconsole.operations.console import Console, install
from opsconsole.promql.engine import Engine
from opsconsole.promql.result import Matrix
from opsconsole.promql.shared import Shared
from opsconsole.series.clock import ManualClock
from opsconsole.series.labels import Labels
from opsconsole.storage.head import Head
from signals.model import Signal
from signals.unit import Unit

START_MS = 1_764_000_000_000
SCRAPE_MS = 2000
BUCKETS = ("0.1", "0.5", "+Inf")


class Shop:
    """Counters that rise evenly and a gauge a queue, scraped 300 ms after every other second."""

    def __init__(self) -> None:
        self.head = Head()
        self.clock = ManualClock(START_MS)
        self.target = Labels.of(job="shop-web", instance="127.0.0.1:8001")
        self.queues = {"mail": 3.0}
        self._seconds = 0

    def run(self, seconds: int) -> None:
        """Let time pass; it stands at an even second and 900 ms afterwards, when the last scrape has settled."""
        for _ in range(seconds // 2):
            due_ms = self.clock.now_ms() // SCRAPE_MS * SCRAPE_MS + SCRAPE_MS + 300
            self.clock.advance(due_ms - self.clock.now_ms())
            self._seconds += 2
            self._scrape()
            self.clock.advance(600)

    def _scrape(self) -> None:
        series = {self._series("requests_total", status=status): 5.0 * self._seconds for status in ("200", "500")}
        for rank, bound in enumerate(BUCKETS, start=1):
            series[self._series("latency_bucket", le=bound)] = float(rank * self._seconds)
        for queue, length in self.queues.items():
            series[self._series("queue_length", queue=queue)] = length
        values = np.array(list(series.values()))
        self.head.append(self.target, self.clock.now_ms(), list(series), values)

    def _series(self, name: str, **labels: str) -> Labels:
        return Labels.of(self.target, __name__=name, **labels)


class CountingEngine(Engine):
    """The real engine, that counts what it is asked and can be made to fail."""

    def __init__(self, head: Head) -> None:
        super().__init__(head)
        self.asked: list[str] = []
        self.on_range: Callable[[str], None] = lambda query: None

    def together(self, queries: Collection[str]) -> Engine:
        """What is asked in a round is counted, too."""
        self._shared = Shared(queries)
        return self

    def range(self, query: str, start_ms: int, end_ms: int, step_ms: int) -> Matrix:
        self.asked.append(query)
        self.on_range(query)
        return super().range(query, start_ms, end_ms, step_ms)


def signal(name: str, expr: str, *by: str) -> Signal:
    return Signal(name, name, expr, Unit.COUNT, by, f"What {name} means.")


RATE = signal("rate", "sum by (status) (rate(requests_total{$selector}[$window]))", "status")
LENGTH = signal("length", "sum by (queue) (queue_length{$selector})", "queue")
LATENCY = signal("latency", "sum by (le) (rate(latency_bucket{$selector}[$window]))", "le")
WRONG = signal("wrong", "no_such_function(up{$selector})")


def panel(name: str, kind: Kind, *queries: Query, **more: Any) -> Panel:
    return Panel(name=name, title=name, kind=kind, queries=queries, width=4, height=4, **more)


BOARD = Board(
    name="shop",
    title="Shop",
    help="Everything a panel can be.",
    rows=(
        Row(
            "All",
            (
                panel("requests", Kind.AREA, Query(RATE, "{status}")),
                panel("lengths", Kind.LINE, Query(LENGTH, "{queue} waiting")),
                panel("again", Kind.STAT, Query(LENGTH, "{queue}")),
                panel("latency", Kind.HEATMAP, Query(LATENCY, "{le}")),
                panel("queues", Kind.TABLE, Query(LENGTH, "waiting"), key="queue"),
            ),
        ),
    ),
)
BROKEN = Board(name="broken", title="Broken", help="", rows=(Row("", (panel("wrong", Kind.LINE, Query(WRONG, "")),)),))


@pytest.fixture
def shop() -> Shop:
    """Two minutes old."""
    shop = Shop()
    shop.run(120)
    return shop


@pytest.fixture
def console(shop: Shop) -> Iterator[Console]:
    nothing = cast("Any", None)
    console = Console(
        clock=shop.clock,
        profile=DEMO,
        boards={board.name: board for board in (BOARD, BROKEN)},
        alerts=ALERTS,
        engine=CountingEngine(shop.head),
        spans=nothing,
        scraper=nothing,
        hub=Hub(),
        public_url="http://testserver",
    )
    install(console)
    yield console
    install(None)
