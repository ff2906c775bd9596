"""Ad-hoc queries: each ends in its time or when nobody waits, and its thread is free again."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import pytest

from alerts.profile import DEMO
from opsconsole.operations import query
from opsconsole.operations.console import Console
from opsconsole.promql.engine import Engine
from opsconsole.promql.limits import Limits
from opsconsole.promql.memory import MemorySource
from opsconsole.series.block import Block
from opsconsole.series.clock import ManualClock
from opsconsole.series.labels import Labels
from opsconsole.series.matcher import Matcher

HOUR_MS = 3_600_000
SLOW = "sum(" + " + ".join(["max_over_time(rate(x[5m:1s])[30m:1s])"] * 50) + ")"
"""Hours of work when nobody stops it."""


class Source(MemorySource):
    """300 series, a sample every 15 s for an hour; says when it is read."""

    def __init__(self) -> None:
        labels = [Labels.of(__name__="x", n=str(number)) for number in range(300)]
        timestamps = np.arange(1, 241, dtype=np.int64) * 15_000
        super().__init__([Block(labels, timestamps, np.arange(72_000, dtype=np.float64).reshape(300, 240))])
        self.read = threading.Event()

    def select(self, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> Sequence[Block]:
        self.read.set()
        return super().select(matchers, start_ms, end_ms)


@pytest.fixture
def source() -> Source:
    return Source()


@pytest.fixture
def console(source: Source) -> Console:
    nothing = cast("Any", None)
    return Console(
        clock=ManualClock(HOUR_MS),
        profile=DEMO,
        boards={},
        alerts={},
        engine=Engine(source, limits=Limits(points=100)),
        spans=nothing,
        scraper=nothing,
        hub=nothing,
        public_url="",
    )


def test_what_a_query_may_cost_is_the_consoles_to_say(console: Console) -> None:
    assert query.range_(console, "1", query.Span(0, 100, 1)).timestamps.size == 101
    with pytest.raises(query.BadQuery, match=r"exceeded maximum resolution of 100 points per timeseries"):
        query.range_(console, "1", query.Span(0, 101, 1))


def test_a_query_over_its_time_ends_and_leaves_its_turn_to_others(console: Console) -> None:
    for _ in range(query._AT_ONCE + 1):  # were one turn lost each time, the last would wait for ever
        with pytest.raises(query.QueryTimeout, match=r"^query timed out in expression evaluation$"):
            query.instant(console, SLOW, HOUR_MS, timeout_s=0.05)
    assert query.instant(console, "count(x)", HOUR_MS).last.tolist() == [300]  # type: ignore[union-attr]


def test_a_query_nobody_waits_for_ends_and_its_thread_is_free(console: Console, source: Source) -> None:
    cancelled = threading.Event()
    raised: list[BaseException] = []

    def work() -> None:
        try:
            query.range_(console, SLOW, query.Span(HOUR_MS - 60_000, HOUR_MS, 1000), cancelled=cancelled)
        except query.QueryCanceled as error:
            raised.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    assert source.read.wait(20)
    cancelled.set()
    thread.join(25)
    assert not thread.is_alive()
    assert [str(error) for error in raised] == ["query was canceled in expression evaluation"]


def test_a_query_may_be_out_of_time_before_its_turn(console: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = threading.BoundedSemaphore(1)
    taken.acquire()
    monkeypatch.setattr(query, "_turns", taken)
    with pytest.raises(query.QueryTimeout, match=r"^query timed out in query queue$"):
        query.instant(console, "x", HOUR_MS, timeout_s=0.01)
    cancelled = threading.Event()
    cancelled.set()
    with pytest.raises(query.QueryCanceled):
        query.instant(console, "x", HOUR_MS, cancelled=cancelled)


def test_series_and_labels_know_the_same_limits(console: Console, source: Source) -> None:
    scope = query.Scope(["x"], 0, HOUR_MS)
    assert len(query.series(console, scope)) == 300
    assert query.label_names(console, scope) == ["__name__", "n"]
    assert query.label_values(console, "__name__", scope) == ["x"]
    cancelled = threading.Event()
    cancelled.set()
    for ask in (query.series, query.label_names):
        with pytest.raises(query.QueryCanceled):
            ask(console, scope, cancelled=cancelled)
    with pytest.raises(query.BadQuery, match=r'invalid parameter "match\[\]"'):
        query.label_values(console, "n", query.Scope(["sum(x)"], 0, HOUR_MS))


def test_what_was_too_large_to_be_answered_at_once_is_not_tried_each_time(source):
    nothing = cast("Any", None)
    engine = Engine(source, at_hand=source)
    console = Console(
        clock=ManualClock(HOUR_MS), profile=DEMO, boards={}, alerts={}, engine=engine, spans=nothing, scraper=nothing,
        hub=nothing, public_url="",
    )  # fmt: skip
    for large in ("sum(max_over_time(x[1h]))", "x"):
        span = query.Span(HOUR_MS - 1_500_000, HOUR_MS, 15_000)
        query.range_(console, large, span)
        with pytest.raises(query.QueryFailed):
            query.range_(console, large, span, at_once=True)
        source.read.clear()
        with pytest.raises(query.QueryFailed, match="larger"):
            query.range_(console, large, span, at_once=True)
        assert not source.read.is_set()
    assert query.instant(console, "x", HOUR_MS, at_once=True).labels, "the same query at one instant is small"
