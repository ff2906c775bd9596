"""Which samples a window holds, and what functions make of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsconsole.promql import overtime, rates
from opsconsole.promql.limits import Budget, Limits
from opsconsole.promql.memory import MemorySource
from opsconsole.promql.parse import parse
from opsconsole.promql.select import fetch, joined
from opsconsole.promql.windows import RangeFunction, latest, over
from opsconsole.series.block import NAN_SAMPLE, STALE, Block
from opsconsole.series.labels import Labels
from opsconsole.series.matcher import Matcher, Operator
from opsconsole.series.stack import Stack

NAN = float("nan")


def made(*rows: Sequence[float], step_ms: int = 10_000) -> Block:
    values = np.array(rows, dtype=np.float64)
    labels = [Labels.of(__name__="x", row=str(row)) for row in range(len(rows))]
    return Block(labels, np.arange(values.shape[1], dtype=np.int64) * step_ms, values)


def applied(function: RangeFunction, block: Block, at_ms: int, window_ms: int) -> list[float | None]:
    with np.errstate(all="ignore"):
        values, present = over(Stack.of(block), np.array([at_ms]), window_ms, function)
    return [
        value if there else None for value, there in zip(values[:, 0].tolist(), present[:, 0].tolist(), strict=True)
    ]


def test_a_window_is_open_on_the_left_and_closed_on_the_right() -> None:
    block = made([1, 2, 3, 4])
    assert applied(overtime.count, block, 30_000, 20_000) == [2]
    assert applied(overtime.first, block, 30_000, 20_000) == [3]
    assert applied(overtime.last, block, 29_999, 20_000) == [3]


def test_a_row_with_gaps_has_windows_of_its_own() -> None:
    block = made([1, 2, 3, 4, 5], [NAN, 2, NAN, NAN, 5], [NAN, NAN, NAN, 4, NAN])
    assert applied(overtime.count, block, 40_000, 60_000) == [5, 2, 1]
    assert applied(overtime.first, block, 40_000, 60_000) == [1, 2, 4]
    assert applied(overtime.last, block, 40_000, 20_000) == [5, 5, 4]
    assert applied(rates.delta, block, 40_000, 40_000) == [4, 4, None]


def test_the_newest_known_cell_decides_whether_a_series_is_there() -> None:
    block = made([1, 2, STALE], [1, STALE, NAN_SAMPLE], [7, NAN, NAN], [NAN, STALE, NAN])
    values, present, taken = latest(Stack.of(block), np.array([-1, 9_999, 10_000, 20_000, 300_000, 320_000]), 300_000)
    assert present.tolist() == [
        [False, True, True, False, False, False],
        [False, True, False, True, True, False],
        [False, True, True, True, False, False],
        [False, False, False, False, False, False],
    ]
    assert taken[:3, 1:4].tolist() == [[0, 10_000, 20_000], [0, 10_000, 20_000], [0, 0, 0]]
    assert values[0, 1:3].tolist() == [1, 2]
    assert values[2, 1:4].tolist() == [7, 7, 7]
    assert np.isnan(values[1, 3])


def test_a_counter_reset_counts_what_came_after_it() -> None:
    assert applied(rates.increase, made([5, 9, 2, 3]), 30_000, 30_000) == [pytest.approx(4.5)]
    assert applied(rates.increase, made([50, 59, 52, 53, 40]), 40_000, 50_000) == [
        pytest.approx(9 + 52 + 1 + 40, rel=0.3)
    ]
    assert applied(overtime.resets, made([50, 59, 52, 53, 40]), 40_000, 50_000) == [2]


def test_an_infinite_counter_spoils_only_its_own_windows() -> None:
    block = made([1, 2, np.inf, 0, 1, 2, 3])
    assert applied(rates.increase, block, 60_000, 30_000) == [3]


def test_the_last_two_samples_make_irate() -> None:
    assert applied(rates.irate, made([1, 2, 10], [5, 9, 3]), 20_000, 60_000) == [0.8, 0.3]
    assert applied(rates.idelta, made([1, 2, 10], [5, 9, 3]), 20_000, 60_000) == [8, -6]


def test_nan_samples_are_values_of_sums_but_no_extremes() -> None:
    block = made([1, NAN_SAMPLE, 3], [NAN_SAMPLE, NAN_SAMPLE, NAN_SAMPLE])
    assert applied(overtime.maximum, block, 20_000, 60_000)[0] == 3
    assert applied(overtime.minimum, block, 20_000, 60_000)[0] == 1
    assert np.isnan(applied(overtime.maximum, block, 20_000, 60_000)[1])
    assert np.isnan(applied(overtime.total, block, 20_000, 60_000)).all()
    assert applied(overtime.total, block, 20_000, 10_000)[0] == 3
    assert applied(overtime.changes, block, 20_000, 60_000) == [2, 0]


NAIVE: list[tuple[RangeFunction, Callable[[np.ndarray], float]]] = [
    (overtime.total, np.sum),
    (overtime.mean, np.mean),
    (overtime.minimum, np.min),
    (overtime.maximum, np.max),
    (overtime.count, len),
    (overtime.first, lambda window: window[0]),
    (overtime.last, lambda window: window[-1]),
    (overtime.changes, lambda window: np.count_nonzero(np.diff(window))),
    (overtime.resets, lambda window: np.count_nonzero(np.diff(window) < 0)),
]


@given(
    row=st.lists(st.one_of(st.just(NAN), st.integers(-50, 50).map(float)), min_size=1, max_size=40),
    at=st.integers(-20, 450),
    window=st.integers(1, 300),
    which=st.sampled_from(NAIVE),
)
def test_a_window_function_is_its_naive_self(row, at, window, which) -> None:
    function, naive = which
    samples = np.array(
        [value for number, value in enumerate(row) if at - window < number * 10 <= at and not np.isnan(value)]
    )
    full = [0.0] * len(row)  # a row without gaps beside it takes the other path
    (value, _) = applied(function, made(row, full), at * 1000, window * 1000)
    assert value == (pytest.approx(naive(samples)) if samples.size else None)


def test_blocks_without_a_common_series_stay_as_they_are() -> None:
    one, other = made([1, 2]), Block([Labels.of(__name__="y")], np.array([5], dtype=np.int64), np.array([[1.0]]))
    assert [block is given for block, given in zip(joined([one, other]), (one, other), strict=True)] == [True, True]


def test_a_series_of_two_blocks_is_joined_and_the_others_keep_their_gaps() -> None:
    old = made([1, 2], [5, NAN])
    new = Block(old.labels[:1], np.array([20_000], dtype=np.int64), np.array([[3.0]]))
    blocks = {block.labels[0]: block for block in joined([old, new])}
    assert blocks[old.labels[0]].timestamps.tolist() == [0, 10_000, 20_000]
    assert blocks[old.labels[0]].values.tolist() == [[1, 2, 3]]
    assert blocks[old.labels[1]].timestamps.tolist() == [0, 10_000]


def test_a_selector_asks_for_no_more_than_its_windows_need() -> None:
    asked = []

    class Recorder(MemorySource):
        def select(self, matchers, start_ms, end_ms):
            asked.append((tuple(matchers), start_ms, end_ms))
            return super().select(matchers, start_ms, end_ms)

    selector = parse("x")
    stacks = fetch(Recorder([made([1, 2, 3])]), selector, np.array([10_000, 20_000]), 5_000, Budget(Limits()))
    assert stacks[0].cells.tolist() == [[2, 3]]
    assert asked == [((Matcher("__name__", Operator.EQUAL, "x"),), 5_000, 20_000)]
