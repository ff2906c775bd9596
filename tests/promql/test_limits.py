"""What a query may cost, and how it is stopped."""

from __future__ import annotations

import threading
import tracemalloc
from collections.abc import Sequence

import numpy as np
import pytest

from opsconsole.promql.engine import Engine
from opsconsole.promql.error import PromQLError
from opsconsole.promql.limits import Budget, Canceled, LimitExceeded, Limits, TimedOut, current
from opsconsole.promql.memory import MemorySource
from opsconsole.series.block import Block
from opsconsole.series.labels import Labels
from opsconsole.series.matcher import Matcher

HOUR_MS = 3_600_000
TOO_MANY = "query processing would load too many samples into memory in query execution"


@pytest.fixture(scope="module")
def source() -> MemorySource:
    """200 series, one sample a minute for an hour, all values different."""
    labels = [Labels.of(__name__="x", n=str(number)) for number in range(200)]
    timestamps = np.arange(1, 61, dtype=np.int64) * 60_000
    return MemorySource([Block(labels, timestamps, np.arange(12_000, dtype=np.float64).reshape(200, 60))])


def engine(source: MemorySource, **limits: float) -> Engine:
    return Engine(source, limits=Limits(**limits))  # type: ignore[arg-type]


@pytest.mark.parametrize("field", ["series", "samples", "points", "seconds"])
def test_a_limit_of_nothing_is_refused_by_its_name(field: str) -> None:
    with pytest.raises(ValueError, match=rf"the limit of {field} of a query is 0; say a number above 0"):
        Limits(**{field: 0})


def test_a_selector_that_means_too_many_series_says_how_many(source: MemorySource) -> None:
    with pytest.raises(LimitExceeded, match=r"selects 200 series and may select 199; add label matchers"):
        engine(source, series=199).instant("sum(x)", HOUR_MS)
    assert engine(source, series=200).instant("count(x)", HOUR_MS).last.tolist() == [200]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "query",
    ["x", "rate(x[1h])", "sum(x)", "max_over_time(x[10m:1m])", 'count_values("v", x)', "x + x", "time()"],
)
def test_samples_are_counted_for_every_shape(source: MemorySource, query: str) -> None:
    with pytest.raises(LimitExceeded, match=TOO_MANY):
        engine(source, samples=50).range(query, 60_000, HOUR_MS, 60_000)


def test_the_samples_of_a_range_vector_are_counted(source: MemorySource) -> None:
    with pytest.raises(LimitExceeded, match=TOO_MANY):
        engine(source, samples=50).instant("x[1h]", HOUR_MS)


def test_what_one_side_needed_in_between_is_free_again_for_the_other(source: MemorySource) -> None:
    """Each side reads 12,000 samples and computes as many; only the sums remain."""
    asked = engine(source, samples=30_000)
    single = "sum(max_over_time(x[5m]))"
    double = f"{single} / {single} + {single}"
    for query in (single, double):
        assert list(asked.range(query, 60_000, HOUR_MS, 60_000).labels) == [Labels()]
    with pytest.raises(LimitExceeded):
        engine(source, samples=23_000).range(single, 60_000, HOUR_MS, 60_000)


@pytest.mark.parametrize(
    "query",
    [
        "max_over_time(x[1y:1s])",
        "max_over_time(vector(1)[100y:1ms])",
        "sum_over_time(max_over_time(x[1h:1s])[1d:1s])",
        'count_values("v", x * time())',
    ],
)
def test_a_matrix_over_the_limit_is_refused_before_it_is_made(source: MemorySource, query: str) -> None:
    asked = engine(source, samples=1_000_000)
    tracemalloc.start()
    try:
        with pytest.raises(LimitExceeded, match=TOO_MANY):
            asked.range(query, 60_000, HOUR_MS, 1_000)
        assert tracemalloc.get_traced_memory()[1] < 64 << 20
    finally:
        tracemalloc.stop()


def test_a_range_with_too_many_instants_is_refused_before_it_is_made(source: MemorySource) -> None:
    with pytest.raises(LimitExceeded, match=TOO_MANY):
        engine(source).range("1", 0, 10**15, 1)


def test_time_that_is_up_stops_the_query(source: MemorySource) -> None:
    clock = iter([0.0, 1.0, 31.0])
    budget = Budget(Limits(), now=lambda: next(clock))
    with pytest.raises(TimedOut, match=r"^query timed out in expression evaluation$"):
        engine(source).instant("sum(x)", HOUR_MS, budget)


def test_a_cancelled_query_stops_at_its_next_step(source: MemorySource) -> None:
    cancelled = threading.Event()
    seen: list[Budget | None] = []

    class Leaves:
        """The client goes away while the samples are read."""

        def select(self, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> Sequence[Block]:
            seen.append(current())
            cancelled.set()
            return source.select(matchers, start_ms, end_ms)

    budget = Budget(Limits(), cancelled=cancelled)
    with pytest.raises(Canceled, match=r"^query was canceled in expression evaluation$"):
        Engine(Leaves()).instant("rate(x[5m]) + rate(x[5m])", HOUR_MS, budget)
    assert seen == [budget]  # known to the source while it reads, and the second side was not read
    assert current() is None


def test_rows_in_slices_make_the_same_answer(source: MemorySource, monkeypatch: pytest.MonkeyPatch) -> None:
    span = (60_000, HOUR_MS, 60_000)
    whole = engine(source).range("rate(x[5m])", *span)
    monkeypatch.setattr("opsconsole.promql.windows._ROWS", 7)
    sliced = engine(source).range("rate(x[5m])", *span)
    assert sliced.labels == whole.labels
    np.testing.assert_array_equal(sliced.values, whole.values)


def test_every_limit_has_an_error_of_its_own() -> None:
    kinds = {LimitExceeded, TimedOut, Canceled}
    assert all(issubclass(kind, PromQLError) for kind in kinds)
    assert not any(issubclass(one, other) for one in kinds for other in kinds - {one})
